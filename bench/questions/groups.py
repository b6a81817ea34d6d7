"""Ten groups of three beside a plain search of thirty, in turns.

The points are chunks of documents, ten near each other. They are grouped by document; and by
numbers that were drawn, so that the points of a group lie anywhere: the hardest there is.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

import numpy as np

import asyncstore
from asyncstore import models as m
from bench import report
from bench.dataset import Floats, grow
from bench.question import Setting, opened, rabitq

GROUPS = 10
GROUP_SIZE = 3
CHUNKS = 10
QUERIES = 200
BLOCK_ROWS = 50_000
FIELDS = {"document": CHUNKS, "drawn_10": 10, "drawn_100": 100, "drawn_1000": 1_000}


def answer(setting: Setting) -> list[report.Row]:
    return asyncio.run(_measure(setting))


async def _measure(setting: Setting) -> list[report.Row]:
    queries = setting.data.queries[:QUERIES].astype(np.float32)
    async with opened(setting.folder / "groups", durability="none") as store:
        rows = await store.create_collection(
            "rows",
            vectors=m.VectorParams(size=queries.shape[1], distance=m.Distance.COSINE),
            quantization_config=rabitq(4),
        )
        await _fill(rows, setting)
        await rows.optimize()
        for field in FIELDS:
            await rows.create_payload_index(field, "integer")
        await rows.prewarm()
        return await _compare(rows, queries, setting)


async def _fill(rows: asyncstore.Collection, setting: Setting) -> None:
    rng = np.random.default_rng(11)
    documents = grow(setting.data.vectors, -(-setting.rows // CHUNKS), seed=1)
    drawn = {
        field: rng.integers(setting.rows // size, size=setting.rows)
        for field, size in FIELDS.items()
        if field != "document"
    }
    for begin in range(0, setting.rows, BLOCK_ROWS):
        numbers = np.arange(begin, min(begin + BLOCK_ROWS, setting.rows))
        noise = rng.standard_normal((len(numbers), documents.shape[1]), dtype=np.float32) * 0.02
        vectors = documents[numbers // CHUNKS] + noise
        columns = [(numbers // CHUNKS).tolist(), *(of[numbers].tolist() for of in drawn.values())]
        payloads = [dict(zip(FIELDS, keys, strict=True)) for keys in zip(*columns, strict=True)]
        await rows.upsert_arrays(numbers, vectors, payloads)


async def _compare(
    rows: asyncstore.Collection, queries: Floats, setting: Setting
) -> list[report.Row]:
    def grouped(field: str) -> Callable[[Floats], Awaitable[object]]:
        return lambda query: rows.query_groups(
            query, group_by=field, limit=GROUPS, group_size=GROUP_SIZE
        )

    ways = {
        "none": lambda query: rows.search(query, limit=GROUPS * GROUP_SIZE),
        **{field: grouped(field) for field in FIELDS},
    }
    median_ms: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(setting.rounds):
        for name, find in ways.items():
            late = []
            for query in queries:
                begin = time.perf_counter()
                await find(query)
                late.append(time.perf_counter() - begin)
            median_ms[name].append(float(np.median(late)) * 1e3)
    plain = np.array(median_ms["none"])
    return [
        {
            "grouped_by": name,
            "rows": setting.rows,
            "median_ms": float(np.median(times)),
            "of_plain": float(np.median(np.array(times) / plain)),
        }
        for name, times in median_ms.items()
    ]
