"""How late a timer of 1 ms fires while 64 searches are under way."""

import asyncio
import time

import asyncstore
from bench import report
from bench.dataset import Floats
from bench.question import Setting, opened, percentile, real_store

IN_FLIGHT = 64
SECONDS = 5.0


def answer(setting: Setting) -> list[report.Row]:
    return asyncio.run(_answer(setting))


async def _answer(setting: Setting) -> list[report.Row]:
    folder = await real_store(setting)
    rows: list[report.Row] = []
    async with opened(folder) as store:
        collection = await store.get_collection("rows")
        for load in [0, IN_FLIGHT]:
            stop = asyncio.Event()
            searches = [
                asyncio.create_task(_search(collection, setting.data.queries, i, stop))
                for i in range(load)
            ]
            late = await _tick()
            stop.set()
            done = sum([await task for task in searches])
            rows.append(
                {
                    "searches_in_flight": load,
                    "lag_ms_p50": percentile(late, 50),
                    "lag_ms_p99": percentile(late, 99),
                    "lag_ms_max": max(late),
                    "searches_s": done / SECONDS,
                }
            )
    report.bars(
        setting.results,
        "loop_lag",
        "How late a 1 ms timer fires (p99)",
        "milliseconds",
        {f"{row['searches_in_flight']} searches": row["lag_ms_p99"] for row in rows},
    )
    return rows


async def _tick() -> list[float]:
    late = []
    end = time.perf_counter() + SECONDS
    while (begin := time.perf_counter()) < end:
        await asyncio.sleep(0.001)
        late.append((time.perf_counter() - begin - 0.001) * 1e3)
    return late


async def _search(
    collection: asyncstore.Collection, queries: Floats, first: int, stop: asyncio.Event
) -> int:
    done = 0
    while not stop.is_set():
        await collection.search(queries[(first + done) % len(queries)], limit=10)
        done += 1
    return done
