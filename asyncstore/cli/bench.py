"""``asyncstore bench``: a quick look at the latency of searches on this machine."""

from __future__ import annotations

import tempfile
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asyncstore.cli.codes import INT8
from asyncstore.cli.importing.writing import optimize, write_all
from asyncstore.cli.measure import Subject, measured_both, measurements_table
from asyncstore.cli.measure_filters import FilterOf, filters_table, measured_filters
from asyncstore.cli.output import Output, existing_store
from asyncstore.collection import Collection
from asyncstore.errors import InvalidArgumentError
from asyncstore.models import (
    Distance,
    FieldCondition,
    Filter,
    QuantizationSearchParams,
    Range,
    SearchParams,
    Slice,
    SliceCondition,
    VectorParams,
)
from asyncstore.store import open_store

SYNTHETIC_POINTS = 50_000
SYNTHETIC_DIM = 384
SYNTHETIC_AXES = 24
SEED = 1
# The payload of points that are made for filters, drawn from so many values.
FIELD = "value"
FIELD_VALUES = 1_000
PARAMS = SearchParams(quantization=QuantizationSearchParams(rescore=True, oversampling=2.0))


class Bench(StrEnum):
    """What is measured.

    ``readers``: searches through io_uring and through the memory map, cold and warm. ``filters``:
    searches with filters that admit ever fewer points.
    """

    READERS = "readers"
    FILTERS = "filters"


async def bench(
    what: Bench, path: Path | None, collection: str | None, searches: int, output: Output
) -> int:
    """Measures searches over a collection, or over vectors made for it."""
    measure = _readers if what is Bench.READERS else _filters
    if path is not None:
        if collection is None:
            raise InvalidArgumentError("--collection: name the collection of the store to search")
        subject = await _existing(Path(existing_store(path)), collection, searches)
        await measure(subject, f"{collection} of {path}", _by_id, output)
        return 0
    if collection is not None:
        raise InvalidArgumentError("--store: name the store of the collection to search")
    with tempfile.TemporaryDirectory(prefix="asyncstore-bench-", dir=Path.cwd()) as folder:
        subject = await _synthetic(Path(folder), searches, what is Bench.FILTERS, output)
        title = f"{SYNTHETIC_POINTS:,} random points of {SYNTHETIC_DIM} dimensions"
        await measure(subject, title, _by_value, output)
    return 0


async def _readers(subject: Subject, title: str, filter_of: FilterOf, output: Output) -> None:
    measurements, error = await measured_both(subject, output)
    output.json({"measurements": measurements, "io_uring_error": error})
    console = output.console
    console.print(measurements_table(measurements, title))
    if error is not None:
        console.print(f"io_uring was not measured: {error}", style="yellow", markup=False)
    _print_note("One search at a time, oversampling 2, 10 results.", output)


async def _filters(subject: Subject, title: str, filter_of: FilterOf, output: Output) -> None:
    measurements = await measured_filters(subject, filter_of, output)
    output.json({"measurements": measurements})
    output.console.print(filters_table(measurements, title))
    what = (
        "an indexed integer of the payload"
        if filter_of is _by_value
        else "the points' ids (slices)"
    )
    _print_note(
        f"Filters on {what}. compile ms: a count by a new filter.\n"
        "Median and p99: one search at a time; per second: 16 at a time. All warm.",
        output,
    )


def _print_note(text: str, output: Output) -> None:
    output.console.print(
        f"{text} Throughput, loads, devices and peers: see bench/ in the source.",
        style="dim",
        highlight=False,
    )


def _by_value(share: float, variant: int) -> Filter:
    """Variants are other filters of the same points: none has a value below 0."""
    bounds = Range(gte=-variant, lt=share * FIELD_VALUES)
    return Filter(must=FieldCondition(key=FIELD, range=bounds))


def _by_id(share: float, variant: int) -> Filter:
    """Whatever the payload is, ids part all points evenly; variants are other parts."""
    total = round(1 / share)
    return Filter(must=SliceCondition(slice=Slice(total=total, index=variant % total)))


async def _synthetic(path: Path, searches: int, has_payload: bool, output: Output) -> Subject:
    random = np.random.default_rng(SEED)
    axes = random.standard_normal((SYNTHETIC_AXES, SYNTHETIC_DIM), dtype=np.float32)
    vectors = _near(axes, SYNTHETIC_POINTS, random)
    async with open_store(path) as store:
        collection = await store.create_collection(
            "bench",
            vectors=VectorParams(size=SYNTHETIC_DIM, distance=Distance.COSINE, on_disk=True),
            quantization_config=INT8,
        )
        with output.progress() as progress:
            ids = np.arange(len(vectors), dtype=np.uint64)
            drawn = random.integers(FIELD_VALUES, size=len(vectors)).tolist()
            payloads = ({FIELD: value} for value in drawn) if has_payload else None
            await write_all(collection, ids, vectors, progress, payloads)
            await optimize(collection, progress)
        if has_payload:
            await collection.create_payload_index(FIELD, "integer")
    return Subject(
        path=path,
        collection="bench",
        using="",
        queries=_near(axes, searches, random),
        nearest=None,
        params=PARAMS,
    )


def _near(
    axes: NDArray[np.float32], count: int, random: np.random.Generator
) -> NDArray[np.float32]:
    """Vectors near a space of few dimensions, as embeddings are; else all are equally far apart."""
    places = random.standard_normal((count, len(axes)), dtype=np.float32)
    vectors: NDArray[np.float32] = places @ axes
    noise = random.standard_normal(vectors.shape, dtype=np.float32)
    noise *= np.float32(0.1 * vectors.std())
    vectors += noise
    return vectors


async def _existing(path: Path, name: str, searches: int) -> Subject:
    """Queries are stored vectors with some noise, so that they lie where the points lie."""
    async with open_store(path) as store:
        collection = await store.get_collection(name)
        using, dim = await _first_vector(collection)
        page, _ = await collection.scroll(limit=searches, with_vectors=[using])
        vectors = [
            vector[using] if isinstance(vector, dict) else vector
            for record in page
            if (vector := record.vector)
        ]
    if not vectors:
        raise InvalidArgumentError(f"collection '{name}' has no points to search for")
    chosen = np.resize(np.array(vectors, np.float32), (searches, dim))
    return Subject(
        path=path,
        collection=name,
        using=using,
        queries=_with_noise(chosen),
        nearest=None,
        params=PARAMS,
    )


async def _first_vector(collection: Collection) -> tuple[str, int]:
    vectors = (await collection.info()).config.params.vectors
    if isinstance(vectors, VectorParams):
        return "", vectors.size
    if not vectors:
        raise InvalidArgumentError(f"collection '{collection.name}' has no vectors to search")
    name, params = next(iter(vectors.items()))
    return name, params.size


def _with_noise(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    random = np.random.default_rng(SEED)
    scale = np.float32(0.1 * vectors.std() + 1e-6)
    noise = scale * random.standard_normal(vectors.shape, dtype=np.float32)
    noisy: NDArray[np.float32] = vectors + noise
    return noisy
