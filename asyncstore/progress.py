"""Waiting for long work of the core while its progress is reported."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import anyio

from asyncstore.engine import Pending
from asyncstore.models import BackgroundWork

# Called with (done, total, what) while something long goes on, and once at its end.
Progress: TypeAlias = Callable[[int, int, str], object]

_INTERVAL_S = 0.1


async def result_with_progress(
    pending: Pending,
    progress: Progress | None,
    what: str,
    statistics: Callable[[], BackgroundWork],
) -> object:
    """Waits for a job and reports on it about ten times a second.

    The last report has done equal to total. What ``progress`` raises is raised here; the job then
    goes on without anyone waiting for it, as it does after a cancellation.
    """
    if progress is None:
        return await pending.result()
    total = 1
    try:
        while not pending.done:
            with anyio.move_on_after(_INTERVAL_S):
                await pending.wait()
            now = statistics() if not pending.done else None
            if now is not None and now.total > 0:
                total = now.total
                progress(now.done, now.total, now.what or what)
    finally:
        pending.abandon()
    value = pending.outcome()
    progress(total, total, what)
    return value
