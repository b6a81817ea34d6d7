"""What is written to a client that may not read it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

# What a client must take of a long reply within the time that it has: one that takes a byte now and
# then could hold it in memory for ever.
TAKEN_BYTES_MIN = 64 << 10


class WatchedTransport:
    """A transport that is aborted where nothing of what is written is taken for too long.

    What a socket does not take waits in memory, without a bound in time of its own, also after the
    connection was closed from this side. All but writing is the transport's own.
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        loop: asyncio.AbstractEventLoop,
        seconds: float,
        tell: Callable[[], None],
    ) -> None:
        """``tell`` is called before the transport is aborted, ``seconds`` without progress."""
        self._transport = transport
        self._loop = loop
        self._seconds = seconds
        self._tell = tell
        self._written_bytes = 0
        self._timer: asyncio.TimerHandle | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """As the transport does; from now on it is watched until all is taken."""
        self._written_bytes += len(data)
        self._transport.write(data)
        if self._timer is None and self._transport.get_write_buffer_size() > 0:
            self._watch()

    def forget(self) -> None:
        """The connection is over."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    @property
    def _taken_bytes(self) -> int:
        return self._written_bytes - self._transport.get_write_buffer_size()

    def _watch(self) -> None:
        due_bytes = min(self._written_bytes, self._taken_bytes + TAKEN_BYTES_MIN)
        self._timer = self._loop.call_later(self._seconds, self._look, due_bytes)

    def _look(self, due_bytes: int) -> None:
        self._timer = None
        if self._transport.get_write_buffer_size() == 0:
            return
        if self._taken_bytes >= due_bytes:
            self._watch()
        else:
            self._tell()
            self._transport.abort()
