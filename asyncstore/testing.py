"""For tests: Qdrant's client without a server, and stores whose reads fail as planned.

What is here has no place in a configuration: a user must not switch it on by accident.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from asyncstore.config import Config, ConfigSource
from asyncstore.errors import UnsupportedError
from asyncstore.store import OpenStore, Store

if TYPE_CHECKING:
    from qdrant_client import AsyncQdrantClient

_WAL_CAPACITY_BYTES = 32 << 20


def open_test_store(
    path: str | os.PathLike[str],
    *,
    config: ConfigSource = None,
    fault: str = "",
    wal_capacity_bytes: int = _WAL_CAPACITY_BYTES,
) -> OpenStore:
    """Opens a store as ``asyncstore.open_store`` does, with what only tests want.

    Args:
        path: The folder.
        config: As in ``open_store``.
        fault: What happens to reads of originals, as ``NAME@NUMBER`` and commas between. Of each
            worker the read with this number, counted from 0, meets ``io_error`` (EIO),
            ``end_of_file`` (the file seems to end before it) or ``delay`` (it lands later than the
            reads after it); ``reorder@SEED`` shuffles the order in which reads land.
        wal_capacity_bytes: The size of a log file; a record that is larger gets a file of its own.

    Raises:
        InvalidArgumentError: The plan of faults does not parse; and as ``open_store`` does.
    """
    options = {"fault": fault, "wal_capacity_bytes": wal_capacity_bytes}
    return OpenStore(os.fspath(path), Config.load(config), options)


@asynccontextmanager
async def client(store: Store) -> AsyncIterator[AsyncQdrantClient]:
    """The official ``AsyncQdrantClient`` of a store, with no server and no socket in between.

    What it sends goes through the whole HTTP interface, within this task: code that is written for
    a server can be tested without one. Where the store's configuration has an ``api_key``, the
    client uses it. The client is closed at the end of the block, the store is not.

    Raises:
        UnsupportedError: The package qdrant-client, or one that the server needs, is missing.

    Example:
        >>> import tempfile, anyio, asyncstore, asyncstore.testing
        >>> from qdrant_client import models as qm
        >>> async def main(folder):
        ...     async with asyncstore.open_store(folder) as store:
        ...         async with asyncstore.testing.client(store) as client:
        ...             await client.create_collection(
        ...                 "docs", qm.VectorParams(size=2, distance=qm.Distance.DOT))
        ...             await client.upsert("docs", [qm.PointStruct(id=7, vector=[0.5, 1.0])])
        ...             return (await client.query_points("docs", [1.0, 1.0])).points[0].score
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     anyio.run(main, folder)
        1.5
    """
    try:
        import httpx
        import qdrant_client

        from asyncstore.server import create_app
    except ImportError as error:
        raise UnsupportedError(
            f"a client needs {error.name}: pip install 'asyncstore[server]' qdrant-client"
        ) from error
    # The check of versions would open a socket of its own. The client warns of keys without TLS, of
    # which there is nothing here to encrypt.
    made = qdrant_client.AsyncQdrantClient(
        url="https://store",
        api_key=store.config.service.api_key or None,
        transport=httpx.ASGITransport(app=create_app(store)),
        check_compatibility=False,
    )
    try:
        yield made
    finally:
        await made.close()
