"""Points written with a bar, and optimized with another."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress, TaskID

from asyncstore.cli.importing.source import BLOCK_BYTES
from asyncstore.collection import Collection
from asyncstore.ids import IdsInput


async def write_all(
    collection: Collection,
    ids: IdsInput,
    vectors: NDArray[np.generic],
    progress: Progress,
    payloads: Iterator[dict[str, object]] | None = None,
) -> float:
    """Writes all rows of arrays batch by batch; returns how many seconds that took."""
    task = add_rows_task(progress, len(vectors))
    step = max(1, BLOCK_BYTES // (4 * vectors.shape[1]))
    began_s = time.perf_counter()
    for start in range(0, len(vectors), step):
        part = vectors[start : start + step]
        of_part = None if payloads is None else list(itertools.islice(payloads, len(part)))
        await collection.upsert_arrays(ids[start : start + step], part, of_part)
        progress.advance(task, len(part))
    return time.perf_counter() - began_s


def add_rows_task(progress: Progress, rows: int, done: int = 0) -> TaskID:
    """The bar of rows that are written; ``done`` of them are already."""
    return progress.add_task("Writing", total=rows, completed=done, unit="rows")


async def optimize(collection: Collection, progress: Progress) -> float:
    """Optimizes with a bar; returns how many seconds that took."""
    task: TaskID = progress.add_task("Optimizing", total=None)

    def report(done: int, total: int, what: str) -> None:
        progress.update(task, completed=done, total=total, description=what.capitalize())

    began_s = time.perf_counter()
    await collection.optimize(progress=report)
    return time.perf_counter() - began_s
