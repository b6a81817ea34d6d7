"""What goes out to clients that may not read it.

What a socket does not take waits in memory, and nothing ends that wait: neither uvicorn, whose
replies stand still until there is room again, nor a close from this side, which comes after them.
"""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.types import Send

# What of a reply waits in a connection's buffers. Nearly as much a client must take within the time
# that it has: one that takes a byte now and then could hold a reply for ever.
SLICE_BYTES = 256 << 10
# What is small enough leaves the process together with what is written right behind it.
_TOGETHER_BYTES = 16 << 10


async def send_body(send: Send, body: bytes) -> None:
    """Sends the body of a reply in slices: between two of them uvicorn waits for room."""
    last = max(len(body) - 1, 0) // SLICE_BYTES * SLICE_BYTES  # where the last one begins
    for start in range(0, last, SLICE_BYTES):
        part = body[start : start + SLICE_BYTES]
        await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body", "body": body[last:]})


class Outflow:
    """A transport that sends head and body of a short reply at once, and whose close has an end.

    All but writing and closing is the transport's own.
    """

    def __init__(
        self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, seconds: float
    ) -> None:
        """A close is over after so many seconds, whatever the client does."""
        self._transport = transport
        self._loop = loop
        self._seconds = seconds
        self._timer: asyncio.TimerHandle | None = None
        self._waiting = b""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """As the transport does, unless it is closed.

        Of several requests that came at once uvicorn tells only the last that the client is gone:
        what the others still write is dropped.
        """
        if not self._waiting:
            self._loop.call_soon(self._flush)
        self._waiting += data
        if len(self._waiting) > _TOGETHER_BYTES:
            self._flush()

    def close(self) -> None:
        """As the transport does; what is not taken in time then is dropped."""
        self._flush()
        self._transport.close()
        if self._timer is None:
            self._timer = self._loop.call_later(self._seconds, self._transport.abort)

    def forget(self) -> None:
        """The connection is over."""
        self._waiting = b""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _flush(self) -> None:
        data, self._waiting = self._waiting, b""
        if data and not self._transport.is_closing():
            self._transport.write(data)
