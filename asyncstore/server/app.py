"""The ASGI application: the endpoints on a store that is open."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from asyncstore import Store
from asyncstore.server import replies
from asyncstore.server.access import Access
from asyncstore.server.endpoint import Endpoint, Service
from asyncstore.server.routes import collections, legacy, points, query, service, snapshots

# In the order in which a request is compared with them: the busiest first.
ENDPOINTS: list[Endpoint[Any]] = [
    *query.ENDPOINTS,
    *legacy.ENDPOINTS,
    *points.ENDPOINTS,
    *collections.ENDPOINTS,
    *snapshots.ENDPOINTS,
    *service.ENDPOINTS,
]


def create_app(store: Store) -> Starlette:
    """Makes an ASGI application of an open store; whoever opened it closes it.

    The store's configuration says which keys it asks for, and how much a request may carry.

    Example:
        >>> import asyncstore
        >>> from asyncstore.server import create_app
        >>> async def application(folder):
        ...     async with asyncstore.open_store(folder) as store:
        ...         return create_app(store)
    """
    config = store.config.service
    service = Service(store, Access.of(config), config.max_request_size_mb << 20)
    routes = [
        Route(endpoint.path, _handler(endpoint, service), methods=[endpoint.method])
        for endpoint in ENDPOINTS
    ]
    app = Starlette(
        routes=routes,
        exception_handlers={HTTPException: _no_route},
        middleware=[Middleware(_Trimmed)],
    )
    app.router.redirect_slashes = False
    return app


class _Trimmed:
    """Takes a slash at the end of a path for none."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].endswith("/"):
            scope["path"] = scope["path"].rstrip("/") or "/"
        await self._app(scope, receive, send)


def _handler(endpoint: Endpoint[Any], service: Service) -> Callable[[Request], Awaitable[Response]]:
    async def handle(request: Request) -> Response:
        return await endpoint.reply(service, request)

    return handle


async def _no_route(request: Request, error: Exception) -> Response:
    """The path leads nowhere, or the method is another."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    text = f"{request.method} {request.url.path} is not served here"
    return Response(replies.failure(text, 0.0), status, media_type="application/json")
