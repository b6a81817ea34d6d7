"""The examples of a query: vectors, and ids of points, whose vectors are read all at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias
from uuid import UUID

import numpy as np

from asyncstore.errors import DimensionMismatchError, InvalidArgumentError, PointNotFoundError
from asyncstore.ids import point_id
from asyncstore.members import shown
from asyncstore.models import PointId, SparseVector
from asyncstore.pace import Pace
from asyncstore.vectors import AnyField, Matrix, VectorField, fill_row

# Reads a vector of points by their ids; a point that is not there, or lacks it, is left out.
# A dense vector is an array, a sparse one indices and values.
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


class Examples:
    """The examples of one query, numbered in the order in which they are added."""

    def __init__(self, field: VectorField, source: Source) -> None:
        """``field`` is the vector that is searched."""
        self._field = field
        self._source = source
        self._given: list[tuple[str, object]] = []
        self._ids: dict[int, PointId] = {}

    def add(self, given: object, path: str) -> None:
        """Adds a vector or the id of a point; ``path`` names it in messages.

        Raises:
            InvalidArgumentError: It is neither.
        """
        if isinstance(given, int | str | UUID | np.integer) and not isinstance(given, bool):
            self._ids[len(self._given)] = point_id(given, path)
        elif isinstance(given, SparseVector | Mapping):
            raise InvalidArgumentError(
                f"{path}: the vector that is searched is dense, must be a list of numbers or an id"
            )
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

    async def matrix(self, pace: Pace) -> Matrix:
        """(examples, dim) float32, finite.

        Raises:
            InvalidArgumentError: A vector is none, or a point lacks the vector.
            DimensionMismatchError: One has the wrong number of dimensions.
            PointNotFoundError: There is no point with an id that was given.
        """
        matrix = np.empty((len(self), self._field.dim), np.float32)
        for row, (path, given) in enumerate(self._given):
            if row not in self._ids:
                await fill_row(matrix[row], given, self._field, f"{path}: ", pace)
        if self._ids:
            found = await self._source.read(list(dict.fromkeys(self._ids.values())))
            for row, example in self._ids.items():
                matrix[row] = self._vector_of(example, found, self._given[row][0])
        return matrix

    def _vector_of(
        self, example: PointId, found: Mapping[PointId, Matrix | None], path: str
    ) -> Matrix:
        field = self._source.field
        if example not in found:
            raise PointNotFoundError(f"No point with id {example} found")
        vector = found[example]
        if vector is None:
            name = f"vector '{field.name}'" if field.name else "vector"
            raise InvalidArgumentError(f"{path}: point {example} has no {name}")
        if len(vector) != self._field.dim:
            raise DimensionMismatchError(
                f"{path}: the vector of point {example} in '{field.collection}' has {len(vector)} "
                f"dimensions, collection '{self._field.collection}' has {self._field.dim}"
            )
        return vector
