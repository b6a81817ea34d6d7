"""Replies about files: what is downloaded, and what is accepted to be done behind the reply."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
from starlette.background import BackgroundTask
from starlette.responses import FileResponse, Response
from starlette.types import Message, Receive, Scope, Send

from asyncstore.server import replies
from asyncstore.server.endpoint import Reply

MEDIA_TYPE = "application/octet-stream"
# Of several ranges at once.
RANGES_MEDIA_TYPE = "multipart/byteranges"


class Download(FileResponse):
    """A file, or the ranges of it that are asked for; what is refused gets the envelope.

    It is held open from the first byte to the last, so that one that is deleted meanwhile is sent
    whole.
    """

    def __init__(self, path: Path, name: str) -> None:
        """``name``: what the file is called where it is kept."""
        super().__init__(path, media_type=MEDIA_TYPE, filename=name)
        self._name = name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends it."""
        try:
            file = await anyio.open_file(self.path, "rb")
        except FileNotFoundError:  # deleted since it was looked up
            text = replies.failure(f"Not found: Snapshot `{self._name}` doesn't exist!", 0.0)
            await Reply(404, text)(scope, receive, send)
            return
        async with file:
            self.path = f"/dev/fd/{file.wrapped.fileno()}"
            await self._send(scope, receive, send)

    async def _send(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal: Message | None = None

        async def send_unless_refused(message: Message) -> None:
            nonlocal refusal
            if message["type"] == "http.response.start" and message["status"] >= 400:
                refusal = message
            elif refusal is None:
                await send(message)
            else:
                reply = _enveloped(refusal, message["body"].decode())
                await reply(scope, receive, send)

        await super().__call__(scope, receive, send_unless_refused)


class Accepted(Response):
    """A reply to what is done behind it."""

    def __init__(self, work: Callable[[], Awaitable[None]] | None = None) -> None:
        """``work``: What is still to be done."""
        super().__init__(
            replies.accepted(),
            202,
            media_type="application/json",
            background=None if work is None else BackgroundTask(work),
        )


def _enveloped(refusal: Message, detail: str) -> Reply:
    """Of ranges that are none, or none of the file."""
    text = replies.failure(f"Bad request: {detail or 'the file has no such range'}", 0.0)
    ranges = tuple(one for one in refusal["headers"] if one[0] == b"content-range")
    return Reply(refusal["status"], text, ranges)
