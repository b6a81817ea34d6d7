"""One endpoint: what a request is made of, who answers it, and how the answer becomes a reply."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from asyncstore import Collection, Store
from asyncstore.errors import AsyncStoreError
from asyncstore.server import replies
from asyncstore.server.access import Access, Need
from asyncstore.server.failures import (
    Failure,
    RequestError,
    failure_of,
    format_error,
    parameter_error,
    validation_error,
)

_logger = logging.getLogger("asyncstore.server")

B = TypeVar("B")


@dataclass(frozen=True, eq=False)
class Call(Generic[B]):
    """One request, decoded.

    Attributes:
        path: The variable parts of the path.
        query: The parameters behind the question mark.
        body: What the request carries, of the endpoint's type.
        request: As it came; of an endpoint without a body, what it carries is still to be read.
    """

    store: Store
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: B
    request: Request

    async def collection(self) -> Collection:
        """The collection that the path names."""
        return await self.store.get_collection(self.path["collection_name"])

    def flag(self, name: str, *, default: bool) -> bool:
        """A parameter that is true or false."""
        text = self.query.get(name)
        if text is None:
            return default
        if text not in ("true", "false"):
            raise parameter_error(f"{name}: must be true or false, got {text!r}", "query")
        return text == "true"

    @property
    def wait(self) -> bool:
        """Whether a write is to say that it is completed."""
        return self.flag("wait", default=False)

    def check(self) -> None:
        """Refuses parameters that every endpoint understands in the same way."""
        timeout = self.query.get("timeout")
        if timeout is None:
            return
        try:
            seconds = int(timeout)
        except ValueError:
            raise parameter_error(
                f"timeout: must be an integer, got {timeout!r}", "query"
            ) from None
        if seconds < 1:
            raise validation_error(
                f"timeout: value {seconds} invalid, must be 1 or larger", "query parameters"
            )


@dataclass(frozen=True, eq=False)
class Service:
    """What all endpoints of a server share.

    Attributes:
        body_bytes_max: What a request may carry.
    """

    store: Store
    access: Access
    body_bytes_max: int


@dataclass(frozen=True)
class Endpoint(Generic[B]):
    """A method and a path, what the request carries, and the function that answers.

    Attributes:
        path: With variable parts in braces.
        body: The type of the JSON body; None: there is none.
        need: What a request must be allowed to do.
    """

    method: str
    path: str
    answer: Callable[[Call[B]], Awaitable[object]]
    body: type[B] | None = None
    need: Need = Need.READ

    @cached_property
    def _decoder(self) -> msgspec.json.Decoder[Any]:
        return msgspec.json.Decoder(self.body)

    async def reply(self, service: Service, request: Request) -> Response:
        """Answers a request in the envelope; whatever goes wrong becomes one as well."""
        begin = time.perf_counter()
        try:
            service.access.check(request, self.need)
            body = None
            if self.body is not None:
                body = self._decoded(await _text_of(request, service.body_bytes_max))
            call = Call(service.store, request.path_params, request.query_params, body, request)
            call.check()
            result = await self.answer(call)  # type: ignore[arg-type]
        except RequestError as error:
            return _failed(error.failure, begin)
        except AsyncStoreError as error:
            return _failed(failure_of(error), begin)
        except Exception:
            _logger.exception("%s %s failed", self.method, request.url.path)
            return _failed(Failure(500, "Service internal error: see the server's log"), begin)
        if isinstance(result, Response):
            return result
        return _json(200, replies.envelope(result, time.perf_counter() - begin))

    def _decoded(self, text: bytes) -> Any:
        try:
            return self._decoder.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise format_error(str(error)) from error


async def _text_of(request: Request, bytes_max: int) -> bytes:
    """The body, of which no more is taken in than is allowed."""
    parts = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > bytes_max:
            raise RequestError(413, f"Payload error: the body is larger than {bytes_max} bytes")
        parts.append(part)
    return b"".join(parts)


def _failed(failure: Failure, begin: float) -> Response:
    return _json(failure.status, replies.failure(failure.text, time.perf_counter() - begin))


def _json(status: int, text: bytes) -> Response:
    return Response(text, status, media_type="application/json")
