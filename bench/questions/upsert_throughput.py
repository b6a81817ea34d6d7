"""Points written a second, by batch size and durability, beside what the disk can write.

`disk_mb_s` is a plain sequential write of the same size with one sync; every vector is written to
the log and to its segment, so half of it is the most that vectors can reach.
"""

import asyncio
import os
import shutil
import time

import numpy as np

from asyncstore import models as m
from bench import report
from bench.dataset import grow
from bench.question import INT8, Setting, opened


def answer(setting: Setting) -> list[report.Row]:
    return asyncio.run(_answer(setting))


async def _answer(setting: Setting) -> list[report.Row]:
    vectors = grow(setting.data.vectors, 200_000, seed=2)
    rows: list[report.Row] = []
    for batch in [1, 100, 10_000, len(vectors)]:
        for durability in ["fsync", "flush", "none"]:
            count = min(len(vectors), batch * (2_000 if batch == 1 else 500))
            disk = _disk_mb_s(setting, count * vectors.shape[1] * 4)
            seconds = await _write(setting, vectors[:count], batch, durability)
            megabytes = count * vectors.shape[1] * 4 / 1e6
            rows.append(
                {
                    "batch": batch,
                    "durability": durability,
                    "points_s": count / seconds,
                    "vectors_mb_s": megabytes / seconds,
                    "disk_mb_s": disk,
                    "share_of_disk": 2 * megabytes / seconds / disk,
                }
            )
    report.bars(
        setting.results,
        "upsert_throughput",
        f"Points of {vectors.shape[1]} dimensions written a second",
        "points a second",
        {f"{row['batch']} {row['durability']}": row["points_s"] for row in rows},
    )
    return rows


async def _write(setting: Setting, vectors: np.ndarray, batch: int, durability: str) -> float:
    folder = setting.folder / "upserts"
    shutil.rmtree(folder, ignore_errors=True)
    async with opened(folder, durability=durability) as store:
        collection = await store.create_collection(
            "rows",
            vectors=m.VectorParams(size=vectors.shape[1], distance=m.Distance.COSINE, on_disk=True),
            quantization_config=INT8,
        )
        ids = np.arange(len(vectors), dtype=np.uint64)
        begin = time.perf_counter()
        for first in range(0, len(vectors), batch):
            await collection.upsert_arrays(
                ids[first : first + batch], vectors[first : first + batch]
            )
        return time.perf_counter() - begin


def _disk_mb_s(setting: Setting, size: int) -> float:
    path = setting.folder / "plain"
    block = bytes(8 << 20)
    begin = time.perf_counter()
    with path.open("wb", buffering=0) as file:
        written = 0
        while written < size:
            written += file.write(block[: min(len(block), size - written)])
        os.fsync(file.fileno())
    seconds = time.perf_counter() - begin
    path.unlink()
    return size / seconds / 1e6
