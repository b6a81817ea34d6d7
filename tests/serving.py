"""Servers over a socket: ``asyncstore serve`` as a process, and a listener in this one."""

import os
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio

import asyncstore
from asyncstore.server import create_app, tls
from asyncstore.server.listener import Listener
from awaiting import await_ready


@dataclass(frozen=True)
class Running:
    """A process that answers."""

    process: subprocess.Popen
    url: str


def serve(
    folder: Path, *options: str, environment: dict[str, str] | None = None
) -> subprocess.Popen:
    """Starts one; whether it comes up is to be seen."""
    command = [sys.executable, "-m", "asyncstore", "serve", "--store", str(folder), *options]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | (environment or {}),
    )


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextmanager
def running_server(
    folder: Path,
    *options: str,
    trust: ssl.SSLContext | None = None,
    environment: dict[str, str] | None = None,
) -> Iterator[Running]:
    """A server of the store in a folder, killed at the end; ``trust`` is for HTTPS."""
    port = free_port()
    process = serve(folder, "--port", str(port), *options, environment=environment)
    url = f"{'http' if trust is None else 'https'}://127.0.0.1:{port}"
    try:
        await_ready(process, url, trust)
        yield Running(process, url)
    finally:
        process.kill()
        process.communicate()


@asynccontextmanager
async def listening(
    folder: Path,
    fill: Callable[[asyncstore.Store], Awaitable[None]] | None = None,
    tls_files: dict[str, str] | None = None,
    **service: object,
) -> AsyncIterator[int]:
    """The port of a server in this process, of a store that ``fill`` has filled."""
    port = free_port()
    config = {"service": service | {"enable_tls": tls_files is not None}, "tls": tls_files or {}}
    async with asyncstore.open_store(folder / "store", config=config) as store:
        if fill is not None:
            await fill(store)
        context = tls.context_of(store.config)
        listener = Listener(create_app(store), "127.0.0.1", port, store.config, context)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve_until_signal)
            while True:
                try:
                    stream = await anyio.connect_tcp("127.0.0.1", port)
                    break
                except OSError:
                    await anyio.lowlevel.checkpoint()
            await stream.aclose()
            yield port
            listener.stop()
