"""Errors as status codes and texts."""

from __future__ import annotations

from dataclasses import dataclass

from asyncstore import errors
from asyncstore.bounds import OutOfBoundsError

# What of a request stands in its path; all else is in its body.
_IN_PATH = {"collection_name"}


@dataclass(frozen=True)
class Failure:
    """How a request failed."""

    status: int
    text: str


class RequestError(Exception):
    """A request that is refused before the store is asked."""

    def __init__(self, status: int, text: str) -> None:
        """Keeps what is to be answered."""
        super().__init__(text)
        self.failure = Failure(status, text)


def format_error(detail: str) -> RequestError:
    """The body is no JSON, or of the wrong shape."""
    return RequestError(400, f"Format error in JSON body: {detail}")


def validation_error(detail: str, where: str = "JSON body") -> RequestError:
    """What was given has the right shape, and a value that is out of bounds."""
    return RequestError(422, f"Validation error in {where}: [{detail}]")


def parameter_error(detail: str, where: str) -> RequestError:
    """A part of the URL is no value of its kind."""
    return RequestError(400, f"Deserialize error in {where} parameters: {detail}")


def failure_of(error: errors.AsyncStoreError) -> Failure:
    """What the answer to a request says that ended with this error."""
    text = str(error)
    match error:
        case errors.NotFoundError():
            return Failure(404, f"Not found: {text}")
        case errors.AlreadyExistsError():
            return Failure(409, f"Wrong input: {text}")
        case OutOfBoundsError(violations=violations):
            is_in_path = all(path in _IN_PATH for path, _ in violations)
            where = "path parameters" if is_in_path else "JSON body"
            return Failure(422, f"Validation error in {where}: [{text}]")
        case errors.DimensionMismatchError(expected=int(expected), got=int(got)):
            sentence = f"Vector dimension error: expected dim: {expected}, got {got}"
            return Failure(400, f"Wrong input: {sentence} ({text})")
        case errors.InvalidArgumentError():
            return Failure(400, f"Wrong input: {text}")
        case errors.UnsupportedError():
            return Failure(400, f"Bad request: {text}")
        case errors.StoreClosedError():
            return Failure(503, f"Service unavailable: {text}")
    return Failure(500, f"Service internal error: {text}")
