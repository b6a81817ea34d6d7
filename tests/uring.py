"""Whether io_uring works here, and what tests have read through it."""

import tempfile
from collections import Counter

import anyio

import asyncstore

# Of each reader that served tests of this process, or of another one that has ended, the reads.
reads_by_reader: Counter[str] = Counter()


def refusal() -> str | None:
    """Why it does not; None where it does."""
    reader, reason = anyio.run(_probe)
    return None if reader == "io_uring" else reason


async def _probe() -> tuple[str, str]:
    with tempfile.TemporaryDirectory() as folder:
        async with asyncstore.open_store(folder) as store:
            statistics = store.statistics()
            return statistics.reader, statistics.reader_reason
