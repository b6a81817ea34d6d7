"""How similar vectors of a kind are to each other; of some thousands, which the core is not asked.

Similarities are the greater the nearer: distances are negative, and Euclid's is squared. What
compares is a generator that gives way between pieces of some ms, to be run by :func:`on_thread`.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterable, Iterator
from typing import TypeAlias, TypeVar, cast

import anyio.to_thread
import numpy as np
from numpy.typing import NDArray

from asyncstore.models import Distance
from asyncstore.multivectors import MultivectorArrays
from asyncstore.query.examples import Arrays
from asyncstore.sparse import SparseArrays
from asyncstore.vectors import AnyField, Matrix, MultivectorField, SparseField

T = TypeVar("T")
Similarities: TypeAlias = NDArray[np.floating]
Steps: TypeAlias = Generator[None, None, T]

_SLICE_S = 0.01
# Numbers that are compared at once, in some ms. Not rather one row after the other: where BLAS has
# threads they would meet for each.
_PIECE_ELEMENTS = 1 << 23


async def on_thread(steps: Steps[T]) -> T:
    """What the steps come to, off the event loop's thread; cancelled between two slices of 10 ms.

    In slices, and not by a look at the scope from within the thread: a task of asyncio can be
    cancelled without its scope.
    """
    while True:
        outcome = await anyio.to_thread.run_sync(_slice, steps)
        if outcome is not None:
            return outcome[0]


def _slice(steps: Steps[T]) -> tuple[T] | None:
    """Goes on for a while; the outcome, once there is one."""
    end_s = time.perf_counter() + _SLICE_S
    with np.errstate(over="ignore", invalid="ignore"):  # of vectors beyond all measure
        while time.perf_counter() < end_s:
            try:
                next(steps)
            except StopIteration as stop:
                return (stop.value,)
    return None


class Compared(ABC):
    """Vectors of one kind, each of which can be compared with all."""

    @abstractmethod
    def __len__(self) -> int:
        """How many they are, n."""

    @abstractmethod
    def of_query(self, query: Arrays) -> Steps[Similarities]:
        """Of one query to each, (n,)."""

    @abstractmethod
    def of(self, start: int, stop: int) -> Steps[Similarities]:
        """Of some of them, as queries, to each, (stop - start, n)."""

    @abstractmethod
    def to(self, row: int) -> Steps[Similarities]:
        """Of each of them, as a query, to one, (n,)."""


def compared(field: AnyField, vectors: Arrays, distance: Distance) -> Compared:
    """Vectors as the core gives and takes them; long work, for a thread."""
    if isinstance(field, SparseField):
        return _Sparse(cast(SparseArrays, vectors))
    if isinstance(field, MultivectorField):
        return _Multivectors(cast(MultivectorArrays, vectors), distance)
    return _Dense(cast(Matrix, vectors), distance)


class _Dense(Compared):
    def __init__(self, matrix: Matrix, distance: Distance) -> None:
        self._matrix = _comparable(matrix, distance)
        self._distance = distance

    def __len__(self) -> int:
        return len(self._matrix)

    def of_query(self, query: Arrays) -> Steps[Similarities]:
        return self._of(_comparable(cast(Matrix, query), self._distance))

    def of(self, start: int, stop: int) -> Steps[Similarities]:
        pieces = []
        for similar in _pieces(self._matrix[start:stop], self._matrix, self._distance):
            pieces.append(similar)
            yield
        return np.concatenate(pieces)

    def to(self, row: int) -> Steps[Similarities]:
        return self._of(self._matrix[row : row + 1])

    def _of(self, vector: NDArray[np.floating]) -> Steps[Similarities]:
        similar: Similarities = _similarities(vector, self._matrix, self._distance)[0]
        yield
        return similar


class _Sparse(Compared):
    """By the dot product of what is stored, in float64."""

    def __init__(self, vectors: SparseArrays) -> None:
        self._offsets, indices, self._values = vectors
        sizes = np.diff(self._offsets).astype(np.int64)
        self._rows = np.repeat(np.arange(len(sizes)), sizes)  # of each element
        # In the place of indices, which may be large, their numbers.
        self._indices, self._numbers = np.unique(indices, return_inverse=True)

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def of_query(self, query: Arrays) -> Steps[Similarities]:
        _, indices, values = cast(SparseArrays, query)
        known = np.isin(indices, self._indices)
        return self._of(np.searchsorted(self._indices, indices[known]), values[known])

    def of(self, start: int, stop: int) -> Steps[Similarities]:
        return _stacked(self.to(row) for row in range(start, stop))

    def to(self, row: int) -> Steps[Similarities]:
        own = slice(int(self._offsets[row]), int(self._offsets[row + 1]))
        return self._of(self._numbers[own], self._values[own])

    def _of(self, numbers: NDArray[np.intp], values: NDArray[np.float32]) -> Steps[Similarities]:
        weights = np.zeros(len(self._indices))
        weights[numbers] = values
        products = weights[self._numbers] * self._values
        sums = np.bincount(self._rows, products, minlength=len(self))
        yield
        return sums.astype(np.float64, copy=False)


class _Multivectors(Compared):
    """By max_sim: the sum, over the rows of the query, of how near the other's nearest row is."""

    def __init__(self, vectors: MultivectorArrays, distance: Distance) -> None:
        offsets, rows = vectors
        self._offsets = offsets.astype(np.int64)
        self._rows = _comparable(rows, distance)
        self._distance = distance

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def of_query(self, query: Arrays) -> Steps[Similarities]:
        _, rows = cast(MultivectorArrays, query)
        return self._of(_comparable(rows, self._distance))

    def of(self, start: int, stop: int) -> Steps[Similarities]:
        return _stacked(self._of(self._own(row)) for row in range(start, stop))

    def to(self, row: int) -> Steps[Similarities]:
        nearest = np.full(len(self._rows), -np.inf, self._rows.dtype)
        for similar in _pieces(self._own(row), self._rows, self._distance):
            np.maximum(nearest, similar.max(axis=0), out=nearest)
            yield
        return np.add.reduceat(nearest, self._offsets[:-1], dtype=np.float64)

    def _of(self, query: NDArray[np.floating]) -> Steps[Similarities]:
        sums = np.zeros(len(self))
        for similar in _pieces(query, self._rows, self._distance):
            nearest = np.maximum.reduceat(similar, self._offsets[:-1], axis=1)
            sums += nearest.sum(axis=0, dtype=np.float64)
            yield
        return sums

    def _own(self, row: int) -> NDArray[np.floating]:
        return self._rows[self._offsets[row] : self._offsets[row + 1]]


def _stacked(every: Iterable[Steps[Similarities]]) -> Steps[Similarities]:
    """What each comes to, (k, n)."""
    found = []
    for steps in every:
        found.append((yield from steps))
    return np.stack(found)


def _comparable(matrix: NDArray[np.floating], distance: Distance) -> NDArray[np.floating]:
    """The rows as :func:`_similarities` takes them: of unit length with cosine."""
    if distance is not Distance.COSINE:
        return matrix
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    return matrix / np.where(lengths > 0, lengths, 1)


def _pieces(
    vectors: NDArray[np.floating], matrix: NDArray[np.floating], distance: Distance
) -> Iterator[Similarities]:
    """Of some of the vectors after the other to each row of a matrix, (k, n)."""
    count = max(1, _PIECE_ELEMENTS // max(1, matrix.size))
    for start in range(0, len(vectors), count):
        yield _similarities(vectors[start : start + count], matrix, distance)


def _similarities(
    vectors: NDArray[np.floating], matrix: NDArray[np.floating], distance: Distance
) -> Similarities:
    """Of each of k vectors to each row of a matrix, (k, n)."""
    match distance:
        case Distance.EUCLID:
            return np.stack([-np.square(matrix - vector).sum(axis=1) for vector in vectors])
        case Distance.MANHATTAN:
            return np.stack([-np.abs(matrix - vector).sum(axis=1) for vector in vectors])
        case _:
            found: Similarities = vectors @ matrix.T
            return found
