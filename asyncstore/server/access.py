"""Who may ask what: API keys."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from enum import IntEnum

from starlette.requests import Request

from asyncstore.config import ServiceConfig
from asyncstore.server.failures import RequestError

_BEARER = "Bearer "


class Need(IntEnum):
    """What a request must be allowed to do."""

    NOTHING = 0
    READ = 1
    WRITE = 2


@dataclass(frozen=True)
class Access:
    """The keys of a server; without any, everybody may do everything.

    Attributes:
        key: Whoever has it may do everything.
        read_only_key: Whoever has it may read.
    """

    key: str | None = None
    read_only_key: str | None = None

    @classmethod
    def of(cls, config: ServiceConfig) -> Access:
        """The keys of a configuration; an empty one is none."""
        return cls(config.api_key or None, config.read_only_api_key or None)

    @property
    def is_open(self) -> bool:
        """Whether there are no keys."""
        return self.key is None and self.read_only_key is None

    def check(self, request: Request, need: Need) -> None:
        """Raises unless the request may do what it asks for."""
        if self.is_open or need is Need.NOTHING:
            return
        given = _key_of(request)
        if given is None:
            raise RequestError(401, "Must provide an API key or an Authorization bearer token")
        # All keys are compared, so that the time tells nothing.
        may_write = _same(given, self.key)
        may_read = _same(given, self.read_only_key)
        if may_write or (may_read and need is Need.READ):
            return
        if may_read:
            raise RequestError(403, "Forbidden: the key is for reading only")
        raise RequestError(401, "Invalid API key")


def _key_of(request: Request) -> str | None:
    given = request.headers.get("api-key")
    if given is not None:
        return given
    bearer = request.headers.get("authorization", "")
    return bearer.removeprefix(_BEARER) if bearer.startswith(_BEARER) else None


def _same(given: str, key: str | None) -> bool:
    same = hmac.compare_digest(given.encode(), (key or "").encode())
    return same and key is not None
