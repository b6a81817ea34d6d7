"""How an event loop is told that a descriptor is readable, and how it wakes a waiter.

Once for asyncio, in its own terms, and once for every other loop, in anyio's. One search over one
point, end to end (CPython 3.11, two cores, medians): on asyncio 48 µs through anyio's
``wait_readable`` and ``Event``, 22 µs in its own terms; with 64 in flight 11 and 8 µs each. The way
through anyio registers the descriptor anew for every wait and needs one more turn of the loop.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Protocol

import anyio


class Wakeup(Protocol):
    """Something one task waits for, once."""

    def wait(self) -> Awaitable[object]:
        """Returns once it was set."""

    def set(self) -> None:
        """Wakes who waits; setting it again does nothing."""


class Waker(Protocol):
    """What the engine needs of an event loop."""

    def wakeup(self) -> Wakeup:
        """A new wakeup, not set."""

    async def watch(self, descriptor: int, on_readable: Callable[[], None]) -> None:
        """Calls ``on_readable`` whenever the descriptor is readable, until it is cancelled.

        What ``on_readable`` raises is raised here, and ends the watch.
        """


def current_waker() -> Waker:
    """The waker of the event loop that runs here."""
    sniffio = sys.modules.get("sniffio")  # other loops bring it, as anyio presumes too
    if sniffio is None or sniffio.current_async_library() == "asyncio":
        return AsyncioWaker()
    return AnyioWaker()


class AsyncioWaker:
    """asyncio and uvloop: the loop itself calls ``on_readable``, and a future wakes the task."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()

    def wakeup(self) -> FutureWakeup:
        """A new wakeup, not set."""
        return FutureWakeup(self._loop)

    async def watch(self, descriptor: int, on_readable: Callable[[], None]) -> None:
        """Registers the descriptor once, for as long as it is watched."""
        ended: asyncio.Future[None] = self._loop.create_future()

        def call() -> None:
            try:
                on_readable()
            except Exception as error:  # raised below, in the task that watches
                self._loop.remove_reader(descriptor)
                if not ended.done():
                    ended.set_exception(error)

        self._loop.add_reader(descriptor, call)
        try:
            await ended
        finally:
            self._loop.remove_reader(descriptor)


class FutureWakeup:
    """A future that may be set more than once."""

    __slots__ = ("_future",)

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._future: asyncio.Future[None] = loop.create_future()

    def wait(self) -> Awaitable[None]:
        """The future itself: a coroutine around it would cost as much again."""
        return self._future

    def set(self) -> None:
        """Wakes who waits, unless nobody does any more."""
        if not self._future.done():
            self._future.set_result(None)


class AnyioWaker:
    """Every loop that anyio knows."""

    def __init__(self) -> None:
        # The concrete class: finding the loop anew for each event would cost as much again.
        self._event_class = type(anyio.Event())

    def wakeup(self) -> anyio.Event:
        """A new wakeup, not set."""
        return self._event_class()

    async def watch(self, descriptor: int, on_readable: Callable[[], None]) -> None:
        """Waits, calls, and waits again."""
        while True:
            await anyio.wait_readable(descriptor)
            on_readable()
