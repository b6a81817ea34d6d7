"""``serve``: a store over HTTP."""

from __future__ import annotations

import importlib.util
import logging
from pathlib import Path

from asyncstore import Config, open_store
from asyncstore.cli.output import Output
from asyncstore.errors import InvalidArgumentError, UnsupportedError
from asyncstore.loopback import is_loopback

_NEEDED = ("starlette", "uvicorn", "orjson", "python_multipart")


async def serve(
    store: Path | None,
    config: Path | None,
    host: str | None,
    port: int | None,
    output: Output,
) -> int:
    """Answers requests until it is told to stop; those under way are answered first.

    The configuration has the folder, the host and the port where they are None.

    Raises:
        UnsupportedError: A library of the ``server`` extra is missing.
        InvalidArgumentError: ``log_level`` is no level; others could reach the server, and no key
            keeps them out; or a file of ``tls`` is not what it should be.
        AsyncStoreError: The store cannot be opened.
    """
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise UnsupportedError(
            f"a server needs {', '.join(missing)}: pip install 'asyncstore[server]'"
        )
    settings = Config.load(config)
    _log(settings.log_level)
    folder = settings.storage.storage_path if store is None else store
    host = settings.service.host if host is None else host
    port = settings.service.http_port if port is None else port
    if not is_loopback(host) and not settings.service.api_key:
        raise InvalidArgumentError(
            f"host: value {host!r} invalid, must be 127.0.0.1, ::1 or localhost unless "
            "service.api_key is set: everybody could write"
        )
    from asyncstore.server import create_app, tls
    from asyncstore.server.listener import Listener

    context = tls.context_of(settings)
    async with open_store(folder, config=settings) as opened:
        listener = Listener(create_app(opened), host, port, settings, context)
        scheme = "http" if context is None else "https"
        output.console.print(f"{scheme}://{host}:{port} serves {folder}; Ctrl-C ends it")
        await listener.serve_until_signal()
    return 0


def _log(level: str) -> None:
    """Lets what is logged, from a level on, appear on standard error."""
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        raise InvalidArgumentError(
            f"log_level: value {level!r} invalid, must be DEBUG, INFO, WARNING, ERROR or CRITICAL"
        )
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("asyncstore").setLevel(number)
