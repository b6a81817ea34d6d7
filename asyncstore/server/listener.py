"""An application on a socket, until a signal ends it."""

from __future__ import annotations

import signal
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

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
            log_level="warning",
            access_log=False,
            proxy_headers=False,
        )
        settings.load()
        settings.ssl = context  # uvicorn would make one itself, and say less of what is wrong
        self._server = _Server(settings)

    async def serve_until_signal(self) -> None:
        """Listens until SIGINT or SIGTERM; requests under way are answered, unless a second comes.

        Raises:
            OSError: The address is in use, or not this machine's.
        """
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._end_by_signal)
            if self._context is not None:
                tasks.start_soon(tls.renew, self._context, self._tls)
            try:
                await self._server.serve()
            except SystemExit as error:  # uvicorn has said why
                raise OSError("the server could not start, see above") from error
            tasks.cancel_scope.cancel()

    def stop(self) -> None:
        """As the first signal does."""
        self._server.should_exit = True

    async def _end_by_signal(self) -> None:
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async for _ in signals:
                self._server.force_exit = self._server.should_exit
                self._server.should_exit = True


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Uvicorn would raise them again at the end, and the store would not be closed."""
        yield
