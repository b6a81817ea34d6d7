"""What one await costs beyond the search itself, alone and with 64 in flight.

The search is over one point, so that its own cost is a microsecond or two; what is left is the way
there and back: submit, queue, worker, completion, event loop.
"""

import asyncio
import time

import numpy as np

import asyncstore
from asyncstore import models as m
from bench import report
from bench.dataset import Floats
from bench.question import Setting, opened

CALLS = 4000


def answer(setting: Setting) -> list[report.Row]:
    return asyncio.run(_answer(setting))


async def _answer(setting: Setting) -> list[report.Row]:
    rows: list[report.Row] = []
    async with opened(setting.folder / "hop") as store:
        tiny = await store.create_collection(
            "tiny", vectors=m.VectorParams(size=4, distance=m.Distance.DOT)
        )
        await tiny.upsert_arrays(np.array([1], dtype=np.uint64), np.ones((1, 4), dtype=np.float32))
        query = np.ones(4, dtype=np.float32)
        for in_flight in [1, 64]:
            costs = []
            for _ in range(setting.rounds):
                begin = time.perf_counter()
                await asyncio.gather(
                    *(_calls(tiny, query, CALLS // in_flight) for _ in range(in_flight))
                )
                costs.append((time.perf_counter() - begin) / CALLS * 1e6)
            rows.append(
                {
                    "in_flight": in_flight,
                    "us_per_await_median": float(np.median(costs)),
                    "us_per_await_min": min(costs),
                }
            )
    report.bars(
        setting.results,
        "bridge_hop",
        "One await, end to end",
        "microseconds",
        {f"{row['in_flight']} in flight": row["us_per_await_median"] for row in rows},
    )
    return rows


async def _calls(collection: asyncstore.Collection, query: Floats, count: int) -> None:
    for _ in range(count):
        await collection.search(query, limit=1)
