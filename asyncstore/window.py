"""The chunks of one write that are on their way, in order, several at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Self, cast

import anyio.lowlevel

from asyncstore.engine import Engine, Pending

# Chunks of one write that the core holds at once, so that it can sync several together.
CHUNKS_INFLIGHT_MAX = 8


class WriteWindow:
    """Hands chunks to the core; on an error or a cancellation those not taken are not begun.

    Entering is a checkpoint, so that a write whose scope is cancelled already changes nothing.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._chunks: deque[Pending] = deque()
        self._operation_id: int | None = None

    async def __aenter__(self) -> Self:
        await anyio.lowlevel.checkpoint_if_cancelled()
        return self

    async def __aexit__(
        self,
        error_class: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for chunk in self._chunks:
            chunk.abandon()

    async def make_room(self) -> None:
        """Waits until another chunk may be handed over."""
        if len(self._chunks) >= CHUNKS_INFLIGHT_MAX:
            await self._take_oldest()

    def add(self, submit: Callable[[], int]) -> None:
        """Hands a chunk over."""
        self._chunks.append(self._engine.start(self._engine.writes, submit))

    async def finish(self) -> int | None:
        """Waits for all chunks; returns the id of the last operation, None when there was none."""
        while self._chunks:
            await self._take_oldest()
        return self._operation_id

    async def _take_oldest(self) -> None:
        self._operation_id = cast(int, await self._chunks.popleft().result())
