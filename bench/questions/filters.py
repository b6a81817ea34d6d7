"""Filtered searches at four selectivities beside unfiltered ones, in turns; filters, counted."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import asyncstore
from asyncstore import models as m
from bench import report
from bench.dataset import Floats
from bench.question import Setting, opened, percentile, rabitq, recall, search_all

LIMIT = 10
INFLIGHT = 16
QUERIES = 500
PARTS = 1_000  # the points are parted at random; a filter takes the first so many parts
SHARES = {"none": PARTS, "50 %": 500, "10 %": 100, "1 %": 10, "0.1 %": 1}
BLOCK_ROWS = 50_000


def answer(setting: Setting) -> list[report.Row]:
    return asyncio.run(_measure(setting))


async def _measure(setting: Setting) -> list[report.Row]:
    vectors, queries = _rows(setting)
    parts = np.random.default_rng(3).integers(PARTS, size=len(vectors))
    async with opened(setting.folder / "filters", durability="none") as store:
        rows = await store.create_collection(
            "rows",
            vectors=m.VectorParams(size=vectors.shape[1], distance=m.Distance.COSINE),
            quantization_config=rabitq(4),
        )
        for begin in range(0, len(vectors), BLOCK_ROWS):
            end = min(begin + BLOCK_ROWS, len(vectors))
            payloads = [
                {"part": part, "title": f"point {part}"} for part in parts[begin:end].tolist()
            ]
            await rows.upsert_arrays(np.arange(begin, end), vectors[begin:end], payloads)
        await rows.optimize()
        made_s = await _make_index(rows)
        await rows.prewarm()
        return [
            {"index_points_s": len(vectors) / made_s, **row}
            async for row in _compare(rows, queries, vectors, parts, setting.rounds)
        ]


async def _make_index(rows: asyncstore.Collection) -> float:
    begin = time.perf_counter()
    await rows.create_payload_index("part", "integer")
    return time.perf_counter() - begin


async def _compare(
    rows: asyncstore.Collection,
    queries: Floats,
    vectors: Floats,
    parts: NDArray[np.int64],
    rounds: int,
) -> AsyncIterator[report.Row]:
    exact = {name: _nearest(vectors, queries, parts < share) for name, share in SHARES.items()}
    seconds: dict[str, list[float]] = {name: [] for name in SHARES}
    found: dict[str, list[list[int]]] = {}
    late: dict[str, list[float]] = {name: [] for name in SHARES}
    for _ in range(rounds):
        for name in SHARES:
            begin = time.perf_counter()
            found[name] = await search_all(
                rows, queries, INFLIGHT, late[name], limit=LIMIT, filter=_filter(name)
            )
            seconds[name].append(time.perf_counter() - begin)
    for name in SHARES:
        against = np.median(np.array(seconds["none"]) / np.array(seconds[name]))
        yield {
            "admitted": name,
            "rows": len(vectors),
            "recall": recall(found[name], exact[name], LIMIT),
            "qps": len(queries) / float(np.median(seconds[name])),
            "of_unfiltered": float(against),
            "p99_ms": percentile(late[name], 99) * 1e3,
            "count_ms": await _count_ms(rows, _filter(name)),
        }


def _filter(name: str) -> m.Filter | None:
    if name == "none":
        return None
    return m.Filter(must=m.FieldCondition(key="part", range=m.Range(lt=SHARES[name])))


async def _count_ms(rows: asyncstore.Collection, filter: m.Filter | None) -> float:
    """The least time of twenty counts: what compiling the filter takes, and a round trip."""
    times = []
    for _ in range(20):
        begin = time.perf_counter()
        await rows.count(filter=filter)
        times.append(time.perf_counter() - begin)
    return min(times) * 1e3


def _rows(setting: Setting) -> tuple[Floats, Floats]:
    """Rows and queries: of the corpus, or the real ones."""
    if setting.corpus is None:
        return setting.data.vectors, setting.data.queries[:QUERIES]
    return _mapped(setting.corpus / "rows.npy"), _mapped(setting.corpus / "queries.npy")[:QUERIES]


def _mapped(path: Path) -> Floats:
    rows: Floats = np.load(path, mmap_mode="r")
    return rows


def _nearest(vectors: Floats, queries: Floats, admitted: NDArray[np.bool_]) -> NDArray[np.int64]:
    """(queries, LIMIT) the nearest rows that are admitted, by cosine of unit vectors."""
    best = np.empty((len(queries), 0), np.float32)
    ids = np.empty((len(queries), 0), np.int64)
    for begin in range(0, len(vectors), BLOCK_ROWS):
        chosen = begin + np.flatnonzero(admitted[begin : begin + BLOCK_ROWS])
        scores = np.concatenate([best, queries @ vectors[chosen].T], axis=1)
        known = np.concatenate([ids, np.broadcast_to(chosen, (len(queries), len(chosen)))], axis=1)
        order = np.argsort(-scores, axis=1, kind="stable")[:, :LIMIT]
        best = np.take_along_axis(scores, order, axis=1)
        ids = np.take_along_axis(known, order, axis=1)
    return ids
