"""The examples of a query: vectors, and ids of points, whose vectors are read all at once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, cast
from uuid import UUID

import numpy as np

from asyncstore import multivectors
from asyncstore.errors import DimensionMismatchError, InvalidArgumentError, PointNotFoundError
from asyncstore.ids import point_id
from asyncstore.members import shown
from asyncstore.models import PointId, SparseVector
from asyncstore.multivectors import MultivectorArrays
from asyncstore.pace import Pace
from asyncstore.sparse import (
    Indices,
    SparseArrays,
    Values,
    elements_of,
    queries_of,
    weighted_sum,
)
from asyncstore.vectors import (
    AnyField,
    Matrix,
    MultivectorField,
    SparseField,
    VectorField,
    query_vector,
)

# As the core takes examples: of dense vectors (n, dim) float32.
Arrays: TypeAlias = Matrix | MultivectorArrays | SparseArrays

# Reads a vector of points by their ids; a point that is not there, or lacks it, is left out.
# A dense vector is an array, a sparse one indices and values, a multivector its rows.
ReadVectors: TypeAlias = Callable[[Sequence[PointId]], Awaitable[Mapping[PointId, Any]]]


@dataclass(frozen=True)
class Source:
    """Where the vectors of points come from.

    Attributes:
        field: The vector.
        read: Reads it of some points; None for those that lack it.
        is_elsewhere: Whether it is another collection than the one that is searched.
    """

    field: AnyField
    read: ReadVectors
    is_elsewhere: bool = False


class Examples(ABC):
    """The examples of one query, numbered in the order in which they are added."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._given: list[tuple[str, object]] = []
        self._ids: dict[int, PointId] = {}

    @abstractmethod
    async def arrays(self, pace: Pace) -> Arrays:
        """All of them, finite, as the core takes them.

        Raises:
            InvalidArgumentError: A vector is none, or a point lacks the vector.
            DimensionMismatchError: One has the wrong number of dimensions.
            PointNotFoundError: There is no point with an id that was given.
        """

    @abstractmethod
    async def average(self, positives: int, pace: Pace) -> Arrays:
        """One example in place of all, the first ``positives`` of which are positive."""

    def add(self, given: object, path: str) -> None:
        """Adds a vector or the id of a point; ``path`` names it in messages.

        Raises:
            InvalidArgumentError: It is neither.
        """
        if isinstance(given, int | str | UUID | np.integer) and not isinstance(given, bool):
            self._ids[len(self._given)] = point_id(given, path)
        elif given is None or isinstance(given, bool | float):
            raise InvalidArgumentError(
                f"{path}: must be a vector or the id of a point, got {shown(given)}"
            )
        self._given.append((path, given))

    def __len__(self) -> int:
        return len(self._given)

    @property
    def excluded(self) -> list[PointId]:
        """The points of the collection that is searched that are examples, and so no results."""
        return [] if self._source.is_elsewhere else list(self._ids.values())

    async def _vectors(self, pace: Pace) -> list[Any]:
        """Each as the core keeps it."""
        vectors: dict[int, object] = {}
        for place, (path, given) in enumerate(self._given):
            if place not in self._ids:
                vectors[place] = await self._vector(given, path, pace)
        if self._ids:
            found = await self._source.read(list(dict.fromkeys(self._ids.values())))
            for place, example in self._ids.items():
                vectors[place] = self._vector_of(example, found, self._given[place][0])
        return [vectors[place] for place in range(len(self))]

    @abstractmethod
    async def _vector(self, given: object, path: str, pace: Pace) -> object:
        """One that was given."""

    def _vector_of(self, example: PointId, found: Mapping[PointId, Any], path: str) -> Any:
        field = self._source.field
        if example not in found:
            raise PointNotFoundError(f"No point with id {example} found")
        vector = found[example]
        if vector is None:
            name = f"vector '{field.name}'" if field.name else "vector"
            raise InvalidArgumentError(f"{path}: point {example} has no {name}")
        return vector


class _RowExamples(Examples):
    """Vectors of as many dimensions as the vector that is searched."""

    _kind: str  # of the vector, and what may be given for it

    def __init__(self, field: VectorField | MultivectorField, source: Source) -> None:
        super().__init__(source)
        self._field = field

    def add(self, given: object, path: str) -> None:
        if isinstance(given, SparseVector | Mapping):
            raise InvalidArgumentError(
                f"{path}: the vector that is searched is {self._kind} or an id"
            )
        super().add(given, path)

    def _vector_of(self, example: PointId, found: Mapping[PointId, Any], path: str) -> Matrix:
        vector: Matrix = super()._vector_of(example, found, path)
        if vector.shape[-1] != self._field.dim:
            raise DimensionMismatchError(
                f"{path}: the vector of point {example} in '{self._source.field.collection}' has "
                f"{vector.shape[-1]} dimensions, collection '{self._field.collection}' has "
                f"{self._field.dim}",
                expected=self._field.dim,
                got=vector.shape[-1],
            )
        return vector


class _DenseExamples(_RowExamples):
    """(n, dim) float32."""

    _kind = "dense, must be a list of numbers"

    async def arrays(self, pace: Pace) -> Matrix:
        vectors = await self._vectors(pace)
        return vectors[0][np.newaxis] if len(vectors) == 1 else np.stack(vectors)

    async def average(self, positives: int, pace: Pace) -> Matrix:
        matrix = await self.arrays(pace)
        average: Matrix = matrix[:positives].mean(axis=0, keepdims=True)
        if len(matrix) > positives:
            average = 2 * average - matrix[positives:].mean(axis=0, keepdims=True)
        return average

    async def _vector(self, given: object, path: str, pace: Pace) -> Matrix:
        return await query_vector(given, cast("VectorField", self._field), f"{path}: ", pace)


class _MultivectorExamples(_RowExamples):
    """Offsets and rows."""

    _kind = "a multivector, must be a list of vectors"

    async def arrays(self, pace: Pace) -> MultivectorArrays:
        return multivectors.examples_of(await self._vectors(pace))

    async def average(self, positives: int, pace: Pace) -> MultivectorArrays:
        """All rows in one, those of negative examples negated."""
        matrices = await self._vectors(pace)
        signed = [*matrices[:positives], *(-matrix for matrix in matrices[positives:])]
        return multivectors.examples_of([np.concatenate(signed)])

    async def _vector(self, given: object, path: str, pace: Pace) -> Matrix:
        field = cast(MultivectorField, self._field)
        return await multivectors.rows_of(given, field, path, pace)


class _SparseExamples(Examples):
    """Offsets, indices and values."""

    async def arrays(self, pace: Pace) -> SparseArrays:
        return queries_of(await self._vectors(pace))

    async def average(self, positives: int, pace: Pace) -> SparseArrays:
        vectors = await self._vectors(pace)
        negatives = len(vectors) - positives
        weights = [(2 if negatives else 1) / positives] * positives
        weights += [-1 / negatives] * negatives if negatives else []
        return queries_of([weighted_sum(vectors, weights)])

    async def _vector(self, given: object, path: str, pace: Pace) -> tuple[Indices, Values]:
        return await elements_of(given, path, pace)


def examples_of(field: AnyField, source: Source) -> Examples:
    """No examples yet, of the vector that is searched."""
    if isinstance(field, SparseField):
        return _SparseExamples(source)
    if isinstance(field, MultivectorField):
        return _MultivectorExamples(field, source)
    return _DenseExamples(field, source)
