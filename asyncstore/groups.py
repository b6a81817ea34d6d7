"""Queries whose results are grouped by a value of the payload."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeAlias, cast

import msgspec

from asyncstore.asked import Asked, QueryLowering, all_of
from asyncstore.bounds import Bounds, check_number
from asyncstore.errors import InvalidArgumentError
from asyncstore.filter import lower_reading
from asyncstore.grouping import Grouping, Key
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
from asyncstore.pace import Pace
from asyncstore.payload import check_path, payload_selection
from asyncstore.queries import Queries
from asyncstore.query import Diverse, Sought
from asyncstore.reads import Reads
from asyncstore.rows import NOTHING, Contents, scored_points
from asyncstore.together import all_at_once
from asyncstore.vectors import VectorField

if TYPE_CHECKING:
    from asyncstore.engine import NativeFilter

CoreGroup: TypeAlias = tuple[Key, dict[PointId, ScoredPoint], bool]  # and whether it is settled

_GROUPS = 10
_GROUP_SIZE = 3
_AHEAD = 2  # points that are asked for, for each place that is left
_HITS_MAX = 1 << 20  # of one reply
_COUNT_MAX = 2**32 - 1  # of groups and of points of each that the core takes; no store has more


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
            self._wanted(with_vectors),
            payload_selection(with_payload),
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
            restrictions = await self._candidates(asked)
            await self._group_ranked(_Gathering(asked, restrictions, group_by, grouping))
        if not contents.is_nothing:
            await self._add_contents(grouping, contents)
        records = {} if lookup is None else await lookup.records(list(grouping.groups))
        return [
            PointGroup(id=key, hits=list(group.values()), lookup=records.get(key))
            for key, group in grouping.groups.items()
        ]

    async def _add_contents(self, grouping: Grouping, contents: Contents) -> None:
        """Adds what is asked for of the points; those that are gone by now are left out."""
        hits = {point: hit for group in grouping.groups.values() for point, hit in group.items()}
        points = await self._points(list(hits), contents)
        whole = {
            point: msgspec.structs.replace(hits[point], payload=one.payload, vector=one.vector)
            for point, one in points.items()
        }
        for key, group in grouping.groups.items():
            grouping.groups[key] = {point: whole[point] for point in group if point in whole}

    async def _group_listed(self, asked: Asked, group_by: str, grouping: Grouping) -> None:
        """A list that is made as a whole has no more points than there are candidates."""
        if isinstance(asked.sought, Diverse):
            count = asked.sought.candidates(asked.limit)
        else:
            count = sum(one.limit for one in asked.prefetches)
        everything = dataclasses.replace(asked, limit=count)
        for hit in await self._find(everything, [], _keys_of(group_by)):
            grouping.add(*_keyed(hit))

    async def _group_ranked(self, gathering: _Gathering) -> None:
        """First which groups there are, best first; then the rest of their points."""
        if not await self._group_in_core(gathering):
            await self._find_groups(gathering)
        if gathering.grouping.open_keys():
            await self._fill(gathering)

    async def _group_in_core(self, gathering: _Gathering) -> bool:
        """The groups that points in sight tell of; whether no other group is wanted."""
        if not gathering.is_core_business:
            return False
        grouping = gathering.grouping
        while True:
            others = await self._beside(gathering)
            found, are_all = await self._core_groups(gathering, others, gathering.asked.limit)
            news = [grouping.put(key, hits, is_settled=settled) for key, hits, settled in found]
            if are_all or grouping.is_complete or not any(news):
                return are_all or grouping.is_complete

    async def _core_groups(
        self, gathering: _Gathering, filters: Sequence[NativeFilter], count: int
    ) -> tuple[list[CoreGroup], bool]:
        """The best groups of the points that pass, as far as the best ``count`` of them tell.

        Returns:
            These groups, and whether no other group is wanted.
        """
        asked, grouping = gathering.part(count), gathering.grouping
        assert isinstance(asked.sought, Sought)
        by = (gathering.group_by, min(grouping.limit, _COUNT_MAX), min(grouping.size, _COUNT_MAX))
        passing = all_of([*gathering.restrictions, *filters])
        rows, groups, are_all = await self._best_groups(asked, asked.sought, passing, by)
        hits = await scored_points(rows, (), is_unnamed=self._is_unnamed)
        return [
            (key, {hits[place].id: hits[place] for place in places}, is_settled)
            for key, places, is_settled in groups
        ], are_all

    async def _find_groups(self, gathering: _Gathering) -> None:
        """Groups of the best points that are in no group yet, until there are no more."""
        count, grouping = gathering.asked.limit, gathering.grouping
        while not grouping.is_complete:
            # Of the groups that are known only points come again that have another value besides:
            # not their best ones, so none is added.
            known = set(grouping.groups)
            hits = await self._keyed(gathering, await self._beside(gathering), count)
            is_new = grouping.add_all(hits, known)
            if len(hits) < count:
                return
            # Where that other value is no key, or of a known group too, more are looked at.
            count = count if is_new else 2 * count

    async def _fill(self, gathering: _Gathering) -> None:
        """The rest of the points of groups that have room."""
        grouping = gathering.grouping
        # Groups of about one size fill up together; what has room then is looked for by itself.
        open_keys = grouping.open_keys()
        count = min(_AHEAD * len(open_keys) * grouping.size, _HITS_MAX)
        among = await self._among(gathering, open_keys)
        if gathering.is_core_business:
            found, _ = await self._core_groups(gathering, among, count)
            for key, own, is_settled in found:
                grouping.fill(key, own, is_settled=is_settled)
        else:
            hits = await self._keyed(gathering, among, count)
            grouping.add_all(hits)
            if len(hits) < count:
                return  # all of them were looked at

        async def fill(key: Key) -> None:
            passing = all_of([*gathering.restrictions, *await self._among(gathering, [key])])
            hits = await self._hits(gathering.part(grouping.size), passing, NOTHING)
            grouping.groups[key] = {hit.id: hit for hit in hits}

        await all_at_once([partial(fill, key) for key in grouping.open_keys()])

    async def _among(self, gathering: _Gathering, keys: Sequence[Key]) -> list[NativeFilter]:
        """A filter for points that are in one of these groups."""
        return await self._lowered(_among(keys, gathering.group_by))

    async def _beside(self, gathering: _Gathering) -> list[NativeFilter]:
        """A filter for points that may be in other groups than those that are known."""
        known = list(gathering.grouping.groups)
        return await self._lowered(_beside(known, gathering.group_by)) if known else []

    async def _lowered(self, filter: Filter) -> list[NativeFilter]:
        lowered = await lower_reading(filter, self._fields, Pace())
        return [] if lowered is None else [lowered]

    async def _keyed(
        self, gathering: _Gathering, filters: Sequence[NativeFilter], count: int
    ) -> list[tuple[ScoredPoint, list[Key]]]:
        """The best ``count`` points that pass, best first, and the keys of their groups."""
        passing = all_of([*gathering.restrictions, *filters])
        contents = _keys_of(gathering.group_by)
        return [_keyed(hit) for hit in await self._hits(gathering.part(count), passing, contents)]

    def _lookup(self, given: object) -> _Lookup:
        if isinstance(given, str):
            given = WithLookup(collection=given)
        lookup = struct_of(given, WithLookup, "with_lookup")
        vectors = lookup.with_vectors if lookup.with_vector is None else lookup.with_vector
        other = self._sibling(lookup.collection)
        contents = Contents(other._wanted(vectors), payload_selection(lookup.with_payload))
        return _Lookup(other, contents)


@dataclasses.dataclass(frozen=True)
class _Gathering:
    """Groups that fill up with what a query finds, point by point.

    Attributes:
        asked: The query.
        restrictions: What all points must be like.
        group_by: The path of the values.
        grouping: The groups so far.
    """

    asked: Asked
    restrictions: Sequence[NativeFilter]
    group_by: str
    grouping: Grouping

    @property
    def is_core_business(self) -> bool:
        """Whether the core makes groups of what such a query finds."""
        return isinstance(self.asked.sought, Sought) and isinstance(self.asked.field, VectorField)

    def part(self, count: int) -> Asked:
        """The query for its best ``count`` points."""
        return dataclasses.replace(self.asked, limit=count)


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


def _keyed(hit: ScoredPoint) -> tuple[ScoredPoint, list[Key]]:
    """The point, and what the core put into the place of its payload, if it has any."""
    keys = cast("list[Key]", (hit.payload or {}).get("keys", []))
    return msgspec.structs.replace(hit, payload=None), keys


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
