"""An application on a socket, until a signal ends it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import anyio
import uvicorn
from starlette.types import ASGIApp

from asyncstore.config import ServiceConfig
from asyncstore.server.protocol import bounded_protocol


class Listener:
    """uvicorn, with signals that leave the time to close the store behind it."""

    def __init__(
        self, app: ASGIApp, host: str, port: int, service: ServiceConfig | None = None
    ) -> None:
        """Nothing listens yet; ``service`` has the bounds of connections."""
        service = service or ServiceConfig()
        config = uvicorn.Config(
            app,
            host=host,
            port=port,
            http=bounded_protocol(service.body_timeout_s, service.max_connections),
            ws="none",
            lifespan="off",
            log_level="warning",
            access_log=False,
            proxy_headers=False,
        )
        self._server = _Server(config)

    async def serve_until_signal(self) -> None:
        """Listens until SIGINT or SIGTERM; requests under way are answered, unless a second comes.

        Raises:
            OSError: The address is in use, or not this machine's.
        """
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._end_by_signal)
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
