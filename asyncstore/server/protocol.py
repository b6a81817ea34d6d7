"""HTTP/1.1 by uvicorn, with bounds on what a connection may take, and for how long."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from asyncstore.server import replies
from asyncstore.server.outflow import Outflow

_logger = logging.getLogger("asyncstore.server")

# Of path and headers together; uvicorn has no bound of its own.
HEADERS_BYTES_MAX = 64 << 10


class BoundedProtocol(HttpToolsProtocol):
    """One connection.

    Headers, and the beginning of a body, must come within some seconds, headers within some bytes,
    whatever the client sends in between; replies must be taken within as many seconds, slice by
    slice. Beyond a number of connections a new one is told so and closed. What is refused gets the
    envelope.
    """

    timeout_s = 60.0
    connections_max = 1024

    _outflow: Outflow
    _reader_timer: asyncio.TimerHandle | None = None
    _timer: asyncio.TimerHandle | None = None
    _headers_bytes = 0
    _in_headers = True

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Refuses a connection too many."""
        self._outflow = Outflow(transport, self.loop, self.timeout_s)
        super().connection_made(cast("asyncio.Transport", self._outflow))
        if len(self.connections) > self.connections_max:
            self._refuse(
                "503 Service Unavailable",
                f"Service unavailable: there are {self.connections_max} connections already",
                "retry-after: 1\r\n",
            )
        else:
            self._await_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Ends the wait for headers, and for the client to read."""
        self._stop_waiting()
        self._stop_waiting_for_reader()
        self._outflow.forget()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Counts what comes until headers are complete."""
        if self.transport.is_closing():
            return
        super().data_received(data)
        if not self._in_headers:
            return
        self._headers_bytes += len(data)
        if self._headers_bytes > HEADERS_BYTES_MAX:
            self._refuse(
                "431 Request Header Fields Too Large",
                f"Bad request: path and headers are larger than {HEADERS_BYTES_MAX} bytes",
            )

    def on_message_begin(self) -> None:
        """Another request on the same connection."""
        super().on_message_begin()
        self._await_headers()

    def on_headers_complete(self) -> None:
        """The application begins; a body has to begin in time, too."""
        self._in_headers = False
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """What follows is for the application, which has bounds of its own."""
        self._stop_waiting()
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is there."""
        self._stop_waiting()
        super().on_message_complete()

    def pause_writing(self) -> None:
        """There is no room for more of a reply."""
        super().pause_writing()
        self._stop_waiting_for_reader()
        self._reader_timer = self.loop.call_later(self.timeout_s, self._give_up_reader)

    def resume_writing(self) -> None:
        """The client has read."""
        super().resume_writing()
        self._stop_waiting_for_reader()

    def send_400_response(self, msg: str) -> None:
        """What came is not HTTP."""
        self._refuse("400 Bad Request", f"Bad request: {msg}")

    def _await_headers(self) -> None:
        self._stop_waiting()
        self._in_headers, self._headers_bytes = True, 0
        self._timer = self.loop.call_later(self.timeout_s, self._give_up)

    def _stop_waiting(self) -> None:
        self._in_headers = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        what = "no request has" if self._in_headers else "the body has not"
        self._refuse(
            "408 Request Timeout", f"Timeout: {what} come within {self.timeout_s:g} seconds"
        )

    def _stop_waiting_for_reader(self) -> None:
        if self._reader_timer is not None:
            self._reader_timer.cancel()
            self._reader_timer = None

    def _give_up_reader(self) -> None:
        _logger.warning(
            "client=%s: has not read its reply within %g seconds", self.client, self.timeout_s
        )
        self.transport.abort()

    def _refuse(self, status: str, text: str, header: str = "") -> None:
        """Answers without the application, and closes the connection."""
        _logger.warning("client=%s status=%s: %s", self.client, status.split()[0], text)
        self._stop_waiting()
        body = replies.failure(text, 0.0)
        head = (
            f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\n{header}connection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()


def bounded_protocol(timeout_s: float, connections_max: int) -> type[BoundedProtocol]:
    """A class of connections with these bounds, as uvicorn makes them itself."""
    bounds: dict[str, Any] = {
        "timeout_s": timeout_s,
        "connections_max": connections_max,
    }
    return type("Connection", (BoundedProtocol,), bounds)
