"""Paths of requests: which endpoint a path leads to, and what its variable parts are."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias
from urllib.parse import unquote

from starlette.types import Scope

from asyncstore.server.endpoint import Endpoint

# Stands for an encoded slash, which belongs to a name and does not divide it; no text holds it.
_SLASH = "\ufdd0"
_ENCODED_SLASH = re.compile(rb"%2f", re.IGNORECASE)

# Endpoints, each with the names of the variable parts of its path.
ByMethod: TypeAlias = dict[str, tuple[Endpoint[Any], list[str]]]


class Paths:
    """Endpoints by their paths, part by part."""

    def __init__(self, endpoints: Iterable[Endpoint[Any]]) -> None:
        """A path and a method have one endpoint at most."""
        self._first = _Part()
        for endpoint in endpoints:
            part = self._first
            names: list[str] = []
            for text in _parts(endpoint.path):
                is_variable = text.startswith("{")
                if is_variable:
                    names.append(text[1:-1])
                part = part.following.setdefault("" if is_variable else text, _Part())
            assert endpoint.method not in part.endpoints, endpoint
            part.endpoints[endpoint.method] = endpoint, names

    def find(self, method: str, path: str) -> tuple[Endpoint[Any], dict[str, str]] | None:
        """The endpoint and the variable parts; HEAD is answered as GET is. None: there is none."""
        method = "GET" if method == "HEAD" else method
        for endpoints, values in self._leading(path):
            if (found := endpoints.get(method)) is not None:
                endpoint, names = found
                return endpoint, dict(zip(names, values, strict=True))
        return None

    def methods(self, path: str) -> list[str]:
        """The methods by which a path is served; empty when it leads nowhere."""
        found = {method for endpoints, _ in self._leading(path) for method in endpoints}
        return sorted(found | {"HEAD"} if "GET" in found else found)

    def _leading(self, path: str) -> Iterator[tuple[ByMethod, tuple[str, ...]]]:
        """What a path may mean: what is written out comes before what is variable."""
        if not path.startswith("/"):  # that of the server as a whole, "*", leads nowhere
            return iter(())
        return self._first.leading(_parts(path), 0, ())


class _Part:
    """What may follow on the beginning of a path; "" stands for what is variable."""

    __slots__ = ("endpoints", "following")

    def __init__(self) -> None:
        self.following: dict[str, _Part] = {}
        self.endpoints: ByMethod = {}

    def leading(
        self, parts: list[str], place: int, values: tuple[str, ...]
    ) -> Iterator[tuple[ByMethod, tuple[str, ...]]]:
        """Endpoints by method that the parts from ``place`` on lead to, and the variable parts."""
        if place == len(parts):
            if self.endpoints:
                yield self.endpoints, values
            return
        text = parts[place]
        if not text:
            return
        if (written := self.following.get(text)) is not None:
            yield from written.leading(parts, place + 1, values)
        if (variable := self.following.get("")) is not None:
            value = text.replace(_SLASH, "/")
            yield from variable.leading(parts, place + 1, (*values, value))


def path_of(scope: Scope) -> str:
    """The path of a request: a slash at the end is none, an encoded one is part of a name."""
    path: str = scope["path"]
    raw: bytes = scope.get("raw_path") or b""
    if _ENCODED_SLASH.search(raw):
        path = unquote(_ENCODED_SLASH.sub(_SLASH.encode(), raw).decode("utf-8", "replace"))
    return path.rstrip("/") or "/" if path.endswith("/") else path


def _parts(path: str) -> list[str]:
    return [] if path == "/" else path.split("/")[1:]
