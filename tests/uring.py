"""Whether io_uring works here."""

import tempfile

import anyio

import asyncstore


def refusal() -> str | None:
    """Why it does not; None where it does."""
    reader, reason = anyio.run(_probe)
    return None if reader == "io_uring" else reason


async def _probe() -> tuple[str, str]:
    with tempfile.TemporaryDirectory() as folder:
        async with asyncstore.open_store(folder) as store:
            statistics = store.statistics()
            return statistics.reader, statistics.reader_reason
