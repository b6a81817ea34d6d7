"""Several calls at once, as one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence

import anyio

_AT_ONCE = 64


async def all_at_once(calls: Sequence[Callable[[], Awaitable[None]]]) -> None:
    """Awaits all calls, up to 64 at once; after an error the others are cancelled.

    Raises:
        Exception: The first that a call raises: one, and not a group of them.
    """
    errors: list[Exception] = []

    async def work(left: Iterator[Callable[[], Awaitable[None]]]) -> None:
        try:
            for call in left:
                await call()
        except Exception as error:
            errors.append(error)
            group.cancel_scope.cancel()

    left = iter(calls)
    async with anyio.create_task_group() as group:
        for _ in range(min(len(calls), _AT_ONCE)):
            group.start_soon(work, left)
    if errors:
        raise errors[0]
