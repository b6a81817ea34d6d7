"""An application on a socket, until a signal ends it."""

from __future__ import annotations

import signal
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import anyio
import uvicorn
from starlette.types import ASGIApp

from asyncstore.config import Config
from asyncstore.server import tls
from asyncstore.server.protocol import bounded_protocol


class Listener:
    """uvicorn, with signals that leave the time to close the store behind it."""

    def __init__(
        self,
        app: ASGIApp,
        host: str,
        port: int,
        config: Config | None = None,
        context: ssl.SSLContext | None = None,
    ) -> None:
        """Nothing listens yet; ``config`` bounds connections, with ``context`` they are HTTPS."""
        config = config or Config()
        self._tls, self._context = config.tls, context
        settings = uvicorn.Config(
            app,
            host=host,
            port=port,
            http=bounded_protocol(config.service.body_timeout_s, config.service.max_connections),
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="warning",
            access_log=False,
            proxy_headers=False,
        )
        settings.load()
        settings.ssl = context  # uvicorn would make one itself, and say less of what is wrong
        self._server = _Server(settings)

    @property
    def is_stopping(self) -> bool:
        """Whether a signal came, or :meth:`stop` was called."""
        return self._server.should_exit

    @asynccontextmanager
    async def listening(self, on_signal: Callable[[], object]) -> AsyncIterator[None]:
        """Listens from here to the end of the block, which waits for :meth:`ended` if it likes.

        Args:
            on_signal: Called when SIGINT or SIGTERM comes. From then on no connection is taken;
                requests under way are answered, unless another signal comes.

        Raises:
            OSError: The address is in use, or not this machine's.
        """
        failure: Exception | None = None
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._end_by_signal, on_signal)
            tasks.start_soon(self._serve)
            if self._context is not None:
                tasks.start_soon(tls.renew, self._context, self._tls)
            try:
                await self._server.begun.wait()
                if not self._server.started:  # uvicorn has said why
                    raise OSError("the server could not start, see above")
                yield
            except Exception as error:  # to be raised as it is, not inside an ExceptionGroup
                failure = error
            self.stop()
            await self._server.ended.wait()
            tasks.cancel_scope.cancel()
        if failure is not None:
            raise failure

    async def serve_until_signal(self) -> None:
        """Listens until SIGINT or SIGTERM; requests under way are answered, unless a second comes.

        Raises:
            OSError: The address is in use, or not this machine's.
        """
        async with self.listening(lambda: None):
            await self.ended()

    async def ended(self) -> None:
        """Waits until nothing is listened to any more and all requests are answered."""
        await self._server.ended.wait()

    def stop(self) -> None:
        """As the first signal does."""
        self._server.should_exit = True

    async def _serve(self) -> None:
        await self._server.serve()

    async def _end_by_signal(self, on_signal: Callable[[], object]) -> None:
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async for _ in signals:
                self._server.force_exit = self._server.should_exit
                self._server.should_exit = True
                on_signal()


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.begun = anyio.Event()  # to listen, or failed to
        self.ended = anyio.Event()

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Sets both events, however it goes."""
        try:
            await super().serve(sockets)
        except SystemExit:  # it cannot listen
            self.started = False
        finally:
            self.begun.set()
            self.ended.set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Tells that it listens."""
        await super().startup(sockets)
        self.begun.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Uvicorn would raise them again at the end, and the store would not be closed."""
        yield
