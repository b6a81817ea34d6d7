"""``asyncstore bench``: a quick look at the latency of searches on this machine."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asyncstore.cli.import_npy import INT8, optimize, write_all
from asyncstore.cli.measure import Subject, measured_both, measurements_table
from asyncstore.cli.output import Output, existing_store
from asyncstore.collection import Collection
from asyncstore.errors import InvalidArgumentError
from asyncstore.models import Distance, QuantizationSearchParams, SearchParams, VectorParams
from asyncstore.store import open_store

SYNTHETIC_POINTS = 50_000
SYNTHETIC_DIM = 384
SEED = 1
PARAMS = SearchParams(quantization=QuantizationSearchParams(rescore=True, oversampling=2.0))


async def bench(path: Path | None, collection: str | None, searches: int, output: Output) -> int:
    """Measures searches over a collection, or over vectors made for it."""
    if path is not None:
        if collection is None:
            raise InvalidArgumentError("--collection: name the collection of the store to search")
        subject = await _existing(Path(existing_store(path)), collection, searches)
        await _measure(subject, f"{collection} of {path}", output)
        return 0
    if collection is not None:
        raise InvalidArgumentError("--store: name the store of the collection to search")
    with tempfile.TemporaryDirectory(prefix="asyncstore-bench-", dir=Path.cwd()) as folder:
        subject = await _synthetic(Path(folder), searches, output)
        title = f"{SYNTHETIC_POINTS:,} random points of {SYNTHETIC_DIM} dimensions"
        await _measure(subject, title, output)
    return 0


async def _measure(subject: Subject, title: str, output: Output) -> None:
    measurements, error = await measured_both(subject, output)
    output.json({"measurements": measurements, "io_uring_error": error})
    console = output.console
    console.print(measurements_table(measurements, title))
    if error is not None:
        console.print(f"io_uring was not measured: {error}", style="yellow", markup=False)
    console.print(
        "One search at a time, oversampling 2, 10 results. Throughput, loads, devices and peers: "
        "see bench/ in the source.",
        style="dim",
        highlight=False,
    )


async def _synthetic(path: Path, searches: int, output: Output) -> Subject:
    random = np.random.default_rng(SEED)
    vectors = random.standard_normal((SYNTHETIC_POINTS, SYNTHETIC_DIM), dtype=np.float32)
    async with open_store(path) as store:
        collection = await store.create_collection(
            "bench",
            vectors=VectorParams(size=SYNTHETIC_DIM, distance=Distance.COSINE, on_disk=True),
            quantization_config=INT8,
        )
        with output.progress() as progress:
            ids = np.arange(len(vectors), dtype=np.uint64)
            await write_all(collection, ids, vectors, progress)
            await optimize(collection, progress)
    queries = random.standard_normal((searches, SYNTHETIC_DIM), dtype=np.float32)
    return Subject(
        path=path, collection="bench", using="", queries=queries, nearest=None, params=PARAMS
    )


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
