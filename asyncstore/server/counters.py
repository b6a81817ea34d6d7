"""How many requests there were of each kind, how they ended and how long they took."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypedDict

from asyncstore.models import DurationHistogram

# From what a search takes up to what a client waits.
_BOUNDS_S = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1),
    *(0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)


@dataclass
class _Counter:
    counts: list[int] = field(default_factory=lambda: [0] * (len(_BOUNDS_S) + 1))
    total_s: float = 0.0
    min_s: float = float("inf")
    max_s: float = 0.0
    last: datetime = datetime.min

    def durations(self) -> DurationHistogram:
        return DurationHistogram(bounds_s=_BOUNDS_S, counts=tuple(self.counts), sum_s=self.total_s)


class Responses(TypedDict):
    """Requests to one endpoint that ended with one status."""

    count: int
    avg_duration_micros: float
    min_duration_micros: float
    max_duration_micros: float
    total_duration_micros: int
    last_responded: str


class Counters:
    """Counts of a server, from its start on, by method, path of the endpoint, and status."""

    def __init__(self) -> None:
        """Nothing has been asked yet."""
        self._by_kind: dict[tuple[str, str, int], _Counter] = {}

    def add(self, method: str, path: str, status: int, seconds: float) -> None:
        """Counts a request that has been answered."""
        counter = self._by_kind.setdefault((method, path, status), _Counter())
        counter.counts[bisect_left(_BOUNDS_S, seconds)] += 1
        counter.total_s += seconds
        counter.min_s = min(counter.min_s, seconds)
        counter.max_s = max(counter.max_s, seconds)
        counter.last = datetime.now(UTC)

    def durations(self) -> Iterator[tuple[str, str, int, DurationHistogram]]:
        """Method, path, status and how long these took, in their order."""
        for (method, path, status), counter in sorted(
            self._by_kind.items(), key=lambda one: one[0]
        ):
            yield method, path, status, counter.durations()

    def responses(self) -> dict[str, dict[str, Responses]]:
        """What telemetry tells of them: by ``METHOD path``, then by status."""
        told: dict[str, dict[str, Responses]] = {}
        for (method, path, status), counter in self._by_kind.items():
            count = sum(counter.counts)
            told.setdefault(f"{method} {path}", {})[str(status)] = {
                "count": count,
                "avg_duration_micros": counter.total_s / count * 1e6,
                "min_duration_micros": counter.min_s * 1e6,
                "max_duration_micros": counter.max_s * 1e6,
                "total_duration_micros": round(counter.total_s * 1e6),
                "last_responded": counter.last.isoformat(),
            }
        return told
