"""Filters that are too long for the core to take over in one go.

Their lists become the core's a slice at a time, with turns of other tasks in between, and the
filter made of them is passed on as often as it is asked. What is short stays in nested tuples.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import anyio.to_thread
import numpy as np

from asyncstore.engine import LongConditions, LongIds, LongValues
from asyncstore.ids import LIST_IDS_MAX, Ids
from asyncstore.pace import Pace, drop

if TYPE_CHECKING:
    from asyncstore.engine import NativeCondition

# Conditions that the core takes over in about 0.2 ms. A value takes a quarter of the time.
PARTS_MAX = 256
VALUES_OF_A_PART = 4
# Values of a list that stays short. All filters that the core knows again when they are asked twice
# have fewer (k_key_bytes_max).
VALUES_MAX = 512
# Values of a list that it takes over in 0.1 ms, and ids.
_SLICE_VALUES = 1024
_SLICE_IDS = 256
_ARRAY_SLICE_IDS = 32768


class Conditions:
    """Those of one clause; of a long one all but the last are the core's."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._few: list[NativeCondition] = []
        self._many: LongConditions | None = None

    def add(self, condition: NativeCondition) -> None:
        """Adds one."""
        self._few.append(condition)

    def hand_over(self) -> None:
        """Makes those that were added the core's."""
        if self._many is None:
            self._many = LongConditions()
            self._many.reserve(self._count)
        self._many.extend(self._few)
        self._few = []

    def done(self) -> list[NativeCondition] | LongConditions:
        """All of them; nothing is added after."""
        if self._many is None:
            return self._few
        self.hand_over()
        return self._many


class Values:
    """Values to compare with, as they come."""

    def __init__(self, count: int) -> None:
        self._is_long = count > VALUES_MAX
        self._few: list[int | str] = []
        self._many = LongValues()
        self._many.reserve(count if self._is_long else 0)

    async def add(self, values: Sequence[int | str], pace: Pace) -> None:
        """Adds some."""
        if not self._is_long:
            self._few += values
        for start in range(0, len(values) if self._is_long else 0, _SLICE_VALUES):
            self._many.extend(values[start : start + _SLICE_VALUES])
            await pace.breathe()

    async def done(self) -> list[int | str] | LongValues:
        """All of them; nothing is added after."""
        if not self._is_long:
            return self._few
        await anyio.to_thread.run_sync(self._many.sort)
        return self._many


async def ids_part(ids: Ids, pace: Pace) -> Ids | LongIds:
    """Ids to compare with; a long list is empty then."""
    if len(ids) <= LIST_IDS_MAX:
        return ids
    many = LongIds()
    many.reserve(len(ids))
    step = _ARRAY_SLICE_IDS if isinstance(ids, np.ndarray) else _SLICE_IDS
    for start in range(0, len(ids), step):
        many.extend(ids[start : start + step])
        await pace.breathe()
    if isinstance(ids, list):
        await drop(ids, pace)
    await anyio.to_thread.run_sync(many.sort)
    return many
