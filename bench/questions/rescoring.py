"""Rescoring from disk: latency, recall, reads and bytes per query for each way to read.

Cold means that the originals are out of the page cache (codes stay in memory). Every configuration
is measured in turns, round by round; the table shows medians over all queries of all rounds.
`over_mmap` is measured apart: the warm route against the map, query by query in turns, from two
copies of the store that are open at once; the median of the ratios.
"""

import asyncio
import shutil
import time
from contextlib import AsyncExitStack
from pathlib import Path

import numpy as np

from asyncstore import models as m
from bench import machine, report
from bench.question import Setting, opened, percentile, real_store, recall

QUERIES_PER_ROUND = 20
WAYS = [
    ("io_uring", "true", "false"),
    ("io_uring direct", "true", "true"),
    ("mmap", "false", "false"),
]


def answer(setting: Setting) -> list[report.Row]:
    return asyncio.run(_answer(setting))


async def _answer(setting: Setting) -> list[report.Row]:
    folder = await real_store(setting)
    originals = machine.store_files(folder, ".vectors")
    machine.warm_host(originals)
    rows: list[report.Row] = []
    with machine.steady_device(max(originals, key=lambda path: path.stat().st_size)) as device:
        for limit, oversampling in [(10, 1.0), (10, 2.0), (10, 4.0), (100, 2.4)]:
            measured = await _measure(setting, folder, originals, limit, oversampling)
            ratios = await _over_mmap(setting, folder, limit, oversampling)
            for row in measured:
                warm = row["cache"] == "warm"
                row["over_mmap"] = ratios.get(row["reader"]) if warm else None
            rows.extend(measured)
    for row in rows:
        row.update(device)
    report.bars(
        setting.results,
        "rescoring",
        "Search with rescoring from disk, p50",
        "milliseconds",
        {
            f"{row['limit']} × {row['oversampling']} {row['reader']} {row['cache']}": row["p50_ms"]
            for row in rows
        },
    )
    return rows


async def _measure(
    setting: Setting, folder: Path, originals: list[Path], limit: int, oversampling: float
) -> list[report.Row]:
    params = _params(oversampling)
    gathered: dict[tuple[str, str], dict[str, list]] = {}
    for turn in range(setting.rounds):
        first = turn * QUERIES_PER_ROUND % (len(setting.data.queries) - QUERIES_PER_ROUND)
        queries = setting.data.queries[first : first + QUERIES_PER_ROUND]
        exact = setting.data.neighbors[first : first + QUERIES_PER_ROUND]
        for name, reader, direct in WAYS:
            async with opened(folder, reader=reader, direct_io=direct) as store:
                collection = await store.get_collection("rows")
                for cache in ["cold", "warm"]:
                    if cache == "cold":
                        machine.drop_cache(originals)
                    seen = gathered.setdefault(
                        (name, cache),
                        {"ms": [], "found": [], "exact": [], "reads": [], "bytes": []},
                    )
                    before = store.statistics()
                    for query in queries:
                        begin = time.perf_counter()
                        hits = await collection.search(query, limit=limit, params=params)
                        seen["ms"].append((time.perf_counter() - begin) * 1e3)
                        seen["found"].append([hit.id for hit in hits])
                    after = store.statistics()
                    seen["exact"].extend(exact)
                    seen["reads"].append(
                        (after.reads_submitted - before.reads_submitted) / len(queries)
                    )
                    seen["bytes"].append((after.read_bytes - before.read_bytes) / len(queries))
    return [
        {
            "limit": limit,
            "oversampling": oversampling,
            "reader": name,
            "cache": cache,
            "recall": recall(seen["found"], np.array(seen["exact"]), limit),
            "p50_ms": percentile(seen["ms"], 50),
            "p99_ms": percentile(seen["ms"], 99),
            "reads_per_query": float(np.mean(seen["reads"])),
            "kib_per_query": float(np.mean(seen["bytes"])) / 1024,
        }
        for (name, cache), seen in gathered.items()
    ]


async def _over_mmap(
    setting: Setting, folder: Path, limit: int, oversampling: float
) -> dict[str, float]:
    """For each reader but the map: its warm latency over the map's, in turns."""
    params = _params(oversampling)
    queries = setting.data.queries[:QUERIES_PER_ROUND]
    ratios: dict[str, float] = {}
    for name, reader, direct in WAYS:
        if direct == "true" or reader == "false":
            continue  # O_DIRECT knows no warm cache
        async with AsyncExitStack() as stack:
            collections = []
            for place, way in enumerate([reader, "false"]):
                copy = folder.with_name(f"{folder.name}-{place}")
                if not copy.exists():
                    shutil.copytree(folder, copy)
                store = await stack.enter_async_context(opened(copy, reader=way))
                collections.append(await store.get_collection("rows"))
                await collections[-1].prewarm()
            seen: list[float] = []
            for turn in range(setting.rounds * QUERIES_PER_ROUND):
                query = queries[turn % len(queries)]
                took_s = [0.0, 0.0]
                for at in [turn % 2, 1 - turn % 2]:
                    begin = time.perf_counter()
                    await collections[at].search(query, limit=limit, params=params)
                    took_s[at] = time.perf_counter() - begin
                seen.append(took_s[0] / took_s[1])
        ratios[name] = float(np.median(seen))
    return ratios


def _params(oversampling: float) -> m.SearchParams:
    return m.SearchParams(
        quantization=m.QuantizationSearchParams(rescore=True, oversampling=oversampling)
    )
