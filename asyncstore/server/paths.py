"""Paths of requests, as routes are compared with them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote

from starlette.types import ASGIApp, Receive, Scope, Send

# Stands for an encoded slash, which belongs to a name and does not divide it; no text holds it.
_SLASH = "\ufdd0"
_ENCODED_SLASH = re.compile(rb"%2f", re.IGNORECASE)


class Paths:
    """Takes a slash at the end for none, and an encoded one for a part of a name."""

    def __init__(self, app: ASGIApp) -> None:
        """``app`` gets the requests with such paths."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes on what comes."""
        if scope["type"] == "http":
            scope["path"] = _compared(scope)
        await self._app(scope, receive, send)


def variables(found: Mapping[str, str]) -> dict[str, str]:
    """The variable parts of a path as they were meant."""
    return {name: value.replace(_SLASH, "/") for name, value in found.items()}


def _compared(scope: Scope) -> str:
    path: str = scope["path"]
    raw: bytes = scope.get("raw_path") or b""
    if _ENCODED_SLASH.search(raw):
        path = unquote(_ENCODED_SLASH.sub(_SLASH.encode(), raw).decode("utf-8", "replace"))
    return path.rstrip("/") or "/" if path.endswith("/") else path
