"""What answers while the store behind a server is being opened."""

from __future__ import annotations

import time
from collections.abc import Callable

from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from asyncstore.models import RecoveryProgress
from asyncstore.server import log, replies
from asyncstore.server.paths import path_of
from asyncstore.server.routes.service import HEALTHY

_ALIVE = ("/healthz", "/livez")
_READY = "/readyz"
# How soon it is worth asking again, in seconds.
_RETRY_AFTER = {"Retry-After": "1"}


class Recovery:
    """An ASGI application that says how far recovery is, until it gives way to another."""

    def __init__(self, progress: Callable[[], RecoveryProgress]) -> None:
        """``progress`` is asked when somebody wants to know."""
        self._progress = progress
        self._app: ASGIApp | None = None

    def done(self, app: ASGIApp) -> None:
        """From now on ``app`` answers."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers, or passes on what comes."""
        if self._app is not None:
            await self._app(scope, receive, send)
            return
        begin = time.perf_counter()
        response = self._reply(path_of(scope) if scope["method"] in ("GET", "HEAD") else "")
        await response(scope, receive, send)
        log.request(
            scope["method"], scope["path"], response.status_code, time.perf_counter() - begin
        )

    def _reply(self, path: str) -> Response:
        if path in _ALIVE:
            return PlainTextResponse(HEALTHY)
        text = progress_text(self._progress())
        if path == _READY:
            return PlainTextResponse(text, 503, _RETRY_AFTER)
        body = replies.failure(f"Service unavailable: {text}", 0.0)
        return Response(body, 503, _RETRY_AFTER, media_type="application/json")


def progress_text(progress: RecoveryProgress) -> str:
    """How far recovery is, in words."""
    if progress.collections == 0:
        return "recovering: looking for collections"
    log_bytes = max(progress.log_bytes, 1)
    percent = 100 * min(progress.log_bytes_replayed, log_bytes) // log_bytes
    return (
        f"recovering: {progress.collections_opened} of {progress.collections} collections, "
        f"{percent} % of the log"
    )
