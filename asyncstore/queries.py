"""The query of a collection: whatever it looks for, of all points or of what prefetches found."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from asyncstore.asked import Asked, QueryLowering, all_of, has_id
from asyncstore.hits import Hits
from asyncstore.models import (
    FilterInput,
    LookupLocation,
    PointId,
    Prefetch,
    PrefetchInput,
    QueryInput,
    ScoredPoint,
    SearchParams,
    WithPayload,
)
from asyncstore.pace import Pace
from asyncstore.payload import payload_selection
from asyncstore.query import Candidate, Formula
from asyncstore.rows import NOTHING, Contents
from asyncstore.search_plan import check_offset
from asyncstore.together import all_at_once

if TYPE_CHECKING:
    from asyncstore.engine import NativeFilter

_LIMIT = 10


class Queries(Hits):
    """The calls that look for points in more ways than by one vector."""

    async def query(
        self,
        query: QueryInput | None = None,
        *,
        prefetch: PrefetchInput | Sequence[PrefetchInput] | None = None,
        using: str = "",
        filter: FilterInput | None = None,
        params: SearchParams | None = None,
        score_threshold: float | None = None,
        limit: int = _LIMIT,
        offset: int = 0,
        lookup_from: LookupLocation | Mapping[str, object] | None = None,
        with_payload: WithPayload = False,
        with_vectors: bool | Sequence[str] = False,
    ) -> list[ScoredPoint]:
        """Finds points by vectors, by examples, or among what other queries found.

        Args:
            query: A vector or the id of a point: the nearest to it; a ``NearestQuery`` with ``mmr``
                chooses among these. A ``RecommendQuery``, ``DiscoverQuery`` or ``ContextQuery``; a
                ``FusionQuery``, ``RrfQuery`` or ``FormulaQuery`` of prefetches; an ``OrderByQuery``
                or a ``SampleQuery``. Each may be the dict that it is in JSON. None: points by their
                ids.
            prefetch: Queries whose results are the candidates of this one.
            using: The vector's name; "" for the unnamed one.
            filter: What points must be like, also those that prefetches find.
            params: How to search; None leaves it to the engine.
            score_threshold: Leave out what is worse.
            limit: How many points, at least 1.
            offset: How many of the best to leave out.
            lookup_from: Where the vectors of ids come from, if not from here; then points with
                these ids may be found.
            with_payload: As in :meth:`retrieve`.
            with_vectors: As in :meth:`search`.

        Returns:
            Points, best first; with ``mmr`` in the order in which they were chosen. Points whose
            ids are in the query are left out.

        Raises:
            InvalidArgumentError: A part of the query is wrong, or a point lacks the vector, or a
                value that a formula needs; the message begins with the path to it.
            DimensionMismatchError: A vector has the wrong number of dimensions.
            PointNotFoundError: There is no point with an id that was given.
            CollectionNotFoundError: That of ``lookup_from`` does not exist.
            UnsupportedError: The query is of a kind that is not there yet.
            CorruptionError: A row or value that was needed is damaged on disk.
            StorageIOError: A row or value that was needed could not be read.

        Cancellation: as in :meth:`search`.

        Example:
            >>> async def like_but_unlike(collection, liked, disliked):
            ...     examples = m.RecommendInput(positive=liked, negative=disliked)
            ...     return await collection.query(m.RecommendQuery(recommend=examples))
        """
        selection = payload_selection(with_payload)
        check_offset(offset)
        contents = Contents(self._wanted(with_vectors), selection)
        pace = Pace()
        given = Prefetch(
            prefetch=prefetch,  # type: ignore[arg-type]
            query=query,
            using=using,
            filter=filter,
            params=params,
            score_threshold=score_threshold,
            limit=limit,
            lookup_from=lookup_from,  # type: ignore[arg-type]
        )
        asked = await QueryLowering(self, pace).asked(given, offset=offset)
        return await self._find(asked, [], contents)

    async def _find(
        self, asked: Asked, restrictions: list[NativeFilter], contents: Contents
    ) -> list[ScoredPoint]:
        """What was asked for, of the points that pass all restrictions."""
        if asked.fuse is not None:
            own = restrictions if asked.filter is None else [*restrictions, asked.filter]
            lists = await self._prefetched(asked, own)
            return await self._merged(asked, lists, contents)
        filters = await self._candidates(asked, restrictions)
        return await self._hits(asked, all_of(filters), contents)

    async def _candidates(
        self, asked: Asked, restrictions: Sequence[NativeFilter] = ()
    ) -> list[NativeFilter]:
        """What points must pass besides: the query's own filter, and that a prefetch found them."""
        filters = [*restrictions, *([] if asked.filter is None else [asked.filter])]
        if asked.prefetches:
            lists = await self._prefetched(asked, filters)
            filters.append(await has_id({hit.id: None for hits in lists for hit in hits}))
        return filters

    async def _prefetched(
        self, asked: Asked, restrictions: list[NativeFilter]
    ) -> list[list[ScoredPoint]]:
        """What each prefetch found, all at once."""
        lists: list[list[ScoredPoint]] = [[] for _ in asked.prefetches]

        async def prefetch(number: int) -> None:
            lists[number] = await self._find(asked.prefetches[number], restrictions, NOTHING)

        await all_at_once([partial(prefetch, number) for number in range(len(lists))])
        return lists

    async def _merged(
        self, asked: Asked, lists: Sequence[Sequence[ScoredPoint]], contents: Contents
    ) -> list[ScoredPoint]:
        """What the prefetches found as one list, each point with a score of its own."""
        if isinstance(asked.fuse, Formula):
            scored = await self._rescored(asked.fuse, lists)
        else:
            scored = await self._fused(asked, lists)
        threshold = asked.threshold
        kept = [one for one in scored if threshold is None or one[1] >= threshold]
        found = {hit.id: hit for hits in lists for hit in hits}
        page = [
            msgspec.structs.replace(found[point], score=score)
            for point, score in kept[asked.offset : asked.offset + asked.limit]
        ]
        return await self._with_contents(page, contents)

    async def _fused(
        self, asked: Asked, lists: Sequence[Sequence[ScoredPoint]]
    ) -> list[tuple[PointId, float]]:
        """By their places or scores in the lists."""
        assert asked.fuse is not None
        assert not isinstance(asked.fuse, Formula)
        return await asked.fuse([[(hit.id, hit.score) for hit in hits] for hits in lists])

    async def _rescored(
        self, formula: Formula, lists: Sequence[Sequence[ScoredPoint]]
    ) -> list[tuple[PointId, float]]:
        """By a formula of their scores, their payload as it is now, and conditions."""
        ids = list({hit.id: None for hits in lists for hit in hits})
        payloads: dict[PointId, ScoredPoint] = {}
        passing: list[Collection[PointId]] = [()] * len(formula.conditions)

        async def read_payloads() -> None:
            payloads.update(await self._points(ids, Contents(payload=formula.selection)))

        async def check(number: int) -> None:
            passing[number] = await self._passing(formula.conditions[number], ids)

        reads = [] if formula.selection is False else [read_payloads]
        checks = [partial(check, number) for number in range(len(passing))]
        await all_at_once([*reads, *checks])
        scores = [{hit.id: hit.score for hit in hits} for hits in lists]
        if not reads:
            return await formula.ranked(Candidate(one, scores, {}, passing) for one in ids)
        return await formula.ranked(
            Candidate(one, scores, payloads[one].payload or {}, passing)
            for one in ids
            if one in payloads  # it may be gone by now
        )
