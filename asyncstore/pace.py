"""Long conversions in short slices, so that the event loop is never held up.

Converting a million vectors is work for Python's thread; it is cut into slices, and between two
slices other tasks may run. A slice takes about 0.2 ms, far below the millisecond that is promised.
"""

from __future__ import annotations

import time

import anyio.lowlevel

# Numbers of a list that become an array in about 0.2 ms (20 ns each).
LIST_ELEMENTS_MAX = 8192
# Numbers of an array of another type that become float32 in about 0.1 ms (up to 2 ns each).
ARRAY_ELEMENTS_MAX = 32768

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
