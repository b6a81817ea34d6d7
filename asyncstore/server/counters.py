"""How many requests there were of each kind, how they ended and how long they took."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypedDict


@dataclass
class _Counter:
    count: int = 0
    total_s: float = 0.0
    min_s: float = float("inf")
    max_s: float = 0.0
    last: datetime = datetime.min


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
        counter.count += 1
        counter.total_s += seconds
        counter.min_s = min(counter.min_s, seconds)
        counter.max_s = max(counter.max_s, seconds)
        counter.last = datetime.now(UTC)

    def counts(self) -> Iterator[tuple[str, str, int, int]]:
        """Method, path, status and how many, in their order."""
        for (method, path, status), counter in sorted(
            self._by_kind.items(), key=lambda one: one[0]
        ):
            yield method, path, status, counter.count

    def responses(self) -> dict[str, dict[str, Responses]]:
        """What telemetry tells of them: by ``METHOD path``, then by status."""
        told: dict[str, dict[str, Responses]] = {}
        for (method, path, status), counter in self._by_kind.items():
            told.setdefault(f"{method} {path}", {})[str(status)] = {
                "count": counter.count,
                "avg_duration_micros": counter.total_s / counter.count * 1e6,
                "min_duration_micros": counter.min_s * 1e6,
                "max_duration_micros": counter.max_s * 1e6,
                "total_duration_micros": round(counter.total_s * 1e6),
                "last_responded": counter.last.isoformat(),
            }
        return told
