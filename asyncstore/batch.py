"""A batch of points, cut into chunks that the core can take.

A batch is checked as a whole before its first chunk is handed over, so that bad input changes
nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from asyncstore.engine import WRITE_BYTES_MAX, WRITE_POINTS_MAX
from asyncstore.errors import InvalidArgumentError, UnsupportedError
from asyncstore.ids import LIST_IDS_MAX, Ids, IdsInput, point_ids
from asyncstore.models import PointIdInput, PointStruct
from asyncstore.pace import Pace
from asyncstore.settings import UNNAMED
from asyncstore.vectors import Matrix, VectorColumn, VectorField, fill_row, find_field


@dataclass(frozen=True)
class Chunk:
    """What one native write takes; vectors and masks by the number of their field."""

    ids: Ids
    vectors: dict[int, Matrix]
    present: dict[int, NDArray[np.bool_]]


@dataclass
class Batch:
    """Points whose ids and shapes are checked; numbers are, unless they are float32 already.

    Attributes:
        ids: The n ids.
        columns: The vectors by the number of their field, n rows each.
        present: Which points have the vector; a field that is not named: all have it.
    """

    ids: Ids
    columns: dict[int, VectorColumn]
    present: dict[int, NDArray[np.bool_]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def chunk_points(self) -> int:
        """How many points go into one chunk: as many as the core's limits allow.

        Raises:
            InvalidArgumentError: The vectors of a single point are beyond the limit.
        """
        point_bytes = sum(column.dim * 4 for column in self.columns.values())
        if point_bytes > WRITE_BYTES_MAX:
            raise InvalidArgumentError(
                f"the vectors of a point have {point_bytes} bytes, at most {WRITE_BYTES_MAX} "
                f"can be written at once"
            )
        points_max = WRITE_POINTS_MAX if isinstance(self.ids, np.ndarray) else LIST_IDS_MAX
        return min(points_max, WRITE_BYTES_MAX // max(point_bytes, 1))

    def unchecked_float32(self) -> list[Matrix]:
        """The matrices that the core itself must check before the first of several chunks."""
        return [
            column.numbers.view(np.ndarray)
            for column in self.columns.values()
            if column.is_float32 and not column.is_checked
        ]

    async def check_numbers(self, pace: Pace) -> None:
        """Checks the numbers that are converted only when their chunk is due."""
        for column in self.columns.values():
            if not column.is_checked and not column.is_float32:
                await column.check(pace)

    async def chunk(self, start: int, pace: Pace) -> Chunk:
        """The chunk that begins at a point; its converted numbers live as long as it does."""
        stop = min(start + self.chunk_points, len(self))
        vectors = {
            number: await column.float32_rows(start, stop, pace)
            for number, column in self.columns.items()
        }
        present = {number: mask[start:stop] for number, mask in self.present.items()}
        return Chunk(self.ids[start:stop], vectors, present)


async def batch_of_arrays(
    ids: IdsInput,
    vectors: object,
    fields: Mapping[str, VectorField],
    pace: Pace,
) -> Batch:
    """Makes a batch of ids and arrays; what ``upsert_arrays`` does with its arguments.

    Raises:
        InvalidArgumentError: An id, a shape or a length is wrong, or the batch is empty.
        DimensionMismatchError: The vectors have another number of dimensions.
    """
    checked_ids = await point_ids(ids, pace)
    if len(checked_ids) == 0:
        raise InvalidArgumentError("ids: the batch is empty")
    by_name = vectors if isinstance(vectors, Mapping) else {UNNAMED: vectors}
    columns: dict[int, VectorColumn] = {}
    for name, of_name in by_name.items():
        known = find_field(fields, name)
        column = await VectorColumn.of(of_name, known, pace)
        if len(column) != len(checked_ids):
            raise InvalidArgumentError(
                f"{known.path}: has {len(column)} rows, must be as many as there are ids, "
                f"{len(checked_ids)}"
            )
        columns[known.number] = column
    return Batch(checked_ids, columns)


async def batch_of_points(
    points: Sequence[PointStruct],
    fields: Mapping[str, VectorField],
    pace: Pace,
) -> Batch:
    """Makes a batch of points; what ``upsert`` does with its argument.

    Raises:
        InvalidArgumentError: An id or a vector is wrong, or the batch is empty.
        DimensionMismatchError: A vector has another number of dimensions.
        UnsupportedError: A point has payload, or a vector of a kind that is not supported yet.
    """
    if not isinstance(points, Sequence):
        raise InvalidArgumentError(
            f"points: must be a sequence of PointStruct, got {type(points).__name__}"
        )
    if len(points) == 0:
        raise InvalidArgumentError("points: the batch is empty")
    ids: list[PointIdInput] = []
    matrices: dict[str, Matrix] = {}
    masks: dict[str, NDArray[np.bool_]] = {}
    for row, point in enumerate(points):
        if not isinstance(point, PointStruct):
            raise InvalidArgumentError(f"points[{row}]: must be a PointStruct, got {point!r}")
        if point.payload:
            raise UnsupportedError(f"points[{row}].payload: payload is not supported yet")
        ids.append(point.id)
        vector = point.vector
        by_name = vector if isinstance(vector, Mapping) else {UNNAMED: vector}
        for name, of_name in by_name.items():
            known = find_field(fields, name)
            if name not in matrices:
                matrices[name] = np.zeros((len(points), known.dim), np.float32)
                masks[name] = np.zeros(len(points), np.bool_)
            await fill_row(matrices[name][row], of_name, known, f"points[{row}]: ", pace)
            masks[name][row] = True
        await pace.breathe()
    columns = {
        fields[name].number: VectorColumn(matrix, fields[name], is_checked=True)
        for name, matrix in matrices.items()
    }
    present = {fields[name].number: mask for name, mask in masks.items() if not mask.all()}
    return Batch(await point_ids(ids, pace, "points[{}].id"), columns, present)
