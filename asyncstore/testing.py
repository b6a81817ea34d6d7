"""Stores for tests: reads that fail as planned, and log files that are full after a few writes.

What is here has no place in a configuration: a user must not switch it on by accident.
"""

from __future__ import annotations

import os

from asyncstore.config import Config, ConfigSource
from asyncstore.store import OpenStore

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
