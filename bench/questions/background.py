"""What searches and writes wait while the optimizer seals, links and merges behind them.

A store is filled; then one search after the other and, beside them, a write of ten points every 20
ms: with nothing else going on, while `optimize()` makes one segment of everything, and with nothing
else again. Before and during, searches scan all codes; afterwards they walk the graph. On a machine
with few cores the optimizer takes its share of them, at a low priority.

Both are done with every write synced, and without: a sync waits for the device, which is busy with
what the optimizer has written (and with whatever other machines do with it); what a write waits for
the engine itself is seen without.
"""

import asyncio
import time

import numpy as np

import asyncstore
from asyncstore import models as m
from bench import report
from bench.dataset import Floats, grow
from bench.question import Setting, opened, percentile, rabitq

LIMIT = 10
POINTS_A_WRITE = 10
WRITE_EVERY_S = 0.02
BLOCK_ROWS = 50_000
QUIET_S = 20.0


def answer(setting: Setting) -> list[report.Row]:
    vectors = grow(setting.data.vectors, setting.rows, seed=1)
    return [
        row
        for durability in ("fsync", "none")
        for row in asyncio.run(_answer(setting, vectors, durability))
    ]


async def _answer(setting: Setting, vectors: Floats, durability: str) -> list[report.Row]:
    folder = setting.folder / f"background-{durability}"
    async with opened(folder, durability=durability) as store:
        rows = await store.create_collection(
            "rows",
            vectors=m.VectorParams(size=vectors.shape[1], distance=m.Distance.COSINE),
            quantization_config=rabitq(4),
        )
        for begin in range(0, len(vectors), BLOCK_ROWS):
            block = vectors[begin : begin + BLOCK_ROWS]
            await rows.upsert_arrays(np.arange(begin, begin + len(block)), block)
        quiet = asyncio.create_task(asyncio.sleep(QUIET_S))
        before = await _both(rows, setting.data.queries, vectors, quiet)
        begin_s = time.perf_counter()
        optimizing = asyncio.create_task(rows.optimize())
        during = await _both(rows, setting.data.queries, vectors, optimizing)
        took_s = time.perf_counter() - begin_s
        quiet = asyncio.create_task(asyncio.sleep(QUIET_S))
        after = await _both(rows, setting.data.queries, vectors, quiet)
    return [
        {"durability": durability, "behind": behind, "seconds": seconds, **latencies}
        for behind, seconds, latencies in (
            ("nothing, before", QUIET_S, before),
            ("optimize()", took_s, during),
            ("nothing, after", QUIET_S, after),
        )
    ]


async def _both(
    rows: asyncstore.Collection, queries: Floats, vectors: Floats, until: asyncio.Task[None]
) -> report.Row:
    searches, writes = await asyncio.gather(
        _search(rows, queries, until), _write(rows, vectors, until)
    )
    await until
    return {**_latencies("search", searches), **_latencies("write", writes)}


async def _search(
    rows: asyncstore.Collection, queries: Floats, until: asyncio.Task[None]
) -> list[float]:
    late: list[float] = []
    while not until.done():
        begin = time.perf_counter()
        await rows.search(queries[len(late) % len(queries)], limit=LIMIT)
        late.append(time.perf_counter() - begin)
    return late


async def _write(
    rows: asyncstore.Collection, vectors: Floats, until: asyncio.Task[None]
) -> list[float]:
    """Overwrites points all over the store."""
    random = np.random.default_rng(1)
    late: list[float] = []
    while not until.done():
        ids = random.choice(len(vectors), POINTS_A_WRITE, replace=False)
        begin = time.perf_counter()
        await rows.upsert_arrays(ids, vectors[ids])
        late.append(time.perf_counter() - begin)
        await asyncio.sleep(WRITE_EVERY_S)
    return late


def _latencies(what: str, seconds: list[float]) -> report.Row:
    return {
        f"{what}es" if what == "search" else f"{what}s": len(seconds),
        **{f"{what}_p{p}_ms": percentile(seconds, p) * 1e3 for p in (50, 99, 99.9)},
        f"{what}_max_ms": max(seconds) * 1e3,
    }
