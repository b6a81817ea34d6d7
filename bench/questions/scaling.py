"""What a search costs when a store grows tenfold: --rows N measures N / 10 rows, then N.

The rows are generated (bench/compare/generator.py), kept as float16, and streamed: nothing but the
store is on disk. Everything is in memory when it is measured. `cpu_us` is the processor time of the
whole process for a search, Python included; `of_smaller` compares it with the smaller store's at
the same recall, between whose settings of `ef` it is interpolated.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

import numpy as np

import asyncstore
from asyncstore import models as m
from bench import report
from bench.compare.exact import Ints, nearest
from bench.compare.generator import Generator, Shape, unit
from bench.dataset import Floats
from bench.question import Setting, opened, percentile, rabitq, recall, search_all

LIMIT = 10
INFLIGHT = 16
QUERIES = 1_000
EFS = (48, 64, 96, 128, 192, 256, 384)
BITS = 4


@dataclass
class Truth:
    """The exact neighbours of the queries among the rows so far."""

    queries: Floats
    scores: Floats = field(init=False)
    ids: Ints = field(init=False)

    def __post_init__(self) -> None:
        self.scores = np.full((len(self.queries), LIMIT), -np.inf, np.float32)
        self.ids = np.full((len(self.queries), LIMIT), -1, np.int32)

    def add(self, rows: Floats, first: int) -> None:
        """Rows number `first` and on; at least LIMIT of them."""
        ids, scores = nearest(rows, self.queries, LIMIT)
        all_scores = np.concatenate([self.scores, scores], axis=1)
        all_ids = np.concatenate([self.ids, ids + first], axis=1)
        order = np.argsort(-all_scores, axis=1, kind="stable")[:, :LIMIT]
        self.scores = np.take_along_axis(all_scores, order, axis=1)
        self.ids = np.take_along_axis(all_ids, order, axis=1)


def answer(setting: Setting) -> list[report.Row]:
    rows = asyncio.run(_measure(setting))
    lines: dict[str, tuple[list[float], list[float]]] = {}
    for row in rows:
        recalls, times = lines.setdefault(f"{row['rows']:,} rows", ([], []))
        recalls.append(row["recall"])
        times.append(row["cpu_us"])
    report.lines(
        setting.results,
        "scaling",
        f"Processor time of a search, {BITS} bits, {LIMIT} results",
        (f"recall@{LIMIT}", "microseconds"),
        lines,
    )
    return rows


async def _measure(setting: Setting) -> list[report.Row]:
    base = unit(setting.data.vectors)
    shape = Shape(rows=setting.rows, dim=base.shape[1], queries=QUERIES)
    generator = Generator(base, shape)
    truth = Truth(np.concatenate(list(generator.queries())))
    parts = generator.rows()
    seen: list[report.Row] = []
    async with opened(setting.folder / "scaling", durability="none") as store:
        rows = await store.create_collection(
            "rows",
            vectors=m.VectorParams(
                size=shape.dim, distance=m.Distance.COSINE, datatype=m.Datatype.FLOAT16
            ),
            quantization_config=rabitq(BITS),
        )
        count = 0
        for size in (setting.rows // 10, setting.rows):
            begin = time.perf_counter()
            count = await _grow(rows, parts, truth, count, size)
            await rows.optimize()
            made = {"made_s": time.perf_counter() - begin}
            await rows.prewarm()
            seen += [{**row, **made} async for row in _searches(rows, truth, setting.rounds)]
            print(seen[-1], flush=True)
    _compare(seen)
    return seen


async def _grow(
    rows: asyncstore.Collection, parts: Iterator[Floats], truth: Truth, count: int, size: int
) -> int:
    """Writes whole parts until there are at least `size` rows."""
    while count < size:
        part = next(parts)
        truth.add(part, count)
        await rows.upsert_arrays(np.arange(count, count + len(part)), part)
        count += len(part)
    return count


async def _searches(
    rows: asyncstore.Collection, truth: Truth, rounds: int
) -> AsyncIterator[report.Row]:
    seen = rows.statistics()
    for ef in EFS:
        wanted = {"limit": LIMIT, "params": m.SearchParams(hnsw_ef=ef)}
        found = await search_all(rows, truth.queries, INFLIGHT, [], **wanted)
        seconds, cpu = [], []
        for _ in range(rounds):
            begin, begin_cpu = time.perf_counter(), time.process_time()
            await search_all(rows, truth.queries, INFLIGHT, [], **wanted)
            seconds.append(time.perf_counter() - begin)
            cpu.append(time.process_time() - begin_cpu)
        alone: list[float] = []
        await search_all(rows, truth.queries, 1, alone, **wanted)
        yield {
            "rows": seen.points,
            "segments": seen.segments,
            "ram_bytes_a_point": sum(seen.ram_bytes.values()) / seen.points,
            "ef": ef,
            "recall": recall(found, truth.ids, LIMIT),
            "qps": len(truth.queries) / float(np.median(seconds)),
            "cpu_us": float(np.median(cpu)) / len(truth.queries) * 1e6,
            "p50_ms": percentile(alone, 50) * 1e3,
            "p99_ms": percentile(alone, 99) * 1e3,
        }


def _compare(seen: list[report.Row]) -> None:
    """Adds of_smaller where the smaller store reaches the same recall."""
    fewest = min(row["rows"] for row in seen)
    small = sorted((row["recall"], row["cpu_us"]) for row in seen if row["rows"] == fewest)
    recalls, times = zip(*small, strict=True)
    for row in seen:
        if row["rows"] > fewest and recalls[0] <= row["recall"] <= recalls[-1]:
            row["of_smaller"] = row["cpu_us"] / float(np.interp(row["recall"], recalls, times))
