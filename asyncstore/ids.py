"""Point ids as callers give them, turned into what the core takes."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn, TypeAlias

import numpy as np
from numpy.typing import NDArray

from asyncstore.engine import parse_point_id
from asyncstore.errors import InvalidArgumentError
from asyncstore.models import PointId, PointIdInput
from asyncstore.pace import Pace

if TYPE_CHECKING:
    from asyncstore.engine import PointIds

ID_MAX = 2**64 - 1

IdsInput: TypeAlias = Sequence[PointIdInput] | NDArray[np.integer]
# Integers alone as an array, which costs no objects; with a UUID among them a list, or, of ids that
# the core found, what it gave.
Ids: TypeAlias = "NDArray[np.uint64] | PointIds | list[PointId]"

# Ids of a list that the core takes over in about 0.7 ms, which happens on the event loop's thread:
# each UUID is read anew.
LIST_IDS_MAX = 1024
# Ids of a list that are checked in 0.2 ms at most: integers all at once, UUIDs one by one.
_SLICE_IDS = 4096
_SLICE_UUIDS = 256
_ARRAY_SLICE_IDS = 65536


async def point_ids(ids: IdsInput, pace: Pace, path: str = "ids[{}]") -> Ids:
    """Checks ids and brings them into the core's form.

    Args:
        ids: (n,) array of integers, or a sequence of integers and UUIDs. A (n,) uint64 array is
            passed on without a copy.
        pace: Lets other tasks run in between.
        path: How messages name the id at a position; what is before ``[{}]`` names the ids.

    Raises:
        InvalidArgumentError: An id is no unsigned 64-bit integer and no UUID; the message has its
            value and position.
    """
    if isinstance(ids, np.ndarray) and ids.dtype.kind in "ui":
        return await _from_array(ids, pace, path)
    if isinstance(ids, np.ndarray):
        if ids.ndim != 1:
            _refuse_shape(ids, path)
        ids = ids.tolist()
    if isinstance(ids, str | bytes) or not isinstance(ids, Sequence):
        raise InvalidArgumentError(
            f"{_name(path)}: must be a sequence of point ids or an array, got {type(ids).__name__}"
        )
    return await _from_sequence(ids, pace, path)


def point_id(value: object, where: str) -> PointId:
    """Checks one id; ``where`` names it in the message."""
    if isinstance(value, np.integer):
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        if 0 <= value <= ID_MAX:
            return int(value)
        raise InvalidArgumentError(f"{where}: value {value} invalid, must be from 0 to {ID_MAX}")
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, str):
        try:
            return parse_point_id(str(value))
        except ValueError as error:
            raise InvalidArgumentError(
                f'{where}: Can not recognize "{value}" as point id'
            ) from error
    raise InvalidArgumentError(
        f"{where}: {value!r} is no point id, must be an unsigned 64-bit integer or a UUID"
    )


async def _from_array(ids: NDArray[np.integer], pace: Pace, path: str) -> NDArray[np.uint64]:
    if ids.ndim != 1:
        _refuse_shape(ids, path)
    flags = ids.flags
    if ids.dtype == np.uint64 and flags.c_contiguous and flags.aligned:
        return ids.view(np.ndarray)
    converted = np.empty(len(ids), np.uint64)
    for start in range(0, len(ids), _ARRAY_SLICE_IDS):
        part = ids[start : start + _ARRAY_SLICE_IDS]
        if part.dtype.kind == "i" and part.min() < 0:
            position = start + int(np.argmax(part < 0))
            point_id(ids[position], path.format(position))
        converted[start : start + len(part)] = part
        await pace.breathe()
    return converted


async def _from_sequence(ids: Sequence[PointIdInput], pace: Pace, path: str) -> Ids:
    """Integers alone become an array; the first UUID turns what there is into a list."""
    integers: list[NDArray[np.uint64]] = []
    start = 0
    while start < len(ids):
        part = ids[start : start + _SLICE_IDS]
        if set(map(type, part)) != {int}:
            break
        try:
            integers.append(np.array(part, dtype=np.uint64))
        except (OverflowError, ValueError):
            _checked_part(part, start, path)  # raises with the position
            raise
        start += len(part)
        await pace.breathe()
    if start == len(ids):
        return np.concatenate(integers) if integers else np.empty(0, np.uint64)
    mixed: list[PointId] = [known for array in integers for known in array.tolist()]
    for first in range(start, len(ids), _SLICE_UUIDS):
        mixed += _checked_part(ids[first : first + _SLICE_UUIDS], first, path)
        await pace.breathe()
    if all(type(known) is int for known in mixed):  # numpy's integers in a list
        return np.array(mixed, dtype=np.uint64)
    return mixed


def _checked_part(part: Sequence[PointIdInput], start: int, path: str) -> list[PointId]:
    return [point_id(value, path.format(start + index)) for index, value in enumerate(part)]


def _refuse_shape(ids: NDArray[np.generic], path: str) -> NoReturn:
    raise InvalidArgumentError(f"{_name(path)}: must have the shape (n,), got {ids.shape}")


def _name(path: str) -> str:
    return path.partition("[{}]")[0]
