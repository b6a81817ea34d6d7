"""The bridge between ``await`` and the native core; the only importer of ``asyncstore._native``.

Every native job has a ticket. :meth:`Engine.start` hands a job over and returns a :class:`Pending`;
one task, the *bridge*, watches the core's event descriptor, and whenever it is readable, what has
completed is collected and whoever waits for it is woken. So a search costs one trip through the
event loop, and no thread is parked for it.

What must hold:

- Everything here runs on the thread of the event loop that opened the store. The bridge can
  therefore not collect a ticket before ``start`` has written it down.
- A job that the core has taken is never taken back. Cancelling drops the interest in its result:
  a read ends at its next step, a write goes on; the core keeps the arrays it was given until then.
- A full inbox makes callers wait, in the order they came, one lane for reads and one for writes. A
  full inbox holds jobs that will complete, so the bridge will wake and try again.
- Whoever waits is woken, with a result or an error, whatever becomes of the bridge.
- After a fork the child's copy refuses every call; the core's threads are the parent's alone.
"""

from __future__ import annotations

import os
import weakref
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeAlias, TypeVar, cast

import anyio
import anyio.lowlevel
import anyio.to_thread
import msgspec
from anyio.abc import TaskGroup

from asyncstore import _native
from asyncstore.config import Config
from asyncstore.errors import (
    AsyncStoreError,
    StoreClosedError,
    StoreFailedError,
    UnsupportedError,
    error_from_native,
)
from asyncstore.models import PointId, RecoveryProgress, StoreStatistics
from asyncstore.optimizers import core_optimizers
from asyncstore.wake import Waker, Wakeup, current_waker

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    # Aliases that exist in the stub alone, passed on because nobody else imports it.
    from asyncstore._native import Batch as Batch
    from asyncstore._native import Groups as Groups
    from asyncstore._native import NativeCondition as NativeCondition
    from asyncstore._native import NativeConditions as NativeConditions
    from asyncstore._native import NativeError as NativeError
    from asyncstore._native import NativeFilter as NativeFilter
    from asyncstore._native import NativeParts as NativeParts
    from asyncstore._native import NativeSnapshot as NativeSnapshot
    from asyncstore._native import NativeTest as NativeTest
    from asyncstore._native import NativeText as NativeText
    from asyncstore._native import NativeVectors as NativeVectors
    from asyncstore._native import Payloads as Payloads
    from asyncstore._native import PointIds as PointIds
    from asyncstore._native import Rows as Rows
    from asyncstore._native import ScrollPage as ScrollPage
    from asyncstore._native import ValueCounts as ValueCounts

__all__ = [
    "CANDIDATES_MAX",
    "WRITE_BYTES_MAX",
    "WRITE_POINTS_MAX",
    "Engine",
    "Lane",
    "LongConditions",
    "LongFilter",
    "LongIds",
    "LongValues",
    "NativeCollection",
    "NativeField",
    "NativeOptimizers",
    "Pending",
    "check_path",
    "check_payload",
    "isa",
    "native_aliases",
    "parse_datetime",
    "parse_numbers",
    "parse_point_id",
    "translating",
]

T = TypeVar("T")

NativeCollection: TypeAlias = _native.Collection
NativeField: TypeAlias = _native.Field
NativeOptimizers: TypeAlias = _native.OptimizerOverrides
LongConditions: TypeAlias = _native.LongConditions
LongFilter: TypeAlias = _native.LongFilter
LongIds: TypeAlias = _native.LongIds
LongValues: TypeAlias = _native.LongValues
available_memory_bytes = _native.available_memory_bytes
WRITE_POINTS_MAX = _native.WRITE_POINTS_MAX
WRITE_BYTES_MAX = _native.WRITE_BYTES_MAX
CANDIDATES_MAX = _native.CANDIDATES_MAX


def isa() -> str:
    """The instruction set of the kernels in use."""
    return _native.isa()


def native_aliases(native: _native.Engine) -> tuple[dict[str, str], NativeError | None]:
    """The collection of each alias, or none and why they could not be read."""
    try:
        return native.aliases(), None
    except _native.NativeError as error:
        return {}, error


def parse_point_id(point_id: int | str) -> PointId:
    """The canonical form of a point id; ``ValueError`` when it is none."""
    try:
        return _native.parse_point_id(point_id)
    except _native.NativeError as error:
        raise ValueError(error.message) from error


def parse_datetime(text: str) -> int | None:
    """Microseconds from 1970 in UTC to a date and time; None when the text is none."""
    return _native.parse_datetime(text)


def parse_numbers(text: bytes) -> NDArray[np.float32] | None:
    """(n,) the numbers of a flat JSON list of them; None where the text is anything else."""
    return _native.parse_numbers(text)


def check_path(path: str) -> int:
    """How many steps a JSON path has; ``ValueError`` when it is none."""
    try:
        return _native.check_path(path)
    except _native.NativeError as error:
        raise ValueError(error.message) from error


def check_payload(text: bytes) -> None:
    """Checks the JSON text of a payload; ``ValueError`` when it is none, too deep or too large."""
    try:
        _native.check_payload(text)
    except _native.NativeError as error:
        raise ValueError(error.message) from error


class Pending:
    """A job on its way. One task waits for it, as often as it likes, and takes its result."""

    __slots__ = ("_engine", "_wakeup", "abandoned", "done", "error", "submit", "ticket", "value")

    def __init__(self, engine: Engine, submit: Callable[[], int]) -> None:
        self._engine = engine
        self._wakeup: Wakeup | None = None
        self.submit = submit
        self.ticket = 0  # 0: still waiting for room in the inbox
        self.done = False
        self.abandoned = False
        self.value: object = None
        self.error: Exception | None = None

    def wait(self) -> Awaitable[object]:
        """To be awaited: until the job is done. Cancelling the wait leaves the job as it is."""
        if self.done:
            return anyio.lowlevel.checkpoint()
        self._wakeup = self._engine.waker.wakeup()
        return self._wakeup.wait()

    async def result(self) -> object:
        """Waits and returns what the job came to, or raises its error.

        Cancellation: a read ends soon, a write goes on; the result is dropped.
        """
        try:
            await self.wait()
        except BaseException:
            self.abandon()
            raise
        if self.error is not None:
            raise self.error
        return self.value

    def outcome(self) -> object:
        """What a job that is done came to; raises its error."""
        assert self.done
        if self.error is not None:
            raise self.error
        return self.value

    def abandon(self) -> None:
        """Drops the interest in the job; one that the core has not taken yet is not begun."""
        self.abandoned = True
        self._engine.forget(self)

    def complete(self, value: object, error: Exception | None) -> None:
        """Keeps the outcome and wakes who waits; the bridge's business."""
        self.value = value
        self.error = error
        self.done = True
        if self._wakeup is not None:
            self._wakeup.set()


class Lane:
    """Jobs that found the inbox full, first come first served."""

    __slots__ = ("queue",)

    def __init__(self) -> None:
        self.queue: deque[Pending] = deque()


class Engine:
    """An open store of the native core, as a resource: ``async with Engine(path, config)``."""

    def __init__(
        self, path: str, config: Config, native_options: Mapping[str, object] | None = None
    ) -> None:
        """``native_options``: for tests, see :mod:`asyncstore.testing`."""
        _refuse_unsupported(config)
        self.path = path
        self.config = config
        self._opening = _native.Opening()
        self._native_options = {"opening": self._opening, **(native_options or {})}
        self.reads = Lane()
        self.writes = Lane()
        self.native: _native.Engine  # from __aenter__ on
        self.waker: Waker
        self._task_group: TaskGroup
        self._bridge_scope: anyio.CancelScope
        self._pending: dict[int, Pending] = {}
        # Why no call is taken any more: class and message of the error it gets instead.
        self._refusal: tuple[type[AsyncStoreError], str] | None = (
            StoreClosedError,
            f"store {path} is not open",
        )
        self._forked = False

    async def __aenter__(self) -> Self:
        self.native = await _in_thread(
            lambda: _open_native(self.path, self.config, self._native_options)
        )
        try:
            self.waker = current_waker()
            self._bridge_scope = anyio.CancelScope(shield=True)
            self._task_group = anyio.create_task_group()
            await self._task_group.__aenter__()
        except BaseException:
            await _in_thread(self.native.close)
            raise
        self._refusal = None
        self._task_group.start_soon(self._bridge)
        _engines.add(self)
        return self

    async def __aexit__(
        self,
        error_class: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Closes the store, also when the scope around it is cancelled.

        The task group is left without the body's exception, so that this is raised as it is and
        not inside an ExceptionGroup.
        """
        if self._forked:  # core, bridge and event loop are the parent's, which goes on with them
            return
        try:
            await self._close()
        finally:
            self._bridge_scope.cancel()
            self._task_group.cancel_scope.shield = True
            await self._task_group.__aexit__(None, None, None)

    def progress(self) -> RecoveryProgress:
        """How far opening has come. From any thread, also before and afterwards."""
        return msgspec.convert(self._opening.progress(), RecoveryProgress)

    def stop_opening(self) -> None:
        """Makes an opening that is under way raise ``StoreClosedError`` soon. From any thread."""
        self._opening.stop()

    def statistics(self) -> StoreStatistics:
        """What the core has done, and what waits for it here or there."""
        told = self.native.statistics()
        here = sum(not pending.abandoned for pending in self.reads.queue)
        waiting = cast("int", told["tasks_waiting"]) + here
        return msgspec.convert({**told, "tasks_waiting": waiting}, StoreStatistics)

    def start(self, lane: Lane, submit: Callable[[], int]) -> Pending:
        """Hands a job to the core, or queues it while the inbox is full.

        Args:
            lane: ``self.reads`` or ``self.writes``.
            submit: Calls one of the core's submit functions and returns its ticket.

        Raises:
            AsyncStoreError: The store is closed, or the core refuses the job at once.
        """
        if self._refusal is not None:
            raise self.refusal_error()
        pending = Pending(self, submit)
        if lane.queue or not self._hand_over(pending):
            lane.queue.append(pending)
        return pending

    async def call(self, lane: Lane, submit: Callable[[], int]) -> object:
        """Does a job and returns what it came to.

        Cancellation: a read ends soon; a write goes on if the core has taken it. The result is
        dropped.
        """
        return await (await self.begin(lane, submit)).result()

    async def begin(self, lane: Lane, submit: Callable[[], int]) -> Pending:
        """As :meth:`start`, but not in a scope that is cancelled already.

        A search can be answered before the loop gets to cancelling it, so waiting for the answer
        alone would not always be a checkpoint.
        """
        self.check_open()  # first: after a fork there is no loop to ask
        await anyio.lowlevel.checkpoint_if_cancelled()
        return self.start(lane, submit)

    def check_open(self) -> None:
        """Raises what a call would get if the store takes no calls any more."""
        if self._refusal is not None:
            raise self.refusal_error()

    async def checkpoint(self) -> None:
        """For calls that do not wait for the core; raises when the store takes no calls."""
        self.check_open()
        await anyio.lowlevel.checkpoint()
        self.check_open()

    def refusal_error(self) -> AsyncStoreError:
        """Why no call is taken: the store is closed, failed, or belongs to another process."""
        assert self._refusal is not None
        error_class, message = self._refusal
        return error_class(message)

    def forget(self, pending: Pending) -> None:
        """Drops a job nobody waits for; the core need not go on with it if it is a read."""
        known = self._pending.pop(pending.ticket, None) is not None
        if known and not self._forked:
            self.native.drop(pending.ticket)

    async def _bridge(self) -> None:
        """Wakes waiters as their jobs complete, until the store is closed."""
        try:
            with self._bridge_scope:
                await self.waker.watch(self.native.event_fd(), self._collect)
        except Exception as error:  # a bug, here or in the core: nobody may wait forever for it
            self._refuse(StoreFailedError, f"store {self.path} lost its bridge: {error!r}", error)
        finally:
            if self._refusal is None:  # the event loop is being torn down around an open store
                self._refuse(StoreClosedError, f"the event loop of store {self.path} has ended")

    def _collect(self) -> None:
        """Takes what has completed from the core, wakes its waiters, fills the inbox again."""
        pending_by_ticket = self._pending
        for ticket, value in self.native.drain():
            pending = pending_by_ticket.pop(ticket, None)
            if pending is None:  # cancelled meanwhile
                continue
            if isinstance(value, _native.NativeError):
                pending.complete(None, translated(value))
            else:
                pending.complete(value, None)
        for lane in (self.reads, self.writes):
            if lane.queue:
                self._refill(lane)

    def _refill(self, lane: Lane) -> None:
        """Hands over queued jobs, oldest first, until the inbox is full again."""
        while lane.queue:
            pending = lane.queue[0]
            if not pending.abandoned:
                try:
                    if not self._hand_over(pending):
                        return
                except Exception as error:  # whatever it is belongs to the one who asked
                    pending.complete(None, error)
            lane.queue.popleft()

    def _hand_over(self, pending: Pending) -> bool:
        """Submits a job; False when the inbox is full."""
        try:
            ticket = pending.submit()
        except _native.NativeError as error:
            raise translated(error) from error
        if ticket == 0:
            return False
        pending.ticket = ticket
        self._pending[ticket] = pending
        return True

    async def _close(self) -> None:
        """Ends the core on a thread, then answers everyone who still waits."""
        refusal = self._refusal or (StoreClosedError, f"store {self.path} is closed")
        self._refusal = refusal
        try:
            with anyio.CancelScope(shield=True):
                await _in_thread(self.native.close)
            self._collect()
        finally:
            self._refuse(*refusal)

    def _refuse(
        self,
        error_class: type[AsyncStoreError],
        message: str,
        cause: BaseException | None = None,
    ) -> None:
        """Takes no calls from now on and wakes everyone with an error."""
        self._refusal = (error_class, message)
        waiting = [*self._pending.values(), *self.reads.queue, *self.writes.queue]
        self._pending.clear()
        self.reads.queue.clear()
        self.writes.queue.clear()
        for pending in waiting:
            error = error_class(message)
            error.__cause__ = cause
            pending.complete(None, error)

    def after_fork_in_child(self) -> None:
        """Makes the child's copy refuse every call; nobody in the child waits for anything."""
        self._forked = True
        self._refusal = (StoreClosedError, f"store {self.path} was opened by another process")
        # The copy of the core has no threads to end. It must never be taken down in the child.
        _parents_cores.append(self.native)


@contextmanager
def translating() -> Iterator[None]:
    """Raises the public error where a native one is raised inside."""
    try:
        yield
    except _native.NativeError as error:
        raise translated(error) from error


def translated(error: _native.NativeError) -> AsyncStoreError:
    """The public error that stands for a native one, with the native one as its cause."""
    public = error_from_native(
        error.code,
        error.message,
        file=error.file,
        offset_bytes=error.offset_bytes,
        os_errno=error.os_errno,
    )
    public.__cause__ = error
    return public


_engines: weakref.WeakSet[Engine] = weakref.WeakSet()
_parents_cores: list[_native.Engine] = []


def _after_fork_in_child() -> None:
    for engine in list(_engines):
        engine.after_fork_in_child()


os.register_at_fork(after_in_child=_after_fork_in_child)


async def _in_thread(call: Callable[[], T]) -> T:
    """Runs what blocks, opening and closing, on a thread that others cannot have taken."""
    return await anyio.to_thread.run_sync(call, limiter=anyio.CapacityLimiter(1))


def _open_native(path: str, config: Config, native_options: Mapping[str, object]) -> _native.Engine:
    storage = config.storage
    performance, optimizers = storage.performance, storage.optimizers
    unless_given = {"indexing_threshold_kb": 10000, "max_segment_kb": 0}
    try:
        return _native.Engine.open(
            path,
            async_scorer=storage.async_scorer.value,
            durability=storage.durability.value,
            workers=performance.workers,
            io_depth=performance.io_depth,
            direct_io=performance.direct_io.value,
            cache_bytes=performance.cache_bytes,
            prewarm=performance.prewarm,
            **cast("dict[str, Any]", {**unless_given, **core_optimizers(optimizers)}),
            **cast("dict[str, Any]", native_options),
        )
    except _native.NativeError as error:
        raise translated(error) from error


def _refuse_unsupported(config: Config) -> None:
    """Refuses settings that would be accepted and have no effect."""
    storage = config.storage
    unsupported: Sequence[tuple[bool, str]] = (
        (storage.optimizers.memmap_threshold is not None, "storage.optimizers.memmap_threshold"),
        (
            storage.optimizers.max_optimization_threads is not None,
            "storage.optimizers.max_optimization_threads",
        ),
        (not storage.on_disk_payload, "storage.on_disk_payload: false"),
    )
    for present, key in unsupported:
        if present:
            raise UnsupportedError(f"{key} is not supported yet")
