"""Payload indexes: making them, compiling filters with them, and what they add to an opening.

The filters of a kind admit ever fewer points, and none is asked twice; `filter_ms` is the least
time of a count, which compiles the filter and makes a round trip. An opening is a process of its
own, with warm files.
"""

import asyncio
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

import asyncstore
from asyncstore import models as m
from bench import report
from bench.question import Setting, opened

BLOCK_ROWS = 50_000
SHARES = (0.9, 0.5, 0.1, 0.01, 0.001)
WORDS = 1_000
COUNTS = 20
BEGIN = datetime(2020, 1, 1, tzinfo=UTC)
SPAN_DAYS = 2_000

CHILD = """
import asyncio, sys, time
import asyncstore
async def main():
    config = {"storage": {"performance": {"prewarm": False}}}
    begin = time.perf_counter()
    async with asyncstore.open_store(sys.argv[1], config=config):
        print(time.perf_counter() - begin)
asyncio.run(main())
"""


@dataclass(frozen=True)
class Kind:
    """One kind of index, on a field of its name."""

    name: str

    def condition(self, share: float, number: int) -> m.FieldCondition:
        """What about this share of the points meets; another one for each number."""
        if self.name == "keyword":
            some = range(number, number + max(1, round(share * WORDS)))
            words = [f"word {word % WORDS}" for word in some]
            return m.FieldCondition(key=self.name, match=m.MatchAny(any=words))
        if self.name == "geo":
            box = m.GeoBoundingBox(
                top_left=m.GeoPoint(lon=-180 + number, lat=90),
                bottom_right=m.GeoPoint(lon=-180 + number + 360 * share, lat=-90),
            )
            return m.FieldCondition(key=self.name, geo_bounding_box=box)
        if self.name == "datetime":
            begin = BEGIN + timedelta(hours=number)
            end = begin + timedelta(days=share * SPAN_DAYS)
            return m.FieldCondition(key=self.name, range=m.DatetimeRange(gte=begin, lt=end))
        bounds = m.Range(gte=number, lt=share * 1_000_000 + number)
        return m.FieldCondition(key=self.name, range=bounds)


KINDS = [Kind(name) for name in ("keyword", "integer", "float", "datetime", "geo")]


def answer(setting: Setting) -> list[report.Row]:
    return asyncio.run(_measure(setting))


async def _measure(setting: Setting) -> list[report.Row]:
    folder = setting.folder / "payload_indexes"
    rng = np.random.default_rng(5)
    async with opened(folder, durability="none") as store:
        points = await store.create_collection(
            "points", vectors=m.VectorParams(size=2, distance=m.Distance.DOT)
        )
        for begin in range(0, setting.rows, BLOCK_ROWS):
            count = min(BLOCK_ROWS, setting.rows - begin)
            vectors = np.zeros((count, 2), np.float32)
            await points.upsert_arrays(
                np.arange(begin, begin + count), vectors, _payloads(rng, count)
            )
        await points.optimize()
    bare_s = _opening_s(folder, setting.rounds)
    async with opened(folder) as store:
        points = await store.get_collection("points")
        made_s = {kind.name: await _make(points, kind) for kind in KINDS}
        await points.optimize()
        filter_ms = {kind.name: await _filter_ms(points, kind) for kind in KINDS}
    full_s = _opening_s(folder, setting.rounds)
    return [
        {
            "index": kind.name,
            "points": setting.rows,
            "made_points_s": setting.rows / made_s[kind.name],
            **{f"filter_ms_{share:.1%}": filter_ms[kind.name][share] for share in SHARES},
            "opening_s": full_s,
            "opening_without_s": bare_s,
        }
        for kind in KINDS
    ]


async def _make(points: asyncstore.Collection, kind: Kind) -> float:
    begin = time.perf_counter()
    await points.create_payload_index(kind.name, kind.name)
    return time.perf_counter() - begin


async def _filter_ms(points: asyncstore.Collection, kind: Kind) -> dict[float, float]:
    least = {}
    for share in SHARES:
        times = []
        for number in range(COUNTS):
            begin = time.perf_counter()
            await points.count(filter=m.Filter(must=kind.condition(share, number)))
            times.append(time.perf_counter() - begin)
        least[share] = min(times) * 1e3
    return least


def _opening_s(folder: Path, rounds: int) -> float:
    """The median of several."""
    times = [
        float(
            subprocess.run(
                [sys.executable, "-c", CHILD, str(folder)],
                capture_output=True, text=True, check=True,
            ).stdout
        )
        for _ in range(min(rounds, 5))
    ]  # fmt: skip
    return float(np.median(times))


def _payloads(rng: np.random.Generator, count: int) -> list[dict[str, object]]:
    words = rng.integers(WORDS, size=count).tolist()
    numbers = rng.integers(1_000_000, size=count).tolist()
    reals = (rng.random(count) * 1_000_000).tolist()
    days = (rng.random(count) * SPAN_DAYS).tolist()
    places = zip(
        (rng.random(count) * 360 - 180).tolist(),
        (rng.random(count) * 180 - 90).tolist(),
        strict=True,
    )
    return [
        {
            "keyword": f"word {word}",
            "integer": number,
            "float": real,
            "datetime": (BEGIN + timedelta(days=day)).isoformat(),
            "geo": {"lon": lon, "lat": lat},
        }
        for word, number, real, day, (lon, lat) in zip(
            words, numbers, reals, days, places, strict=True
        )
    ]
