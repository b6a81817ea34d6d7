"""Searches that the disk holds up: how much of its rate they use, and what they wait for it.

Codes of one bit, of rows that are read past the page cache: each search reads some tens. Beside it
fio reads the same file in turns, as many bytes at a time and as many at once as the searches have
on their way. `of_device` is the share of fio's rate. `waits` is how long a search takes beyond its
processor time, in times that one of fio's reads takes: its reads go out at once, so 1 is the least.
"""

import asyncio
import time

import numpy as np

import asyncstore
from asyncstore import models as m
from bench import machine, report
from bench.dataset import Floats, grow
from bench.question import Setting, fill, opened, percentile, rabitq, search_all

LIMIT = 10
INFLIGHT = (1, 4, 16, 64)
QUERIES = 2_000


def answer(setting: Setting) -> list[report.Row]:
    return asyncio.run(_answer(setting))


async def _answer(setting: Setting) -> list[report.Row]:
    if setting.corpus is None:
        vectors = grow(setting.data.vectors, setting.rows, seed=1)
        queries = setting.data.queries
    else:
        vectors = np.load(setting.corpus / "rows.npy", mmap_mode="r")
        queries = np.load(setting.corpus / "queries.npy")
    folder = await fill(setting.folder / "disk bound", vectors, rabitq(1))
    originals = machine.store_files(folder, ".vectors")
    machine.warm_host(originals)
    largest = max(originals, key=lambda path: path.stat().st_size)
    async with opened(folder, direct_io="true") as store:
        rows = await store.get_collection("rows")
        await rows.prewarm()
        seen: dict[int, list[report.Row]] = {inflight: [] for inflight in INFLIGHT}
        for turn in range(setting.rounds):
            some = np.roll(queries, -turn * QUERIES, axis=0)[:QUERIES]
            for inflight in INFLIGHT:
                row = await _search(store, rows, some, inflight)
                device = await asyncio.to_thread(
                    machine.random_reads,
                    largest,
                    block=-(-int(row["bytes_a_read"]) // 4096) * 4096,
                    depth=min(inflight * round(row["reads"]), 1024),
                )
                if device is not None:
                    row["device_reads_s"] = device.rate
                    row["device_p50_ms"] = device.p50_ms
                    row["of_device"] = row["reads_s"] / device.rate
                    row["waits"] = (row["p50_ms"] - row["cpu_ms"]) / device.p50_ms
                seen[inflight].append(row)
    return [
        {"inflight": inflight, **{key: _median(key, turns) for key in turns[0]}}
        for inflight, turns in seen.items()
    ]


def _median(key: str, turns: list[report.Row]) -> float:
    return float(np.median([turn[key] for turn in turns if key in turn]))


async def _search(
    store: asyncstore.Store, rows: asyncstore.Collection, queries: Floats, inflight: int
) -> report.Row:
    before = store.statistics()
    late: list[float] = []
    params = m.SearchParams(hnsw_ef=128)
    begin, begin_cpu = time.perf_counter(), time.process_time()
    await search_all(rows, queries, inflight, late, limit=LIMIT, params=params)
    seconds = time.perf_counter() - begin
    cpu = time.process_time() - begin_cpu
    after = store.statistics()
    reads = after.reads_submitted - before.reads_submitted
    return {
        "qps": len(queries) / seconds,
        "p50_ms": percentile(late, 50) * 1e3,
        "p99_ms": percentile(late, 99) * 1e3,
        "cpu_ms": cpu / len(queries) * 1e3,
        "reads": reads / len(queries),
        "bytes_a_read": (after.read_bytes - before.read_bytes) / reads,
        "reads_s": reads / seconds,
    }
