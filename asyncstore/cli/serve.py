"""``serve``: a store over HTTP."""

from __future__ import annotations

import importlib.util
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
        InvalidArgumentError: Others could reach the server, and no key keeps them out.
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
    from asyncstore.server import create_app
    from asyncstore.server.listener import Listener

    async with open_store(folder, config=settings) as opened:
        listener = Listener(create_app(opened), host, port, settings.service)
        output.console.print(f"http://{host}:{port} serves {folder}; Ctrl-C ends it")
        await listener.serve_until_signal()
    return 0
