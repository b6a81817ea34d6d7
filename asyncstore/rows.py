"""What the core found, turned into models; long results in slices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from asyncstore.models import PointId, Record, ScoredPoint, SearchBatch, SparseVector, VectorOutput
from asyncstore.pace import Pace, drop, listed
from asyncstore.payload import PayloadSelection, decode_payload
from asyncstore.settings import UNNAMED
from asyncstore.vectors import AnyField, SparseField, VectorField

if TYPE_CHECKING:
    from asyncstore.engine import Batch, NativeVectors, Payloads, Rows

T = TypeVar("T", Record, ScoredPoint)
# Ids that are put into a dict in about 0.1 ms.
_SLICE_IDS = 1024
# The vectors of one name of some points: which have one, and the arrays of all.
PointVectors: TypeAlias = tuple[NDArray[Any], ...]


@dataclass(frozen=True, eq=False)
class Contents:
    """What is asked for of points besides their ids.

    Attributes:
        vectors: The fields whose vectors are wanted.
        payload: What of the payload is.
    """

    vectors: Sequence[AnyField] = ()
    payload: PayloadSelection = False

    @property
    def is_nothing(self) -> bool:
        """Whether ids are enough."""
        return self.payload is False and not self.vectors

    @property
    def fields(self) -> list[int]:
        """The numbers of the vectors' fields."""
        return [field.number for field in self.vectors]


NOTHING = Contents()


async def scored_points(
    rows: Rows, wanted: Sequence[AnyField], *, is_unnamed: bool
) -> list[ScoredPoint]:
    """The points that a search found, best first, with the payload and vectors asked for."""
    ids, scores, versions, vectors, payloads = rows
    if not wanted and payloads is None and isinstance(ids, list):
        return [
            ScoredPoint(id=point_id, version=version, score=score)
            for point_id, version, score in zip(ids, versions, scores, strict=True)
        ]
    pace = Pace()
    columns = [await listed(column, pace) for column in (ids, versions, scores)]
    points: list[ScoredPoint] = []
    for row, (point_id, version, score) in enumerate(zip(*columns, strict=True)):
        vector = _vector(row, vectors, wanted, is_unnamed) if wanted else None
        payload = None if payloads is None else decode_payload(_text_of(payloads, row))
        points.append(
            ScoredPoint(id=point_id, version=version, score=score, payload=payload, vector=vector)
        )
        await pace.breathe()
    return points


async def unscored_points(
    rows: Rows, wanted: Sequence[AnyField], *, is_unnamed: bool
) -> list[ScoredPoint]:
    """Points that were found without a score, which then is 0."""
    ids, _, versions, vectors, payloads = rows
    scores = [0.0] * len(ids)
    found = (
        ids,
        scores if isinstance(ids, list) else np.array(scores),
        versions,
        vectors,
        payloads,
    )
    return await scored_points(found, wanted, is_unnamed=is_unnamed)


def _text_of(payloads: list[bytes | None] | Payloads, row: int) -> bytes | None:
    """The payload of one point; to be asked for once."""
    if isinstance(payloads, list):
        return payloads[row]
    (text,) = payloads[row : row + 1].tolist()
    return text


async def distinct(ids: Sequence[PointId]) -> list[PointId]:
    """Each id once."""
    pace = Pace()
    seen: dict[PointId, None] = {}
    for start in range(0, len(ids), _SLICE_IDS):
        seen.update(dict.fromkeys(ids[start : start + _SLICE_IDS]))
        await pace.breathe()
    return list(seen)


async def in_order(
    found: Mapping[PointId, T], ids: list[PointId], values: list[int | float]
) -> list[T]:
    """Points by the values of a field, once for each; without those that are gone by now.

    The lists are empty then.
    """
    pace = Pace()
    ordered: list[T] = []
    for point, value in zip(ids, values, strict=True):
        if point in found:
            ordered.append(msgspec.structs.replace(found[point], order_value=value))
        await pace.breathe()
    await drop(ids, pace)
    await drop(values, pace)
    return ordered


async def records(rows: Rows, wanted: Sequence[AnyField], *, is_unnamed: bool) -> list[Record]:
    """The points that were asked for, in the core's order, with payload and vectors asked for."""
    ids, _, _, vectors, payloads = rows
    pace = Pace()
    found: list[Record] = []
    for row, point_id in enumerate(await listed(ids, pace)):
        vector = _vector(row, vectors, wanted, is_unnamed) if wanted else None
        payload = None if payloads is None else decode_payload(_text_of(payloads, row))
        found.append(Record(id=point_id, payload=payload, vector=vector))
        await pace.breathe()
    return found


async def search_batch_of(batch: Batch) -> SearchBatch:
    """The results of many searches as arrays."""
    ids, scores, counts = batch
    if isinstance(ids, np.ndarray):
        return SearchBatch(ids=ids, scores=scores, counts=counts)
    pace = Pace()
    as_objects = np.empty(scores.shape, np.object_)
    limit = scores.shape[1]
    for row, count in enumerate(counts.tolist()):
        as_objects[row, :count] = await listed(ids[row * limit : row * limit + count], pace)
        await pace.breathe()
    return SearchBatch(ids=as_objects, scores=scores, counts=counts)


def of_present(field: AnyField, vectors: PointVectors) -> tuple[NDArray[np.intp], Any]:
    """The rows of the points that have the vector, and theirs alone, as the core takes them."""
    present, numbers, *parts = vectors
    rows = np.flatnonzero(present)
    if isinstance(field, VectorField):
        return rows, numbers if len(rows) == len(numbers) else numbers[rows]
    return rows, (np.append(numbers[rows], numbers[-1]), *parts)  # the others have no elements


def _vector(
    row: int,
    vectors: NativeVectors,
    wanted: Sequence[AnyField],
    is_unnamed: bool,
) -> VectorOutput:
    """A plain list for a sole unnamed vector, else a dict by name; ``{}`` where there is none."""
    named: dict[str, list[float] | list[list[float]] | SparseVector] = {}
    for field in wanted:
        present, *numbers = vectors[field.number]
        if not present[row]:
            continue
        if isinstance(field, VectorField):
            named[field.name] = numbers[0][row].tolist()
            continue
        offsets, *parts = numbers
        own = [part[int(offsets[row]) : int(offsets[row + 1])].tolist() for part in parts]
        if isinstance(field, SparseField):
            named[field.name] = SparseVector(indices=own[0], values=own[1])
        else:
            named[field.name] = own[0]
    if is_unnamed and list(named) == [UNNAMED]:
        return cast("list[float] | list[list[float]]", named[UNNAMED])
    return named
