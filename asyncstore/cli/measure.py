"""How long searches take and what they read: the same measurement for the demo and the bench.

Cold means: the store is closed, its files are synced, and the kernel is asked to drop them from its
page cache (posix_fadvise DONTNEED). A hypervisor or a disk may still have them; a real question
about a device is for ``bench/`` in the source. Warm means: prewarmed.
"""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from asyncstore.cli.output import Output, one_line
from asyncstore.collection import Collection
from asyncstore.errors import UnsupportedError
from asyncstore.models import SearchParams
from asyncstore.store import Store, open_store

LIMIT = 10
# Searches after a cache was dropped; more of them would find what earlier ones have read.
COLD_ROUND_SEARCHES = 25


class Measurement(msgspec.Struct, frozen=True, kw_only=True):
    """Searches through one reader in one state of the cache."""

    reader: str
    cache: str
    searches: int
    recall: float | None
    latency_ms_p50: float
    latency_ms_p99: float
    reads_per_search: float
    read_kib_per_search: float


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """What is measured.

    Attributes:
        path: The store's folder.
        collection: The collection's name.
        using: The vector's name.
        queries: (q, dim) float32.
        nearest: For each query the exact nearest ids, or None when they are not known.
        params: How to search.
    """

    path: Path
    collection: str
    using: str
    queries: NDArray[np.float32]
    nearest: list[set[int]] | None
    params: SearchParams


class _Tally:
    """Latencies and hits of the searches of one measurement."""

    def __init__(self) -> None:
        self.latencies_ms: list[float] = []
        self.found = 0
        self.reads = 0
        self.read_bytes = 0

    def measurement(self, reader: str, cache: str, has_answers: bool) -> Measurement:
        searches = len(self.latencies_ms)
        p50, p99 = np.percentile(self.latencies_ms, [50, 99])
        return Measurement(
            reader=reader,
            cache=cache,
            searches=searches,
            recall=self.found / (searches * LIMIT) if has_answers else None,
            latency_ms_p50=float(p50),
            latency_ms_p99=float(p99),
            reads_per_search=self.reads / searches,
            read_kib_per_search=self.read_bytes / searches / 1024,
        )


async def measured_both(subject: Subject, output: Output) -> tuple[list[Measurement], str | None]:
    """Measures both readers; the text says why io_uring was not measured, if it was not."""
    measurements: list[Measurement] = []
    error: str | None = None
    with output.console.status("Searching, cold and warm …"):
        try:
            measurements += await measured(subject, async_scorer=True)
        except UnsupportedError as unsupported:
            error = one_line(unsupported)
        measurements += await measured(subject, async_scorer=False)
    return measurements, error


async def measured(subject: Subject, async_scorer: bool) -> list[Measurement]:
    """Measures one reader, cold and warm.

    Raises:
        UnsupportedError: io_uring is asked for and does not work here.
    """
    cold, warm = _Tally(), _Tally()
    reader = ""
    for start in range(0, len(subject.queries), COLD_ROUND_SEARCHES):
        drop_cache(subject.path)
        async with _opened(subject.path, async_scorer) as store:
            reader = store.statistics().reader
            stop = min(start + COLD_ROUND_SEARCHES, len(subject.queries))
            await _search(store, subject, range(start, stop), cold)
    async with _opened(subject.path, async_scorer) as store:
        await (await store.get_collection(subject.collection)).prewarm()
        await _search(store, subject, range(len(subject.queries)), warm)
    has_answers = subject.nearest is not None
    return [
        cold.measurement(reader, "cold", has_answers),
        warm.measurement(reader, "warm", has_answers),
    ]


def drop_cache(path: Path) -> None:
    """Asks the kernel to drop the pages of all files below a folder; nothing may have them open."""
    for file in path.rglob("*"):
        if not file.is_file():
            continue
        descriptor = os.open(file, os.O_RDONLY)
        try:
            os.fsync(descriptor)  # only clean pages are dropped
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)


def measurements_table(measurements: list[Measurement], title: str) -> Table:
    """A table that needs no manual."""
    table = Table(title=title or None, title_justify="left")
    table.add_column("reader")
    table.add_column("page cache")
    for heading in ("recall@10", "median ms", "p99 ms", "reads", "KiB read"):
        table.add_column(heading, justify="right")
    for one in measurements:
        table.add_row(
            one.reader,
            one.cache,
            "–" if one.recall is None else f"{one.recall:.3f}",
            f"{one.latency_ms_p50:.2f}",
            f"{one.latency_ms_p99:.2f}",
            f"{one.reads_per_search:.1f}",
            f"{one.read_kib_per_search:.0f}",
        )
    return table


@asynccontextmanager
async def _opened(path: Path, async_scorer: bool) -> AsyncIterator[Store]:
    # Prewarming would bring in what is to be cold.
    config = {"storage": {"async_scorer": async_scorer, "performance": {"prewarm": False}}}
    async with open_store(path, config=config) as store:
        yield store


async def _search(store: Store, subject: Subject, numbers: range, tally: _Tally) -> None:
    collection: Collection = await store.get_collection(subject.collection)
    before = store.statistics()
    for number in numbers:
        query = subject.queries[number]
        began_s = time.perf_counter()
        hits = await collection.search(
            query, limit=LIMIT, using=subject.using, params=subject.params
        )
        tally.latencies_ms.append((time.perf_counter() - began_s) * 1000)
        if subject.nearest is not None:
            tally.found += len(subject.nearest[number] & {hit.id for hit in hits})
    after = store.statistics()
    tally.reads += after.reads_submitted - before.reads_submitted
    tally.read_bytes += after.read_bytes - before.read_bytes
