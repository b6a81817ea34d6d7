"""Load on an engine: so many searches in flight, each answered query's time and rows kept."""

import asyncio
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.compare.engine import Engine, Ids, Setting, Way, padded
from bench.compare.exact import Floats


@dataclass(frozen=True)
class Answers:
    """Of the first queries, in their order: fewer than were asked if time ran out."""

    ids: Ids
    latencies_s: NDArray[np.float64]
    seconds: float


async def run(
    engine: Engine,
    setting: Setting,
    queries: Floats,
    *,
    way: Way,
    inflight: int,
    seconds_max: float,
) -> Answers:
    """Asks all queries, `inflight` at a time; after `seconds_max` no more are begun.

    In a batch there is one call, so its latency is every query's.
    """
    if way is Way.BATCH:
        begin = time.perf_counter()
        ids = await engine.search_batch(queries, setting)
        took_s = time.perf_counter() - begin
        return Answers(ids, np.full(len(queries), took_s), took_s)
    pending = _Pending(engine, setting, queries, time.perf_counter() + seconds_max)
    begin = time.perf_counter()
    if way is Way.ASYNCIO:
        async with asyncio.TaskGroup() as group:
            for _ in range(inflight):
                group.create_task(pending.work_asyncio())
    else:
        await asyncio.to_thread(_run_threads, pending, inflight)
    return pending.answers(time.perf_counter() - begin)


class _Pending:
    """The queries not yet asked; every worker takes the next one."""

    def __init__(self, engine: Engine, setting: Setting, queries: Floats, deadline: float) -> None:
        self._engine = engine
        self._setting = setting
        self._queries = queries
        self._deadline = deadline
        self._numbers: Iterator[int] = iter(range(len(queries)))
        self._lock = threading.Lock()
        self._found: list[list[int] | None] = [None] * len(queries)
        self._latencies_s = np.zeros(len(queries))
        self.failures: list[BaseException] = []

    async def work_asyncio(self) -> None:
        while (number := self._next()) is not None:
            begin = time.perf_counter()
            ids = await self._engine.search_asyncio(self._queries[number], self._setting)
            self._answered(number, begin, ids)

    def work_thread(self) -> None:
        try:
            while (number := self._next()) is not None:
                begin = time.perf_counter()
                ids = self._engine.search_threads(self._queries[number], self._setting)
                self._answered(number, begin, ids)
        except BaseException as error:  # raised again by the thread that waits for all
            self.failures.append(error)

    def answers(self, seconds: float) -> Answers:
        # Queries are taken in order and every one taken is answered: no gaps.
        found = [ids for ids in self._found if ids is not None]
        return Answers(padded(found, self._setting.limit), self._latencies_s[: len(found)], seconds)

    def _next(self) -> int | None:
        with self._lock:
            return next(self._numbers, None) if time.perf_counter() < self._deadline else None

    def _answered(self, number: int, begin: float, ids: Ids) -> None:
        self._latencies_s[number] = time.perf_counter() - begin
        self._found[number] = ids.tolist()


def _run_threads(pending: _Pending, count: int) -> None:
    threads = [threading.Thread(target=pending.work_thread) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if pending.failures:
        raise pending.failures[0]


def recall(found: Ids, exact: NDArray[np.int32], limit: int) -> float:
    """The share of the `limit` nearest rows of each query that were found."""
    wanted = exact[:, :limit]
    hits = sum(
        len(np.intersect1d(ids[:limit], row)) for ids, row in zip(found, wanted, strict=True)
    )
    return hits / wanted.size
