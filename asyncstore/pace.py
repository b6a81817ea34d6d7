"""Long conversions in short slices, so that the event loop is never held up.

Converting a million vectors is work for Python's thread; it is cut into slices, and between two
slices other tasks may run. A slice takes about 0.2 ms, far below the millisecond that is promised.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Protocol, Self, TypeVar

import anyio.lowlevel

T = TypeVar("T")

# Numbers of a list that become an array in about 0.2 ms (20 ns each).
LIST_ELEMENTS_MAX = 8192
# Numbers of an array of another type that become float32 in about 0.1 ms (up to 2 ns each).
ARRAY_ELEMENTS_MAX = 32768

# Elements of a reply that become objects in about 0.1 ms.
_LISTED_ELEMENTS = 256

_SLICE_S = 0.0003


class Pace:
    """Lets other tasks run whenever a slice of work has lasted long enough."""

    __slots__ = ("_slice_began_s",)

    def __init__(self) -> None:
        self._slice_began_s = time.perf_counter()

    async def breathe(self) -> None:
        """To be called between pieces of work of at most 0.2 ms; a checkpoint now and then."""
        if time.perf_counter() - self._slice_began_s > _SLICE_S:
            await anyio.lowlevel.checkpoint()
            self._slice_began_s = time.perf_counter()


class Long(Protocol[T]):
    """Many elements that become objects a slice at a time: of an array, or of a reply."""

    def __len__(self) -> int: ...
    def __getitem__(self, wanted: slice, /) -> Self: ...
    def tolist(self) -> list[T]:
        """The elements as objects."""


async def slices(elements: list[T] | Long[T], pace: Pace) -> AsyncIterator[list[T]]:
    """The elements as lists of some, one after the other."""
    for start in range(0, len(elements), _LISTED_ELEMENTS):
        part = elements[start : start + _LISTED_ELEMENTS]
        yield part if isinstance(part, list) else part.tolist()
        await pace.breathe()


async def listed(elements: list[T] | Long[T], pace: Pace) -> list[T]:
    """The elements as one list; that of what was short stays as it is."""
    if isinstance(elements, list):
        return elements
    return [element async for part in slices(elements, pace) for element in part]


async def drop(elements: list[T], pace: Pace) -> None:
    """Empties a long list, so that what it held is not freed all at once."""
    while elements:
        del elements[-_LISTED_ELEMENTS:]
        await pace.breathe()
