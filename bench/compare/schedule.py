"""Which trials run when, and which queries each of their phases asks."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.compare.engine import Engine, Setting, Way
from bench.compare.trial import Phase, Trial

INFLIGHT = (1, 16)
WARM_UP_QUERIES = 200
BATCH_QUERIES = 1_000


@dataclass(frozen=True)
class Schedule:
    """All rounds of a comparison.

    Every engine asks the same queries in the same phase of a round, no query twice in a trial
    (it would find its rows in a cache), and each round asks others until there are none left.
    """

    engines: Sequence[Engine]
    settings: Sequence[str]  # parts of names; none: all
    caps_mib: Sequence[int]
    conditions: Sequence[str]
    queries: int  # of each phase, at most
    queries_available: int
    seconds_max: float

    def wanted(self, engine: Engine) -> list[Setting]:
        """The settings of an engine that were asked for."""
        return [
            setting
            for setting in engine.settings
            if not self.settings or any(part in setting.name for part in self.settings)
        ]

    def turns(self, number: int) -> Iterator[Trial]:
        """The trials of a round: engines take turns, and another one begins each round."""
        first = number % len(self.engines)
        order = [*self.engines[first:], *self.engines[:first]]
        conditions: list[tuple[bool, int | None]] = []
        if "cold" in self.conditions:
            conditions += [(False, cap) for cap in self.caps_mib] or [(False, None)]
        if "warm" in self.conditions:
            conditions.append((True, None))
        for warm, cap_mib in conditions:
            lists = [[(engine, setting) for setting in self.wanted(engine)] for engine in order]
            for turn in itertools.zip_longest(*lists):
                for pair in turn:
                    if pair is not None:
                        yield Trial(pair[0], pair[1], warm, cap_mib)

    def phases(self, engine: Engine, number: int) -> tuple[Phase, list[Phase]]:
        """The warm-up of a trial in a round, and its loads."""
        counts = self._counts()
        begin = number * (WARM_UP_QUERIES + sum(counts))
        first = begin + WARM_UP_QUERIES
        phases: list[Phase] = []
        single = [way for way in engine.ways if way is not Way.BATCH]
        slots = [(way, inflight) for way in single for inflight in INFLIGHT]
        batch_slot = len(counts) - 1
        for slot, count in enumerate(counts):
            if slot < len(slots) and slot < batch_slot:
                way, inflight = slots[slot]
                phases.append(self._phase(way, inflight, first, count))
            elif slot == batch_slot and Way.BATCH in engine.ways:
                phases.append(self._phase(Way.BATCH, count, first, count))
            first += count
        warm_up = self._phase(engine.ways[0], max(INFLIGHT), begin, WARM_UP_QUERIES)
        return warm_up, phases

    def _phase(self, way: Way, inflight: int, first: int, count: int) -> Phase:
        return Phase(way.value, inflight, first, count, self.seconds_max)

    def _counts(self) -> list[int]:
        """Queries of each phase: one after the other for as many ways as an engine has, a batch."""
        ways = max(sum(way is not Way.BATCH for way in engine.ways) for engine in self.engines)
        counts = [self.queries] * (ways * len(INFLIGHT)) + [max(self.queries, BATCH_QUERIES)]
        if WARM_UP_QUERIES + sum(counts) > self.queries_available:
            share = (self.queries_available - WARM_UP_QUERIES) // len(counts)
            if share < 1:  # so few that they must be asked again
                share = max(1, self.queries_available // len(counts))
            counts = [min(count, share) for count in counts]
        return counts
