"""A batch of points, cut into chunks that the core can take.

A batch is checked as a whole before its first chunk is handed over, so that bad input changes
nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from asyncstore.engine import WRITE_BYTES_MAX, WRITE_POINTS_MAX
from asyncstore.errors import InvalidArgumentError
from asyncstore.ids import LIST_IDS_MAX, Ids, IdsInput, point_ids
from asyncstore.models import PointIdInput, PointStruct, PointVectors
from asyncstore.pace import Pace
from asyncstore.payload import PayloadColumn
from asyncstore.settings import UNNAMED
from asyncstore.vectors import Matrix, VectorColumn, VectorField, fill_row, find_field

# Payloads that the core takes over in about 0.5 ms, which happens on the event loop's thread.
PAYLOADS_MAX = 16384


@dataclass(frozen=True)
class Chunk:
    """What one native write takes; vectors and masks by the number of their field."""

    ids: Ids
    vectors: dict[int, Matrix]
    present: dict[int, NDArray[np.bool_]]
    payloads: list[bytes | None] | None


@dataclass
class Batch:
    """Points whose ids and shapes are checked; numbers are, unless they are float32 already.

    Attributes:
        ids: The n ids.
        columns: The vectors by the number of their field, n rows each.
        present: Which points have the vector; a field that is not named: all have it.
        payloads: None: no point has any.
    """

    ids: Ids
    columns: dict[int, VectorColumn]
    present: dict[int, NDArray[np.bool_]] = field(default_factory=dict)
    payloads: PayloadColumn | None = None

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def point_bytes(self) -> int:
        """Bytes of one point's vectors.

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

        A single point whose payload alone is beyond the limit makes a chunk of its own.
        """
        points_max, point_bytes = self.chunk_points_max, self.point_bytes
        if self.payloads is not None:
            points_max = min(points_max, PAYLOADS_MAX)
        start = 0
        while start < len(self):
            stop = min(start + points_max, len(self))
            if self.payloads is not None:
                bytes_up_to = np.cumsum(self.payloads.sizes_bytes[start:stop] + point_bytes)
                fitting = int(np.searchsorted(bytes_up_to, WRITE_BYTES_MAX, side="right"))
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
        vectors = {
            number: await column.float32_rows(cut.start, cut.stop, pace)
            for number, column in self.columns.items()
        }
        present = {number: mask[cut] for number, mask in self.present.items()}
        payloads = None if self.payloads is None else self.payloads.texts[cut]
        return Chunk(self.ids[cut], vectors, present, payloads)


async def batch_of_arrays(
    ids: IdsInput,
    vectors: object,
    payloads: object,
    fields: Mapping[str, VectorField],
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
    texts = None
    if payloads is not None:
        texts = await PayloadColumn.of(_payloads(payloads, len(checked_ids)), "payloads[{}]", pace)
    return Batch(checked_ids, columns, payloads=texts)


async def batch_of_points(
    points: Sequence[PointStruct],
    fields: Mapping[str, VectorField],
    pace: Pace,
) -> Batch:
    """Makes a batch of points; what ``upsert`` does with its argument.

    Raises:
        InvalidArgumentError: An id, a vector or a payload is wrong, or the batch is empty.
        DimensionMismatchError: A vector has another number of dimensions.
        UnsupportedError: A vector is of a kind that is not supported yet.
    """
    batch = await _batch_of_vectors(points, PointStruct, fields, pace)
    payloads = (point.payload for point in points)
    batch.payloads = await PayloadColumn.of(payloads, "points[{}].payload", pace)
    return batch


async def batch_of_vectors(
    points: Sequence[PointVectors],
    fields: Mapping[str, VectorField],
    pace: Pace,
) -> Batch:
    """Makes a batch of vectors of points; what ``update_vectors`` does with its argument.

    Raises:
        InvalidArgumentError: An id or a vector is wrong, a point has no vector, or the batch is
            empty.
        DimensionMismatchError: A vector has another number of dimensions.
        UnsupportedError: A vector is of a kind that is not supported yet.
    """
    return await _batch_of_vectors(points, PointVectors, fields, pace)


async def _batch_of_vectors(
    points: Sequence[PointStruct | PointVectors],
    kind: type[PointStruct] | type[PointVectors],
    fields: Mapping[str, VectorField],
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
    matrices: dict[str, Matrix] = {}
    masks: dict[str, NDArray[np.bool_]] = {}
    for row, point in enumerate(points):
        if not isinstance(point, kind):
            raise InvalidArgumentError(f"points[{row}]: must be a {kind.__name__}, got {point!r}")
        ids.append(point.id)
        vector = point.vector
        by_name = vector if isinstance(vector, Mapping) else {UNNAMED: vector}
        if not by_name and kind is PointVectors:
            raise InvalidArgumentError(
                f"points[{row}].vector: must specify vectors to update for point"
            )
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
