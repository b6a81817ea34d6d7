"""Queries whose results are grouped by a value of the payload."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeAlias, cast

import msgspec

from asyncstore.asked import Asked, QueryLowering, all_of
from asyncstore.bounds import Bounds, check_number
from asyncstore.errors import InvalidArgumentError
from asyncstore.filter import lower_reading
from asyncstore.ids import point_id
from asyncstore.members import struct_of
from asyncstore.models import (
    FieldCondition,
    Filter,
    FilterInput,
    LookupLocation,
    MatchAny,
    MatchExcept,
    PointGroup,
    PointId,
    Prefetch,
    PrefetchInput,
    QueryInput,
    Record,
    ScoredPoint,
    SearchParams,
    WithLookup,
    WithLookupInput,
    WithPayload,
)
from asyncstore.pace import Pace, listed
from asyncstore.payload import check_path, decode_payload, payload_selection
from asyncstore.queries import Queries
from asyncstore.query import Diverse, Sought
from asyncstore.reads import Reads
from asyncstore.rows import NOTHING, Contents, text_of
from asyncstore.together import all_at_once

if TYPE_CHECKING:
    from asyncstore.engine import NativeFilter

Key: TypeAlias = str | int

_GROUPS = 10
_GROUP_SIZE = 3
_AHEAD = 2  # points that are asked for, for each place that is left
_HITS_MAX = 1 << 20  # of one reply
_INT64_MIN, _INT64_MAX = -(2**63), 2**63 - 1  # what a filter can ask for


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

    @property
    def is_complete(self) -> bool:
        """Whether there are as many groups as wanted."""
        return len(self.groups) >= self.limit

    def open_keys(self) -> list[Key]:
        """The keys of the groups that have room."""
        return [key for key, group in self.groups.items() if len(group) < self.size]


class Groups(Queries):
    """The call that groups what a query finds."""

    async def query_groups(
        self,
        query: QueryInput | None = None,
        *,
        group_by: str,
        limit: int = _GROUPS,
        group_size: int = _GROUP_SIZE,
        with_lookup: WithLookupInput | None = None,
        prefetch: PrefetchInput | Sequence[PrefetchInput] | None = None,
        using: str = "",
        filter: FilterInput | None = None,
        params: SearchParams | None = None,
        score_threshold: float | None = None,
        lookup_from: LookupLocation | Mapping[str, object] | None = None,
        with_payload: WithPayload = False,
        with_vectors: bool | Sequence[str] = False,
    ) -> list[PointGroup]:
        """Finds the best points of each value that a payload field has.

        A point belongs to the group of every string and every integer of 64 bits at ``group_by``;
        in an array each element counts. It looks on until the groups are full or no point is left,
        however many points one group has among the nearest. An index of the field makes that quick.

        Args:
            query: As in :meth:`query`.
            group_by: The JSON path of the values.
            limit: How many groups, at least 1.
            group_size: How many points of each, at least 1.
            with_lookup: A collection whose points have the groups' values as ids; or a
                ``WithLookup``, which says what of these points is wanted.
            prefetch: As in :meth:`query`.
            using: As in :meth:`query`.
            filter: As in :meth:`query`.
            params: As in :meth:`query`.
            score_threshold: As in :meth:`query`.
            lookup_from: As in :meth:`query`.
            with_payload: As in :meth:`retrieve`.
            with_vectors: As in :meth:`search`.

        Returns:
            Groups, that with the best point first.

        Raises:
            InvalidArgumentError: As :meth:`query`; or ``group_by`` is no path.
            CollectionNotFoundError: That of ``with_lookup`` or ``lookup_from`` does not exist.
            PointNotFoundError: As :meth:`query`.
            CorruptionError: A row or value that was needed is damaged on disk.
            StorageIOError: A row or value that was needed could not be read.

        Example:
            >>> async def best_chunks_of_documents(collection, vector):
            ...     groups = await collection.query_groups(vector, group_by="document_id")
            ...     return {group.id: [hit.id for hit in group.hits] for group in groups}
        """
        check_path(group_by, "group_by")
        check_number(limit, Bounds(1), "limit")
        check_number(group_size, Bounds(1), "group_size")
        contents = Contents(
            self._wanted(with_vectors) if with_vectors else (), payload_selection(with_payload)
        )
        lookup = None if with_lookup is None else self._lookup(with_lookup)
        given = Prefetch(
            prefetch=prefetch,  # type: ignore[arg-type]
            query=query,
            using=using,
            filter=filter,
            params=params,
            score_threshold=score_threshold,
            limit=min(limit * group_size, _HITS_MAX),
            lookup_from=lookup_from,  # type: ignore[arg-type]
        )
        asked = await QueryLowering(self, Pace()).asked(given)
        grouping = Grouping(limit, group_size)
        if asked.fuse is not None or isinstance(asked.sought, Diverse):
            await self._group_listed(asked, group_by, grouping)
        else:
            await self._group_ranked(asked, group_by, grouping)
        hits = {point: hit for group in grouping.groups.values() for point, hit in group.items()}
        if not contents.is_nothing:
            points = await self._points(list(hits), contents)
            hits = {
                point: msgspec.structs.replace(
                    hits[point], payload=found.payload, vector=found.vector
                )
                for point, found in points.items()
            }
        records = {} if lookup is None else await lookup.records(list(grouping.groups))
        return [
            PointGroup(
                id=key,
                hits=[hits[point] for point in group if point in hits],
                lookup=records.get(key),
            )
            for key, group in grouping.groups.items()
        ]

    async def _group_listed(self, asked: Asked, group_by: str, grouping: Grouping) -> None:
        """A list that is made as a whole has no more points than there are candidates."""
        if isinstance(asked.sought, Diverse):
            count = asked.sought.candidates(asked.limit)
        else:
            count = sum(one.limit for one in asked.prefetches)
        everything = dataclasses.replace(asked, limit=count)
        for hit in await self._find(everything, [], _keys_of(group_by)):
            bare = msgspec.structs.replace(hit, payload=None)
            grouping.add(bare, _keys_in(hit.payload or {}))

    async def _group_ranked(self, asked: Asked, group_by: str, grouping: Grouping) -> None:
        """First which groups there are, best first; then the rest of their points."""
        restrictions = await self._candidates(asked)
        count = asked.limit
        by_groups = True  # while that finds any
        while True:
            known = set(grouping.groups)
            beside = [_beside(list(known), group_by)] if known else []
            # Of the groups that are known only points come again that have another value besides:
            # not their best ones, so none is added.
            seen, is_new = await self._add(
                asked, restrictions, beside, count, group_by, grouping, known, by_groups=by_groups
            )
            if grouping.is_complete or (not by_groups and seen < count):
                break
            # Where that other value is no key, or of a known group too, more are looked at.
            count = count if is_new or by_groups else 2 * count
            by_groups = by_groups and is_new
        # Groups of about one size fill up together; what has room then is looked for by itself.
        if open_keys := grouping.open_keys():
            count = min(_AHEAD * len(open_keys) * grouping.size, _HITS_MAX)
            among = [_among(open_keys, group_by)]
            await self._add(asked, restrictions, among, count, group_by, grouping, by_groups=True)
            if not grouping.open_keys():
                return
            own = await lower_reading(among[0], self._fields, Pace())
            theirs = all_of([*restrictions, *([] if own is None else [own])])
            if theirs is not None and await self._count(theirs) <= count:
                return  # all of them were looked at
        one = dataclasses.replace(asked, limit=grouping.size)

        async def fill(key: Key) -> None:
            own = await lower_reading(_among([key], group_by), self._fields, Pace())
            filters = [*restrictions, *([] if own is None else [own])]
            hits = await self._hits(one, all_of(filters), NOTHING)
            grouping.groups[key] = {hit.id: hit for hit in hits}

        await all_at_once([partial(fill, key) for key in grouping.open_keys()])

    async def _add(
        self,
        asked: Asked,
        restrictions: Sequence[NativeFilter],
        among: Sequence[Filter],
        count: int,
        group_by: str,
        grouping: Grouping,
        settled: Collection[Key] = (),
        *,
        by_groups: bool = False,
    ) -> tuple[int, bool]:
        """Groups the best ``count`` points; how many there were, and whether any was of use.

        ``by_groups``: the best points of the best groups, where the core can tell them.
        """
        lowered = [await lower_reading(one, self._fields, Pace()) for one in among]
        filters = [*restrictions, *(one for one in lowered if one is not None)]
        part = dataclasses.replace(asked, limit=count)
        groups = (grouping.limit, grouping.size) if by_groups else None
        hits = await self._keyed(part, all_of(filters), group_by, groups)
        is_new = False
        for hit, keys in hits:
            is_new = grouping.add(hit, keys, settled) or is_new
        return len(hits), is_new

    async def _keyed(
        self,
        asked: Asked,
        filter: NativeFilter | None,
        group_by: str,
        groups: tuple[int, int] | None,
    ) -> list[tuple[ScoredPoint, list[Key]]]:
        """Points, best first, and the keys of their groups."""
        contents = _keys_of(group_by)
        if not isinstance(asked.sought, Sought):
            hits = await self._hits(asked, filter, contents)
            return [
                (msgspec.structs.replace(hit, payload=None), _keys_in(hit.payload or {}))
                for hit in hits
            ]
        ids, scores, versions, _, texts = await self._ranked(
            asked, asked.sought, filter, contents, groups
        )
        if texts is None:
            return []  # nothing was found
        pace = Pace()
        columns = [await listed(column, pace) for column in (ids, versions, scores)]
        found: list[tuple[ScoredPoint, list[Key]]] = []
        for row, (id, version, score) in enumerate(zip(*columns, strict=True)):
            keys = _keys_in(decode_payload(text_of(texts, row)))
            found.append((ScoredPoint(id=id, version=version, score=score), keys))
            await pace.breathe()
        return found

    def _lookup(self, given: object) -> _Lookup:
        if isinstance(given, str):
            given = WithLookup(collection=given)
        lookup = struct_of(given, WithLookup, "with_lookup")
        vectors = lookup.with_vectors if lookup.with_vector is None else lookup.with_vector
        other = self._sibling(lookup.collection)
        contents = Contents(other._wanted(vectors), payload_selection(lookup.with_payload))
        return _Lookup(other, contents)


@dataclasses.dataclass(frozen=True)
class _Lookup:
    """Points of another collection by the keys of groups."""

    collection: Reads
    contents: Contents

    async def records(self, keys: Sequence[Key]) -> dict[Key, Record]:
        """The points that there are; all in one read."""
        ids: dict[Key, PointId] = {}
        for key in keys:
            try:
                ids[key] = point_id(key, "with_lookup")
            except InvalidArgumentError:
                continue  # no point can have it as its id
        found = await self.collection._records(list(ids.values()), self.contents)
        records = {record.id: record for record in found}
        return {key: records[point] for key, point in ids.items() if point in records}


def _keys_of(group_by: str) -> Contents:
    """In the place of the payload the keys of a point's groups."""
    return Contents(payload=("group_keys", [group_by]))


def _keys_in(payload: Mapping[str, object]) -> list[Key]:
    """What the core put into the place of the payload; nothing where there is no payload."""
    keys = cast("list[Key]", payload.get("keys", []))
    return [key for key in keys if isinstance(key, str) or _INT64_MIN <= key <= _INT64_MAX]


def _among(keys: Sequence[Key], group_by: str) -> Filter:
    """Points that have one of the keys."""
    return Filter(
        should=[FieldCondition(key=group_by, match=MatchAny(any=some)) for some in _by_type(keys)]
    )


def _beside(keys: Sequence[Key], group_by: str) -> Filter:
    """Points that have another value than the keys, and some that have not."""
    return Filter(
        must=[
            FieldCondition(key=group_by, match=MatchExcept(except_=some)) for some in _by_type(keys)
        ]
    )


def _by_type(keys: Sequence[Key]) -> list[list[str] | list[int]]:
    texts = [key for key in keys if isinstance(key, str)]
    numbers = [key for key in keys if isinstance(key, int)]
    return [some for some in (texts, numbers) if some]
