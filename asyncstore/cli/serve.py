"""``serve``: a store over HTTP."""

from __future__ import annotations

import importlib.util
import os
import ssl
import time
from pathlib import Path

from asyncstore import Config, open_store
from asyncstore.cli.output import Output
from asyncstore.errors import InvalidArgumentError, StoreClosedError, UnsupportedError
from asyncstore.loopback import is_loopback
from asyncstore.store import OpenStore
from asyncstore.version import __version__

_NEEDED = ("starlette", "uvicorn", "orjson", "python_multipart")


async def serve(
    store: Path | None,
    config: Path | None,
    host: str | None,
    port: int | None,
    output: Output,
) -> int:
    """Answers requests until it is told to stop; those under way are answered first.

    It listens at once, and says how far it is while the store is being opened. The configuration
    has the folder, the host and the port where they are None.

    Raises:
        UnsupportedError: A library of the ``server`` extra is missing.
        InvalidArgumentError: Others could reach the server, and no key keeps them out; or a file of
            ``tls`` is not what it should be.
        OSError: The address is in use, or not this machine's.
        AsyncStoreError: The store cannot be opened.
    """
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise UnsupportedError(
            f"a server needs {', '.join(missing)}: pip install 'asyncstore[server]'"
        )
    settings = Config.load(config)
    folder = settings.storage.storage_path if store is None else store
    host = settings.service.host if host is None else host
    port = settings.service.http_port if port is None else port
    if not is_loopback(host) and not settings.service.api_key:
        raise InvalidArgumentError(
            f"host: value {host!r} invalid, must be 127.0.0.1, ::1 or localhost unless "
            "service.api_key is set: everybody could write"
        )
    from asyncstore.server import log, tls

    log.configure(settings.log_level, settings.log_format)
    context = tls.context_of(settings)
    opening = open_store(folder, config=settings)
    await serve_store(opening, settings, host, port, output, context)
    return 0


async def serve_store(
    opening: OpenStore,
    settings: Config,
    host: str,
    port: int,
    output: Output,
    context: ssl.SSLContext | None = None,
) -> None:
    """As :func:`serve`, of a store that is about to be opened; over HTTPS with a context."""
    from asyncstore.server import create_app, log
    from asyncstore.server.listener import Listener
    from asyncstore.server.recovery import Recovery

    begin = time.monotonic()
    recovery = Recovery(opening.progress)
    listener = Listener(recovery, host, port, settings, context)
    async with listener.listening(opening.stop):
        log.event(
            "start", version=__version__, pid=os.getpid(), host=host, port=port, store=opening.path
        )
        try:
            async with opening as opened:
                recovery.done(create_app(opened))
                log.event(
                    "ready",
                    seconds=round(time.monotonic() - begin, 3),
                    collections=len(await opened.list_collections()),
                    reader=opened.statistics().reader,
                    reason=opened.statistics().reader_reason,
                )
                scheme = "http" if context is None else "https"
                output.console.print(
                    f"{scheme}://{host}:{port} serves {opening.path}; Ctrl-C ends it"
                )
                await listener.ended()
        except StoreClosedError:
            if not listener.is_stopping:  # else the signal came before the store was open
                raise
    log.event("stop", seconds=round(time.monotonic() - begin, 3))
