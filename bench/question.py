"""What every question needs: data, a folder, a store that is filled."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import asyncstore
from asyncstore import models as m
from bench.dataset import Dataset, Floats, grow


@dataclass(frozen=True)
class Setting:
    """Where and with what to measure."""

    data: Dataset
    folder: Path
    results: Path
    rows: int
    rounds: int
    corpus: Path | None = None  # rows.npy and queries.npy, as bench/compare/corpus.py makes them


INT8 = m.ScalarQuantization(
    scalar=m.ScalarQuantizationConfig(type=m.ScalarType.INT8, always_ram=True)
)


def rabitq(bits: int) -> m.RabitqQuantization:
    """Codes of 1, 2, 4 or 8 bits a dimension."""
    return m.RabitqQuantization(rabitq=m.RabitqQuantizationConfig(bits=bits, always_ram=True))


@asynccontextmanager
async def opened(
    folder: Path, *, reader: str = "auto", direct_io: str = "auto", durability: str = "fsync"
) -> AsyncIterator[asyncstore.Store]:
    """A store that does nothing unasked: no prewarm."""
    config = {
        "storage": {
            "async_scorer": reader,
            "durability": durability,
            "performance": {"direct_io": direct_io, "prewarm": False},
        }
    }
    async with asyncstore.open_store(folder, config=config) as store:
        yield store


async def fill(folder: Path, vectors: Floats, codes: m.QuantizationConfig = INT8) -> Path:
    """Makes a store with the collection "rows" of sealed segments; keeps one that is there."""
    if (folder / "STORE").exists():
        return folder
    async with opened(folder) as store:
        rows = await store.create_collection(
            "rows",
            vectors=m.VectorParams(size=vectors.shape[1], distance=m.Distance.COSINE, on_disk=True),
            quantization_config=codes,
        )
        await rows.upsert_arrays(np.arange(len(vectors), dtype=np.uint64), vectors)
        await rows.optimize()
    return folder


async def real_store(setting: Setting) -> Path:
    """The real rows."""
    return await fill(setting.folder / "real", setting.data.vectors)


async def large_store(setting: Setting) -> Path:
    """As many rows of their kind as were asked for."""
    folder = setting.folder / "large"
    if (folder / "STORE").exists():
        return folder
    return await fill(folder, grow(setting.data.vectors, setting.rows, seed=1))


async def search_all(
    rows: asyncstore.Collection,
    queries: Floats,
    inflight: int,
    late: list[float],
    **wanted: Any,
) -> list[list[int]]:
    """The ids that each query finds, with so many searches at once; adds to `late` the seconds."""
    found: list[list[int]] = [[] for _ in queries]
    left = iter(range(len(queries)))

    async def work(numbers: Iterator[int]) -> None:
        for number in numbers:
            begin = time.perf_counter()
            hits = await rows.search(queries[number], **wanted)
            late.append(time.perf_counter() - begin)
            found[number] = [hit.id for hit in hits]  # type: ignore[misc]

    await asyncio.gather(*[work(left) for _ in range(inflight)])
    return found


def recall(found: list[list[int]], exact: np.ndarray, limit: int) -> float:
    """The share of the true neighbours that were found."""
    hits = [
        len(set(ids) & set(row[:limit].tolist())) for ids, row in zip(found, exact, strict=False)
    ]
    return float(np.mean(hits)) / limit


def percentile(values: list[float], share: float) -> float:
    """In the unit of the values."""
    return float(np.percentile(values, share))


def timed(work: Callable[[], object]) -> float:
    """Seconds that the work takes."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin
