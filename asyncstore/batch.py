"""A batch of points, cut into chunks that the core can take.

A batch is checked as a whole before its first chunk is handed over, so that bad input changes
nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from asyncstore.bounds import OutOfBoundsError
from asyncstore.engine import WRITE_BYTES_MAX, WRITE_POINTS_MAX
from asyncstore.errors import InvalidArgumentError
from asyncstore.ids import LIST_IDS_MAX, Ids, IdsInput, point_ids
from asyncstore.models import PointIdInput, PointStruct, PointVectors
from asyncstore.multivectors import multivector_builder, multivector_column, rows_of
from asyncstore.pace import Pace
from asyncstore.payload import PayloadColumn
from asyncstore.ragged import RaggedArrays, RaggedBuilder, RaggedColumn
from asyncstore.settings import UNNAMED
from asyncstore.sparse import elements_of, sparse_builder, sparse_column
from asyncstore.vectors import (
    AnyField,
    Matrix,
    MultivectorField,
    SparseField,
    VectorColumn,
    VectorField,
    fill_row,
    find_field,
)

# Payloads that the core takes over in about 0.5 ms, which happens on the event loop's thread.
PAYLOADS_MAX = 16384


@dataclass(frozen=True)
class Chunk:
    """What one native write takes; vectors and masks by the number of their field."""

    ids: Ids
    vectors: dict[int, Matrix | RaggedArrays]
    present: dict[int, NDArray[np.bool_]]
    payloads: list[bytes | None] | None


@dataclass
class Batch:
    """Points whose ids and shapes are checked; numbers are, unless they are float32 already.

    Attributes:
        ids: The n ids.
        columns: The dense vectors by the number of their field, n rows each.
        ragged: The sparse ones and the multivectors.
        present: Which points have the vector; a field that is not named: all have it.
        payloads: None: no point has any.
    """

    ids: Ids
    columns: dict[int, VectorColumn]
    ragged: dict[int, RaggedColumn] = field(default_factory=dict)
    present: dict[int, NDArray[np.bool_]] = field(default_factory=dict)
    payloads: PayloadColumn | None = None

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def point_bytes(self) -> int:
        """Bytes of one point's dense vectors.

        Raises:
            InvalidArgumentError: They are beyond what can be written at once.
        """
        point_bytes = sum(column.dim * 4 for column in self.columns.values())
        if point_bytes > WRITE_BYTES_MAX:
            raise InvalidArgumentError(
                f"the vectors of a point have {point_bytes} bytes, at most {WRITE_BYTES_MAX} "
                f"can be written at once"
            )
        return point_bytes

    @property
    def chunk_points_max(self) -> int:
        """How many points go into one chunk, as far as their ids and vectors go."""
        points_max = WRITE_POINTS_MAX if isinstance(self.ids, np.ndarray) else LIST_IDS_MAX
        return min(points_max, WRITE_BYTES_MAX // max(self.point_bytes, 1))

    def cuts(self) -> Iterator[slice]:
        """Where the chunks begin and end: each as large as the core's limits allow.

        A single point that alone is beyond the limit makes a chunk of its own.
        """
        points_max, point_bytes = self.chunk_points_max, self.point_bytes
        sizes_bytes = [column.sizes_bytes for column in self.ragged.values()]
        if self.payloads is not None:
            points_max = min(points_max, PAYLOADS_MAX)
            sizes_bytes.append(self.payloads.sizes_bytes)
        start = 0
        while start < len(self):
            stop = min(start + points_max, len(self))
            if sizes_bytes:
                of_points = np.full(stop - start, point_bytes, np.int64)
                for sizes in sizes_bytes:
                    of_points += sizes[start:stop]
                fitting = int(np.searchsorted(of_points.cumsum(), WRITE_BYTES_MAX, side="right"))
                stop = start + max(1, fitting)
            yield slice(start, stop)
            start = stop

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

    async def chunk(self, cut: slice, pace: Pace) -> Chunk:
        """The chunk of a cut; its converted numbers live as long as it does."""
        vectors: dict[int, Matrix | RaggedArrays] = {
            number: column.rows(cut.start, cut.stop) for number, column in self.ragged.items()
        }
        for number, dense in self.columns.items():
            vectors[number] = await dense.float32_rows(cut.start, cut.stop, pace)
        present = {number: mask[cut] for number, mask in self.present.items()}
        payloads = None if self.payloads is None else self.payloads.texts[cut]
        return Chunk(self.ids[cut], vectors, present, payloads)


async def batch_of_arrays(
    ids: IdsInput,
    vectors: object,
    payloads: object,
    fields: Mapping[str, AnyField],
    pace: Pace,
) -> Batch:
    """Makes a batch of ids, arrays and payloads; what ``upsert_arrays`` does with its arguments.

    Raises:
        InvalidArgumentError: An id, a shape, a length or a payload is wrong, or the batch is empty.
        DimensionMismatchError: The vectors have another number of dimensions.
    """
    checked_ids = await point_ids(ids, pace)
    if len(checked_ids) == 0:
        raise InvalidArgumentError("ids: the batch is empty")
    batch = Batch(checked_ids, {})
    by_name = vectors if isinstance(vectors, Mapping) else {UNNAMED: vectors}
    for name, of_name in by_name.items():
        known = find_field(fields, name)
        column: RaggedColumn | VectorColumn
        if isinstance(known, VectorField):
            column = batch.columns[known.number] = await VectorColumn.of(of_name, known, pace)
        else:
            column = batch.ragged[known.number] = await _ragged_column(of_name, known, pace)
            batch.present[known.number] = column.present
        if len(column) != len(checked_ids):
            raise InvalidArgumentError(
                f"{known.path}: has {len(column)} rows, must be as many as there are ids, "
                f"{len(checked_ids)}"
            )
    if payloads is not None:
        given = _payloads(payloads, len(checked_ids))
        batch.payloads = await PayloadColumn.of(given, "payloads[{}]", pace)
    return batch


async def batch_of_points(
    points: Sequence[PointStruct],
    fields: Mapping[str, AnyField],
    pace: Pace,
) -> Batch:
    """Makes a batch of points; what ``upsert`` does with its argument.

    Raises:
        InvalidArgumentError: An id, a vector or a payload is wrong, or the batch is empty.
        DimensionMismatchError: A vector has another number of dimensions.
    """
    batch = await _batch_of_vectors(points, PointStruct, fields, pace)
    payloads = (point.payload for point in points)
    batch.payloads = await PayloadColumn.of(payloads, "points[{}].payload", pace)
    return batch


async def batch_of_vectors(
    points: Sequence[PointVectors],
    fields: Mapping[str, AnyField],
    pace: Pace,
) -> Batch:
    """Makes a batch of vectors of points; what ``update_vectors`` does with its argument.

    Raises:
        InvalidArgumentError: An id or a vector is wrong, a point has no vector, or the batch is
            empty.
        DimensionMismatchError: A vector has another number of dimensions.
    """
    return await _batch_of_vectors(points, PointVectors, fields, pace)


async def _batch_of_vectors(
    points: Sequence[PointStruct | PointVectors],
    kind: type[PointStruct] | type[PointVectors],
    fields: Mapping[str, AnyField],
    pace: Pace,
) -> Batch:
    """Ids and vectors of points, as columns and masks."""
    if not isinstance(points, Sequence):
        raise InvalidArgumentError(
            f"points: must be a sequence of {kind.__name__}, got {type(points).__name__}"
        )
    if len(points) == 0:
        raise InvalidArgumentError("points: the batch is empty")
    ids: list[PointIdInput] = []
    columns = _Columns(len(points))
    for row, point in enumerate(points):
        if not isinstance(point, kind):
            raise InvalidArgumentError(f"points[{row}]: must be a {kind.__name__}, got {point!r}")
        ids.append(point.id)
        vector = point.vector
        by_name = vector if isinstance(vector, Mapping) else {UNNAMED: vector}
        if not by_name and kind is PointVectors:
            what = "must specify vectors to update for point"
            raise OutOfBoundsError((f"points[{row}].vector", what))
        for name, of_name in by_name.items():
            await columns.put(row, find_field(fields, name), of_name, pace)
        await pace.breathe()
    return await columns.batch(await point_ids(ids, pace, "points[{}].id"), pace)


class _Columns:
    """Vectors of n points, taken point by point."""

    def __init__(self, points: int) -> None:
        self._points = points
        self._dense: dict[VectorField, tuple[Matrix, NDArray[np.bool_]]] = {}
        self._ragged: dict[SparseField | MultivectorField, RaggedBuilder] = {}

    async def put(self, row: int, known: AnyField, vector: object, pace: Pace) -> None:
        """Sets one vector of a point."""
        if not isinstance(known, VectorField):
            if known not in self._ragged:
                self._ragged[known] = _ragged_builder(self._points, known)
            where = f"points[{row}].vector" + (f".{known.name}" if known.name else "")
            self._ragged[known].put(row, await _ragged_parts(vector, known, where, pace))
            return
        if known not in self._dense:
            matrix = np.zeros((self._points, known.dim), np.float32)
            self._dense[known] = matrix, np.zeros(self._points, np.bool_)
        matrix, mask = self._dense[known]
        await fill_row(matrix[row], vector, known, f"points[{row}]: ", pace)
        mask[row] = True

    async def batch(self, ids: Ids, pace: Pace) -> Batch:
        """All of them, with the ids of the points."""
        batch = Batch(ids, {})
        for known, (matrix, mask) in self._dense.items():
            batch.columns[known.number] = VectorColumn(matrix, known.path, is_checked=True)
            if not mask.all():
                batch.present[known.number] = mask
        for ragged, builder in self._ragged.items():
            column = batch.ragged[ragged.number] = await builder.column(pace)
            batch.present[ragged.number] = column.present
        return batch


async def _ragged_column(
    vectors: object, known: SparseField | MultivectorField, pace: Pace
) -> RaggedColumn:
    if isinstance(known, SparseField):
        return await sparse_column(vectors, known, pace)
    return await multivector_column(vectors, known, pace)


def _ragged_builder(points: int, known: SparseField | MultivectorField) -> RaggedBuilder:
    if isinstance(known, SparseField):
        return sparse_builder(points)
    return multivector_builder(points, known)


async def _ragged_parts(
    vector: object, known: SparseField | MultivectorField, where: str, pace: Pace
) -> RaggedArrays:
    if isinstance(known, SparseField):
        return await elements_of(vector, where, pace)
    return (await rows_of(vector, known, where, pace),)


def _payloads(payloads: object, points: int) -> Sequence[object]:
    if isinstance(payloads, np.ndarray) and payloads.ndim == 1:
        payloads = payloads.tolist()
    if not isinstance(payloads, Sequence) or isinstance(payloads, str | bytes):
        raise InvalidArgumentError(
            f"payloads: must be a sequence of dicts and None, got {type(payloads).__name__}"
        )
    if len(payloads) != points:
        raise InvalidArgumentError(
            f"payloads: has {len(payloads)} rows, must be as many as there are ids, {points}"
        )
    return payloads
