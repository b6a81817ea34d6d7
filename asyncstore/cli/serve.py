"""``serve``: a store over HTTP."""

from __future__ import annotations

import importlib.util
from ipaddress import ip_address
from pathlib import Path

from asyncstore import open_store
from asyncstore.cli.output import Output
from asyncstore.errors import InvalidArgumentError, UnsupportedError

_NEEDED = ("starlette", "uvicorn", "orjson")


async def serve(store: Path, config: Path | None, host: str, port: int, output: Output) -> int:
    """Answers requests until it is told to stop; those under way are answered first.

    Raises:
        UnsupportedError: A library of the ``server`` extra is missing.
        InvalidArgumentError: The host is not this machine's loopback.
        AsyncStoreError: The store cannot be opened.
    """
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise UnsupportedError(
            f"a server needs {', '.join(missing)}: pip install 'asyncstore[server]'"
        )
    if not _is_loopback(host):
        raise InvalidArgumentError(
            f"host: value {host!r} invalid, must be 127.0.0.1, ::1 or localhost: there are no API "
            "keys yet that would keep others out"
        )
    from asyncstore.server import create_app
    from asyncstore.server.listener import Listener

    async with open_store(store, config=config) as opened:
        listener = Listener(create_app(opened), host, port)
        output.console.print(f"http://{host}:{port} serves {store}; Ctrl-C ends it")
        await listener.serve_until_signal()
    return 0


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
