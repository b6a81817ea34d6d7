"""``asyncstore import``: vectors of a .npy file, and payloads of a JSON Lines file."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import msgspec
import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress, TaskID

from asyncstore.cli.output import Output
from asyncstore.collection import Collection
from asyncstore.errors import CollectionNotFoundError, InvalidArgumentError
from asyncstore.ids import IdsInput
from asyncstore.models import (
    Distance,
    ScalarQuantization,
    ScalarQuantizationConfig,
    ScalarType,
    VectorParams,
)
from asyncstore.store import Store, open_store

# Rows handed over at once: enough for the writer to sync seldom, few enough to keep a bar moving.
BATCH_BYTES = 32 << 20

INT8 = ScalarQuantization(
    scalar=ScalarQuantizationConfig(type=ScalarType.INT8, quantile=0.99, always_ram=True)
)


@dataclass(frozen=True)
class ImportPlan:
    """What to import, and the collection to make if there is none yet."""

    file: Path
    ids: Path | None
    payload: Path | None
    collection: str
    distance: Distance
    is_quantized: bool


class ImportReport(msgspec.Struct, frozen=True, kw_only=True):
    """What ``import --json`` prints."""

    collection: str
    points: int
    dim: int
    write_s: float
    optimize_s: float
    points_per_s: float


async def import_npy(
    plan: ImportPlan, store_path: Path, config: Path | None, output: Output
) -> int:
    """Imports the file and optimizes the collection."""
    vectors = _mapped(plan.file)
    if vectors.ndim != 2 or len(vectors) == 0:
        raise InvalidArgumentError(
            f"{plan.file}: must have the shape (n, dim) with rows, has {vectors.shape}"
        )
    ids = np.arange(len(vectors)) if plan.ids is None else _mapped(plan.ids)
    if ids.shape != (len(vectors),):
        raise InvalidArgumentError(
            f"{plan.ids}: must have the shape ({len(vectors)},), has {ids.shape}"
        )
    if plan.payload is not None:
        _check_rows(plan.payload, len(vectors))
    async with open_store(store_path, config=config) as store:
        collection = await _collection(store, plan, vectors.shape[1])
        with output.progress() as progress:
            write_s = await write_all(
                collection,
                cast("NDArray[np.uint64]", ids),
                vectors,
                progress,
                None if plan.payload is None else _payloads(plan.payload),
            )
            optimize_s = await optimize(collection, progress)
        report = ImportReport(
            collection=plan.collection,
            points=len(vectors),
            dim=vectors.shape[1],
            write_s=write_s,
            optimize_s=optimize_s,
            points_per_s=len(vectors) / write_s,
        )
    output.json(report)
    output.console.print(
        f"{report.points:,} points of {report.dim} dimensions in {write_s:.1f} s "
        f"({report.points_per_s:,.0f} a second), optimized in {optimize_s:.1f} s; "
        f"they are in collection '{plan.collection}' of {store_path}.",
        markup=False,
        highlight=False,
    )
    return 0


async def write_all(
    collection: Collection,
    ids: IdsInput,
    vectors: NDArray[np.generic],
    progress: Progress,
    payloads: Iterator[dict[str, object]] | None = None,
) -> float:
    """Writes all rows batch by batch; returns how many seconds that took."""
    task = progress.add_task("Writing", total=len(vectors))
    step = max(1, BATCH_BYTES // (4 * vectors.shape[1]))
    began_s = time.perf_counter()
    for start in range(0, len(vectors), step):
        part = vectors[start : start + step]
        of_part = None if payloads is None else list(itertools.islice(payloads, len(part)))
        await collection.upsert_arrays(ids[start : start + step], part, of_part)
        progress.advance(task, len(part))
    return time.perf_counter() - began_s


async def optimize(collection: Collection, progress: Progress) -> float:
    """Optimizes with a bar; returns how many seconds that took."""
    task: TaskID = progress.add_task("Optimizing", total=None)

    def report(done: int, total: int, what: str) -> None:
        progress.update(task, completed=done, total=total, description=what.capitalize())

    began_s = time.perf_counter()
    await collection.optimize(progress=report)
    return time.perf_counter() - began_s


async def _collection(store: Store, plan: ImportPlan, dim: int) -> Collection:
    try:
        return await store.get_collection(plan.collection)
    except CollectionNotFoundError:
        return await store.create_collection(
            plan.collection,
            vectors=VectorParams(size=dim, distance=plan.distance, on_disk=True),
            quantization_config=INT8 if plan.is_quantized else None,
        )


def _mapped(file: Path) -> NDArray[np.generic]:
    """The array of a .npy file, mapped.

    Raises:
        InvalidArgumentError: It is no .npy file.
        OSError: It cannot be read.
    """
    try:
        array = np.load(file, mmap_mode="r", allow_pickle=False)
    except ValueError as error:
        raise InvalidArgumentError(f"{file}: is not a .npy file: {error}") from error
    if not isinstance(array, np.ndarray):
        raise InvalidArgumentError(f"{file}: is not a .npy file but an archive")
    return array


def _check_rows(file: Path, rows: int) -> None:
    """Raises before anything is written where a file of payloads does not fit the vectors."""
    with file.open("rb") as lines:
        found = sum(1 for _ in lines)
    if found != rows:
        raise InvalidArgumentError(
            f"{file}: has {found} rows, must be as many as there are vectors, {rows}"
        )


def _payloads(file: Path) -> Iterator[dict[str, object]]:
    """The payloads of a JSON Lines file, one object a row.

    Raises:
        InvalidArgumentError: A row is no JSON object; what was read before may be written.
    """
    decoder = msgspec.json.Decoder(dict[str, object])
    with file.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            try:
                yield decoder.decode(line)
            except msgspec.DecodeError as error:
                raise InvalidArgumentError(
                    f"{file}, row {number}: is no JSON object: {error}"
                ) from error
