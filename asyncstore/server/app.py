"""The ASGI application: the endpoints on a store that is open."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route

from asyncstore import Store
from asyncstore.server import openapi, replies
from asyncstore.server.access import Access
from asyncstore.server.endpoint import Endpoint, Service
from asyncstore.server.outflow import Slices
from asyncstore.server.paths import Paths
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
ENDPOINTS.append(openapi.endpoint(ENDPOINTS))


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
    service = Service(
        store, Access.of(config), config.max_request_size_mb << 20, config.body_timeout_s
    )
    routes = [
        Route(endpoint.path, _handler(endpoint, service), methods=[endpoint.method])
        for endpoint in ENDPOINTS
    ]
    app = Starlette(
        routes=routes,
        exception_handlers={HTTPException: _no_route},
        middleware=[Middleware(Slices), Middleware(Paths)],
    )
    app.router.redirect_slashes = False
    return app


def _handler(endpoint: Endpoint[Any], service: Service) -> Callable[[Request], Awaitable[Response]]:
    async def handle(request: Request) -> Response:
        return await endpoint.reply(service, request)

    return handle


async def _no_route(request: Request, error: Exception) -> Response:
    """The path leads nowhere, or the method is another."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    text = f"{request.method} {request.url.path} is not served here"
    headers = {"Allow": ", ".join(_methods(request))} if status == 405 else None
    return Response(replies.failure(text, 0.0), status, headers, media_type="application/json")


def _methods(request: Request) -> list[str]:
    """The methods by which the path is served."""
    methods: set[str] = set()
    for route in request.app.routes:
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE:
            methods |= route.methods or set()
    return sorted(methods)
