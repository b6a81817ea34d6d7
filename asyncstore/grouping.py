"""Groups of points, as they fill up."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TypeAlias

from asyncstore.models import PointId, ScoredPoint

Key: TypeAlias = str | int


class Grouping:
    """Groups that fill up as points come, best first.

    Args:
        limit: How many groups are wanted.
        size: How many points of each.
    """

    def __init__(self, limit: int, size: int) -> None:
        self.limit = limit
        self.size = size
        self.groups: dict[Key, dict[PointId, ScoredPoint]] = {}  # the best first
        self._settled: set[Key] = set()

    def add(self, hit: ScoredPoint, keys: Sequence[Key], settled: Collection[Key] = ()) -> bool:
        """Puts a point into the groups of its keys, but not of ``settled`` ones.

        Returns:
            False when that changed nothing.
        """
        added = False
        for key in keys:
            if key in settled:
                continue
            group = self.groups.get(key)
            if group is None:
                if len(self.groups) >= self.limit:
                    continue
                group = self.groups[key] = {}
            if len(group) < self.size and hit.id not in group:
                group[hit.id] = hit
                added = True
        return added

    def add_all(
        self,
        hits: Iterable[tuple[ScoredPoint, Sequence[Key]]],
        settled: Collection[Key] = (),
    ) -> bool:
        """The same of many, best first."""
        changes = [self.add(hit, keys, settled) for hit, keys in hits]
        return any(changes)

    def put(self, key: Key, hits: dict[PointId, ScoredPoint], *, is_settled: bool) -> bool:
        """Puts in a whole group, unless it is there already or there are enough.

        Args:
            key: The value of the group.
            hits: Its points, best first.
            is_settled: Whether no other point of it is wanted.

        Returns:
            False when that changed nothing.
        """
        if key in self.groups or self.is_complete:
            return False
        self.groups[key] = hits
        if is_settled:
            self._settled.add(key)
        return True

    def fill(self, key: Key, hits: dict[PointId, ScoredPoint], *, is_settled: bool) -> None:
        """Puts other points, best first, into a group that may have room, unless they are fewer."""
        if self._is_open(key) and len(hits) >= len(self.groups[key]):
            self.groups[key] = hits
            if is_settled:
                self._settled.add(key)

    @property
    def is_complete(self) -> bool:
        """Whether there are as many groups as wanted."""
        return len(self.groups) >= self.limit

    def open_keys(self) -> list[Key]:
        """The keys of the groups that may have room for points that were not found yet."""
        return [key for key in self.groups if self._is_open(key)]

    def _is_open(self, key: Key) -> bool:
        group = self.groups.get(key)
        return group is not None and len(group) < self.size and key not in self._settled
