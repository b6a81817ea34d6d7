"""Vectors of several sizes: one after the other in arrays, and offsets that say where each begins.

As in a CSR matrix, what point i has is ``part[offsets[i]:offsets[i + 1]]`` of each array.
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from asyncstore.errors import InvalidArgumentError
from asyncstore.pace import Pace

# offsets (n + 1,) uint64, then the arrays: what the core takes for n points.
RaggedArrays: TypeAlias = tuple[NDArray[Any], ...]


class RaggedColumn:
    """The vectors of one name of a batch, checked.

    Attributes:
        present: (n,) which points have a vector.
    """

    def __init__(self, arrays: RaggedArrays, present: NDArray[np.bool_]) -> None:
        self._offsets, *self._parts = arrays
        self.present = present

    def __len__(self) -> int:
        return len(self.present)

    @property
    def sizes_bytes(self) -> NDArray[np.int64]:
        """(n,) what each vector takes."""
        element_bytes = sum(part.itemsize * math.prod(part.shape[1:]) for part in self._parts)
        return np.diff(self._offsets).astype(np.int64) * element_bytes

    def rows(self, start: int, stop: int) -> RaggedArrays:
        """The arrays of some points; views."""
        return self._offsets[start : stop + 1], *self._parts

    def queries(self, path: str) -> RaggedArrays:
        """The arrays of all, for a batch of queries.

        Raises:
            InvalidArgumentError: There is none, or one is missing.
        """
        if len(self) == 0:
            raise InvalidArgumentError("vectors: the batch is empty")
        if not self.present.all():
            raise InvalidArgumentError(f"{path}[{int(np.argmin(self.present))}]: is missing")
        return self.rows(0, len(self))


class RaggedBuilder:
    """Collects the vectors of n points.

    Args:
        points: n.
        empty: The arrays of a vector without elements, which say what all are like.
    """

    def __init__(self, points: int, empty: RaggedArrays) -> None:
        self._rows: dict[int, RaggedArrays] = {}
        self._points = points
        self._empty = empty

    def put(self, row: int, parts: RaggedArrays) -> None:
        """Sets the arrays of a point."""
        self._rows[row] = parts

    async def column(self, pace: Pace) -> RaggedColumn:
        """All of them."""
        sizes = np.zeros(self._points + 1, np.uint64)
        for row, parts in self._rows.items():
            sizes[row + 1] = len(parts[0])
        offsets = np.cumsum(sizes, dtype=np.uint64)
        every = [np.empty((int(offsets[-1]), *one.shape[1:]), one.dtype) for one in self._empty]
        present = np.zeros(self._points, np.bool_)
        for row, parts in self._rows.items():
            begin = int(offsets[row])
            for target, part in zip(every, parts, strict=True):
                target[begin : begin + len(part)] = part
            present[row] = True
            await pace.breathe()
        return RaggedColumn((offsets, *every), present)
