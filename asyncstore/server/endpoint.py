"""One endpoint: what a request is made of, who answers it, and how the answer becomes a reply."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, Generic, TypeVar

import anyio
import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from asyncstore import Collection, Store
from asyncstore.errors import AsyncStoreError
from asyncstore.server import log, replies
from asyncstore.server.access import Access, Need
from asyncstore.server.counters import Counters
from asyncstore.server.failures import (
    Failure,
    RequestError,
    failure_of,
    format_error,
)
from asyncstore.server.nesting import NESTING_MAX, is_too_deep
from asyncstore.server.outflow import send_body
from asyncstore.server.parameters import (
    CONSISTENCY,
    FLAG,
    ORDERING,
    TIMEOUT,
    WAIT,
    Parameter,
)

_OF_COLLECTIONS = "/collections"
_OF_POINTS = tuple(
    f"/collections/{{collection_name}}/{kind}" for kind in ("points", "index", "facet")
)
# More than anybody waits, and no more than timers take.
_SECONDS_MAX = 1e8

_NO_PARAMETERS: Mapping[str, str] = MappingProxyType({})

_logger = logging.getLogger("asyncstore.server")

B = TypeVar("B")


@dataclass(frozen=True, eq=False)
class Call(Generic[B]):
    """One request, decoded.

    Attributes:
        path: The variable parts of the path.
        query: The parameters behind the question mark.
        body: What the request carries, of the endpoint's type.
        counters: Of the server, until now.
        request: As it came; of an endpoint without a body, what it carries is still to be read.
    """

    store: Store
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: B
    counters: Counters
    request: Request

    async def collection(self) -> Collection:
        """The collection that the path names."""
        return await self.store.get_collection(self.path["collection_name"])

    def flag(self, name: str, *, default: bool) -> bool:
        """A parameter that is true or false."""
        text = self.query.get(name)
        return default if text is None else Parameter(name, "", FLAG).value(text) == "true"

    @property
    def wait(self) -> bool:
        """Whether a write is to say that it is completed."""
        return self.flag("wait", default=False)


@dataclass(frozen=True, eq=False)
class Service:
    """What all endpoints of a server share.

    Attributes:
        body_bytes_max: What a request may carry.
        body_timeout_s: Within which time it must have come.
    """

    store: Store
    access: Access
    body_bytes_max: int
    body_timeout_s: float
    counters: Counters = field(default_factory=Counters)


@dataclass(frozen=True, eq=False)
class Reply:
    """JSON on its way; with the other parts of a ``Response`` a search would cost a tenth more."""

    status_code: int
    text: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends it."""
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(self.text)),
            *self.headers,
        ]
        await send({"type": "http.response.start", "status": self.status_code, "headers": headers})
        await send_body(send, self.text)


@dataclass(frozen=True)
class Endpoint(Generic[B]):
    """A method and a path, what the request carries, and the function that answers.

    Attributes:
        path: With variable parts in braces.
        body: The type of the JSON body; None: there is none.
        need: What a request must be allowed to do.
        others: Parameters behind the question mark, besides those that its like have.
        form: The fields of the form that the request carries, which ``answer`` takes in itself.
        may_be_absent: Whether what the path names need not be there.
        refusals: Statuses of refusals besides those that follow from all this.
    """

    method: str
    path: str
    answer: Callable[[Call[B]], Awaitable[object]]
    body: type[B] | None = None
    need: Need = Need.READ
    others: tuple[Parameter, ...] = ()
    form: type | None = None
    may_be_absent: bool = False
    refusals: tuple[int, ...] = ()

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """What may stand behind the question mark; all else there is passed over."""
        usual: tuple[Parameter, ...] = ()
        if self.path.startswith(_OF_COLLECTIONS):
            usual = (TIMEOUT,)
            if self.path.startswith(_OF_POINTS):
                usual += (WAIT, ORDERING) if self.need is Need.WRITE else (CONSISTENCY,)
        return usual + self.others

    @cached_property
    def _decoder(self) -> msgspec.json.Decoder[Any]:
        return msgspec.json.Decoder(self.body)

    async def reply(
        self, service: Service, request: Request, path: Mapping[str, str], begin: float
    ) -> Response | Reply:
        """Answers a request in the envelope; whatever goes wrong becomes one as well.

        Args:
            service: What all requests share.
            request: Of which the body is still to come.
            path: The variable parts of the path.
            begin: When the request came, by ``time.perf_counter()``.
        """
        reply = await self._answered(service, request, path, begin)
        seconds = time.perf_counter() - begin
        service.counters.add(self.method, self.path, reply.status_code, seconds)
        log.request(self.method, self.path, reply.status_code, seconds)
        return reply

    async def _answered(
        self, service: Service, request: Request, path: Mapping[str, str], begin: float
    ) -> Response | Reply:
        try:
            service.access.check(request, self.need)
            body = None
            if self.body is not None:
                body = self._decoded(await _text_of(request, service))
            query = request.query_params if request.scope["query_string"] else _NO_PARAMETERS
            call = Call(service.store, path, query, body, service.counters, request)
            result = await self._within(self._seconds(query), call)
        except RequestError as error:
            return _failed(error.failure, begin)
        except TimeoutError:
            seconds = time.perf_counter() - begin
            return _failed(Failure(408, f"Timeout: not done after {seconds:.1f} seconds"), begin)
        except AsyncStoreError as error:
            return _failed(failure_of(error), begin)
        except ClientDisconnect:
            return _failed(Failure(400, "Bad request: the client has gone"), begin)
        except Exception:
            _logger.exception("%s %s failed", self.method, request.url.path)
            return _failed(Failure(500, "Service internal error: see the server's log"), begin)
        if isinstance(result, Response):
            return result
        return Reply(200, replies.envelope(result, time.perf_counter() - begin))

    async def _within(self, seconds: float | None, call: Call[Any]) -> object:
        """The answer, if it takes no longer."""
        if seconds is None:
            return await self.answer(call)
        with anyio.fail_after(seconds):
            return await self.answer(call)

    def _seconds(self, query: Mapping[str, str]) -> float | None:
        """Checks the parameters; how long an answer may take."""
        values = {
            parameter.name: parameter.value(query[parameter.name])
            for parameter in self.parameters
            if parameter.name in query
        }
        seconds = values.get("timeout")
        return None if seconds is None else min(float(seconds), _SECONDS_MAX)

    def _decoded(self, text: bytes) -> Any:
        if is_too_deep(text):
            raise format_error(f"nested too deeply, at most {NESTING_MAX} levels")
        try:
            return self._decoder.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise format_error(str(error)) from error


async def _text_of(request: Request, service: Service) -> bytes:
    """The body, of which no more is taken in than is allowed, for no longer than is allowed."""
    bytes_max, parts, size = service.body_bytes_max, [], 0
    told = request.headers.get("content-length", "")
    too_large = RequestError(413, f"Payload error: the body is larger than {bytes_max} bytes")
    if told.isdecimal() and int(told[:20]) > bytes_max:
        raise too_large
    # The beginning, mostly all there is, comes in time: the connection sees to it.
    part, is_more = await _part_of(request)
    if not is_more and len(part) <= bytes_max:
        return part
    with anyio.move_on_after(service.body_timeout_s):
        while True:
            size += len(part)
            if size > bytes_max:
                raise too_large
            parts.append(part)
            if not is_more:
                return b"".join(parts)
            part, is_more = await _part_of(request)
    raise RequestError(
        408, f"Timeout: the body has not come within {service.body_timeout_s:g} seconds"
    )


async def _part_of(request: Request) -> tuple[bytes, bool]:
    """The next piece of a body, and whether there is more to come."""
    message = await request.receive()
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    return message.get("body", b""), message.get("more_body", False)


def _failed(failure: Failure, begin: float) -> Reply:
    text = replies.failure(failure.text, time.perf_counter() - begin)
    # The rest of a body that is not taken in must not be taken for a request.
    headers = ((b"connection", b"close"),) if failure.status in (408, 413) else ()
    return Reply(failure.status, text, headers)
