"""What goes out to clients that may not read it.

What a socket does not take waits in memory, and nothing ends that wait: neither uvicorn, whose
replies stand still until there is room again, nor a close from this side, which comes after them.
"""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

# What of a reply waits in a connection's buffers. Nearly as much a client must take within the time
# that it has: one that takes a byte now and then could hold a reply for ever.
SLICE_BYTES = 256 << 10


class Slices:
    """Middleware that sends long bodies in slices: between two of them uvicorn waits for room."""

    def __init__(self, app: ASGIApp) -> None:
        """``app`` makes the replies."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes all on, long bodies slice by slice."""

        async def send_sliced(message: Message) -> None:
            body = message.get("body", b"")
            last = max(len(body) - 1, 0) // SLICE_BYTES * SLICE_BYTES  # where its slice begins
            for start in range(0, last, SLICE_BYTES):
                part = body[start : start + SLICE_BYTES]
                await send({**message, "body": part, "more_body": True})
            await send({**message, "body": body[last:]} if last else message)

        await self._app(scope, receive, send_sliced)


class EndingTransport:
    """A transport that does not outlast its close by more than some seconds.

    All but writing and closing is the transport's own.
    """

    def __init__(
        self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, seconds: float
    ) -> None:
        self._transport = transport
        self._loop = loop
        self._seconds = seconds
        self._timer: asyncio.TimerHandle | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """As the transport does, unless it is closed.

        Of several requests that came at once uvicorn tells only the last that the client is gone:
        what the others still write is dropped.
        """
        if not self._transport.is_closing():
            self._transport.write(data)

    def close(self) -> None:
        """As the transport does; what is not taken in time then is dropped."""
        self._transport.close()
        if self._timer is None:
            self._timer = self._loop.call_later(self._seconds, self._transport.abort)

    def forget(self) -> None:
        """The connection is over."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
