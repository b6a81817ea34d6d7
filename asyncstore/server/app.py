"""The ASGI application: the endpoints on a store that is open."""

from __future__ import annotations

import time
from typing import Any

from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from asyncstore import Store
from asyncstore.server import openapi, replies
from asyncstore.server.access import Access
from asyncstore.server.endpoint import Endpoint, Reply, Service
from asyncstore.server.paths import Paths, path_of
from asyncstore.server.routes import collections, legacy, points, query, service, snapshots

ENDPOINTS: list[Endpoint[Any]] = [
    *query.ENDPOINTS,
    *legacy.ENDPOINTS,
    *points.ENDPOINTS,
    *collections.ENDPOINTS,
    *snapshots.ENDPOINTS,
    *service.ENDPOINTS,
]
ENDPOINTS.append(openapi.endpoint(ENDPOINTS))
_PATHS = Paths(ENDPOINTS)


class Application:
    """Answers requests by the endpoints that their paths lead to."""

    def __init__(self, store: Store) -> None:
        """The store's configuration says which keys it asks for, and how much may be carried."""
        config = store.config.service
        self._service = Service(
            store, Access.of(config), config.max_request_size_mb << 20, config.body_timeout_s
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the life of the server around it."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        begin = time.perf_counter()
        method, path = scope["method"], path_of(scope)
        found = _PATHS.find(method, path)
        if found is None:
            await _no_endpoint(method, path, begin)(scope, receive, send)
            return
        endpoint, variables = found
        reply = await endpoint.reply(self._service, Request(scope, receive, send), variables, begin)
        await reply(scope, receive, send)


def create_app(store: Store) -> Application:
    """Makes an ASGI application of an open store; whoever opened it closes it.

    The store's configuration says which keys it asks for, and how much a request may carry.

    Example:
        >>> import asyncstore
        >>> from asyncstore.server import create_app
        >>> async def application(folder):
        ...     async with asyncstore.open_store(folder) as store:
        ...         return create_app(store)
    """
    return Application(store)


def _no_endpoint(method: str, path: str, begin: float) -> Reply:
    """The path leads nowhere, or the method is another."""
    methods = _PATHS.methods(path)
    text = replies.failure(f"{method} {path} is not served here", time.perf_counter() - begin)
    if not methods:
        return Reply(404, text)
    return Reply(405, text, ((b"allow", ", ".join(methods).encode()),))


async def _live(receive: Receive, send: Send) -> None:
    """There is nothing to do when the server starts or stops: the store is somebody else's."""
    for part in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{part}.complete"})
