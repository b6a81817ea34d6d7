"""What filters cost a search, by how many points they admit.

Everything is warm: the cost of filters is in the processor, that of reads is measured elsewhere.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

import msgspec
import numpy as np
from rich.table import Table

from asyncstore.cli.measure import LIMIT, Subject
from asyncstore.cli.output import Output
from asyncstore.collection import Collection
from asyncstore.models import Filter, SearchParams
from asyncstore.store import open_store
from asyncstore.together import all_at_once

# What part of the points is admitted; the first is no filter at all.
SHARES = (1.0, 0.5, 0.1, 0.01, 0.001)
INFLIGHT = 16
# Of those searches the true nearest are looked for too, by reading all that is admitted.
RECALL_SEARCHES = 20
COMPILE_ROUNDS = 20

# For a share of the points, and for which of several that admit about as many.
FilterOf: TypeAlias = Callable[[float, int], Filter]


class FilterMeasurement(msgspec.Struct, frozen=True, kw_only=True):
    """Searches with one filter.

    Attributes:
        share: What part of the points the filter was made to admit.
        points: How many it admits.
        compile_ms: What a count by a filter takes that was not asked before: compiling, and a round
            trip; the median.
        searches_per_s: With 16 at a time.
    """

    share: float
    points: int
    compile_ms: float
    searches: int
    recall: float
    latency_ms_p50: float
    latency_ms_p99: float
    searches_per_s: float


async def measured_filters(
    subject: Subject, filter_of: FilterOf, output: Output
) -> list[FilterMeasurement]:
    """Measures each share of the points; ``filter_of`` makes the filter that admits it."""
    measurements = []
    with output.console.status("Searching with filters …"):
        async with open_store(subject.path) as store:
            collection = await store.get_collection(subject.collection)
            await collection.prewarm()
            for share in SHARES:
                measurements.append(await _measured(collection, subject, share, filter_of))
    return measurements


async def _measured(
    collection: Collection, subject: Subject, share: float, filter_of: FilterOf
) -> FilterMeasurement:
    filters = [None if share == 1.0 else filter_of(share, n) for n in range(COMPILE_ROUNDS)]
    filter = filters[-1]

    async def search(number: int, params: SearchParams = subject.params) -> set[object]:
        hits = await collection.search(
            subject.queries[number], limit=LIMIT, using=subject.using, filter=filter, params=params
        )
        return {hit.id for hit in hits}

    compile_ms, points = await _compiled(collection, filters)
    found, wanted = 0, 0
    for number in range(min(RECALL_SEARCHES, len(subject.queries))):
        nearest = await search(number, SearchParams(exact=True))
        wanted += len(nearest)
        found += len(nearest & await search(number))
    latencies_ms = []
    for number in range(len(subject.queries)):
        began_s = time.perf_counter()
        await search(number)
        latencies_ms.append((time.perf_counter() - began_s) * 1000)
    took_s = await _at_once(search, len(subject.queries))
    p50, p99 = np.percentile(latencies_ms, [50, 99])
    return FilterMeasurement(
        share=share,
        points=points,
        compile_ms=compile_ms,
        searches=len(latencies_ms),
        recall=found / wanted if wanted else 1.0,
        latency_ms_p50=float(p50),
        latency_ms_p99=float(p99),
        searches_per_s=len(latencies_ms) / took_s,
    )


async def _compiled(collection: Collection, filters: Sequence[Filter | None]) -> tuple[float, int]:
    """What compiling one takes, and how many points the last one admits."""
    times_ms, points = [], 0
    for filter in filters:
        began_s = time.perf_counter()
        points = await collection.count(filter=filter)
        times_ms.append((time.perf_counter() - began_s) * 1000)
    return float(np.median(times_ms)), points


async def _at_once(search: Callable[[int], Awaitable[object]], searches: int) -> float:
    """All searches, some of them at a time; how many seconds that takes."""
    left = iter(range(searches))

    async def work() -> None:
        for number in left:
            await search(number)

    began_s = time.perf_counter()
    await all_at_once([work] * INFLIGHT)
    return time.perf_counter() - began_s


def filters_table(measurements: list[FilterMeasurement], title: str) -> Table:
    """A table that needs no manual."""
    table = Table(title=title, title_justify="left")
    for heading in (
        *("admitted", "points", "compile ms", "recall@10"),
        *("median ms", "p99 ms", "per second"),
    ):
        table.add_column(heading, justify="right")
    for one in measurements:
        table.add_row(
            "all" if one.share == 1.0 else f"{one.share:.1%}",
            f"{one.points:,}",
            "–" if one.share == 1.0 else f"{one.compile_ms:.2f}",
            f"{one.recall:.3f}",
            f"{one.latency_ms_p50:.2f}",
            f"{one.latency_ms_p99:.2f}",
            f"{one.searches_per_s:,.0f}",
        )
    return table
