"""Vectors to measure with: real embeddings, and more of their kind."""

from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Dataset:
    """Rows, queries, and the exact nearest rows of each query by cosine."""

    name: str
    vectors: Floats
    queries: Floats
    neighbors: NDArray[np.int32]


def load(folder: Path | None) -> Dataset:
    """The data in a folder (vectors.f16.npy, queries.f16.npy, neighbors.i32.npy), or the sample."""
    if folder is None:
        folder = Path(str(resources.files("asyncstore.sample")))
    vectors = np.load(folder / "vectors.f16.npy").astype(np.float32)
    queries = np.load(folder / "queries.f16.npy").astype(np.float32)
    neighbors = np.load(folder / "neighbors.i32.npy")
    return Dataset(folder.name, vectors, queries, neighbors)


def grow(base: Floats, count: int, seed: int) -> Floats:
    """More rows of the same kind: each is a real row moved towards another and shaken, unit length.

    Good for measuring time, memory and the disk. Its recall curves are not those of real data, so
    recall is measured on the real rows only.
    """
    random = np.random.default_rng(seed)
    rows = np.empty((count, base.shape[1]), dtype=np.float32)
    step = 50_000
    for begin in range(0, count, step):
        end = min(begin + step, count)
        first = base[random.integers(len(base), size=end - begin)]
        second = base[random.integers(len(base), size=end - begin)]
        share = random.uniform(0, 0.3, size=(end - begin, 1)).astype(np.float32)
        noise = random.standard_normal((end - begin, base.shape[1]), dtype=np.float32) * 0.01
        mixed = first * (1 - share) + second * share + noise
        rows[begin:end] = mixed / np.linalg.norm(mixed, axis=1, keepdims=True)
    return rows
