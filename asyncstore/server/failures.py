"""Errors as status codes and texts."""

from __future__ import annotations

import re
from dataclasses import dataclass

from asyncstore import errors

# What a value out of its bounds is called in messages (asyncstore/bounds.py).
_OUT_OF_BOUNDS = re.compile(
    r"^[\w.\[\]?]+: (value .* invalid, must |collection name cannot )", re.S
)
# What is said of a vector that does not fit a collection (asyncstore/vectors.py).
_DIMENSIONS = re.compile(r"has (\d+) dimensions, collection '.*' has (\d+)", re.DOTALL)


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
        case errors.InvalidArgumentError() if _OUT_OF_BOUNDS.match(text):
            where = "path parameters" if text.startswith("collection_name: ") else "JSON body"
            return Failure(422, f"Validation error in {where}: [{text}]")
        case errors.DimensionMismatchError() if dims := _DIMENSIONS.search(text):
            sentence = f"Vector dimension error: expected dim: {dims[2]}, got {dims[1]}"
            return Failure(400, f"Wrong input: {sentence} ({text})")
        case errors.InvalidArgumentError():
            return Failure(400, f"Wrong input: {text}")
        case errors.UnsupportedError():
            return Failure(400, f"Bad request: {text}")
        case errors.StoreClosedError():
            return Failure(503, f"Service unavailable: {text}")
    return Failure(500, f"Service internal error: {text}")
