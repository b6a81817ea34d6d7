"""The query of a collection: whatever it looks for, of all points or of what prefetches found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from random import getrandbits
from typing import TYPE_CHECKING, cast

import msgspec
import numpy as np

from asyncstore.asked import Asked, QueryLowering, Sampled, all_of, has_id
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
from asyncstore.payload import PayloadSelection, payload_selection
from asyncstore.query import Order, Sought
from asyncstore.reads import Reads
from asyncstore.rows import in_order, scored_points, unscored_points
from asyncstore.search_plan import check_offset
from asyncstore.together import all_at_once
from asyncstore.vectors import AnyField

if TYPE_CHECKING:
    from asyncstore.engine import NativeFilter, Rows, ScrollPage
    from asyncstore.ids import Ids

_LIMIT = 10


class Queries(Reads):
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
            query: A vector or the id of a point: the nearest to it. A ``RecommendQuery``,
                ``DiscoverQuery`` or ``ContextQuery``; a ``FusionQuery`` or ``RrfQuery`` of
                prefetches; an ``OrderByQuery`` or a ``SampleQuery``. Each may be the dict that it
                is in JSON. None: points by their ids.
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
            Points, best first. Points whose ids are in the query are left out.

        Raises:
            InvalidArgumentError: A part of the query is wrong, or a point lacks the vector; the
                message begins with the path to it.
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
        wanted = self._wanted(with_vectors) if with_vectors else []
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
        return await self._find(asked, [], wanted, selection)

    async def _find(
        self,
        asked: Asked,
        restrictions: list[NativeFilter],
        wanted: Sequence[AnyField],
        selection: PayloadSelection,
    ) -> list[ScoredPoint]:
        """What was asked for, of the points that pass all restrictions."""
        if asked.fuse is not None:
            own = restrictions if asked.filter is None else [*restrictions, asked.filter]
            lists = await self._prefetched(asked, own)
            return await self._fused(asked, lists, wanted, selection)
        filters = await self._candidates(asked, restrictions)
        return await self._hits(asked, all_of(filters), wanted, selection)

    async def _candidates(
        self, asked: Asked, restrictions: Sequence[NativeFilter] = ()
    ) -> list[NativeFilter]:
        """What points must pass besides: the query's own filter, and that a prefetch found them."""
        filters = [*restrictions, *([] if asked.filter is None else [asked.filter])]
        if asked.prefetches:
            lists = await self._prefetched(asked, filters)
            filters.append(has_id({hit.id: None for hits in lists for hit in hits}))
        return filters

    async def _prefetched(
        self, asked: Asked, restrictions: list[NativeFilter]
    ) -> list[list[ScoredPoint]]:
        """What each prefetch found, all at once."""
        lists: list[list[ScoredPoint]] = [[] for _ in asked.prefetches]

        async def prefetch(number: int) -> None:
            lists[number] = await self._find(asked.prefetches[number], restrictions, (), False)

        await all_at_once([partial(prefetch, number) for number in range(len(lists))])
        return lists

    async def _hits(
        self,
        asked: Asked,
        filter: NativeFilter | None,
        wanted: Sequence[AnyField],
        selection: PayloadSelection,
    ) -> list[ScoredPoint]:
        """By what is sought; no fusion."""
        if isinstance(asked.sought, Sought):
            return await self._ranked(asked, asked.sought, filter, wanted, selection)
        if asked.threshold is not None and asked.threshold > 0:
            return []  # all scores are 0
        if isinstance(asked.sought, Order):
            return await self._ordered(asked, asked.sought, filter, wanted, selection)
        if isinstance(asked.sought, Sampled):
            return await self._sampled(asked, filter, wanted, selection)
        return await self._by_id(asked, filter, wanted, selection)

    async def _ranked(
        self,
        asked: Asked,
        sought: Sought,
        filter: NativeFilter | None,
        wanted: Sequence[AnyField],
        selection: PayloadSelection,
    ) -> list[ScoredPoint]:
        """By similarity."""
        assert asked.field is not None
        field, plan, engine = asked.field, asked.plan, self._engine
        rows = await engine.call(
            engine.reads,
            lambda: engine.native.submit_search(
                self._native,
                field.number,
                sought.examples,
                limit=self._cut(asked.limit),
                offset=self._cut(asked.offset),
                **plan.arguments,
                score_threshold=asked.threshold,
                with_fields=[field.number for field in wanted],
                with_payload=selection,
                filter=filter,
                score=sought.score,
                excluded=sought.excluded or None,
            ),
        )
        return await scored_points(cast("Rows", rows), wanted, is_unnamed=self._is_unnamed)

    async def _by_id(
        self,
        asked: Asked,
        filter: NativeFilter | None,
        wanted: Sequence[AnyField],
        selection: PayloadSelection,
    ) -> list[ScoredPoint]:
        engine = self._engine

        async def page(
            first: PointId | None, limit: int, fields: list[int], what: PayloadSelection
        ) -> ScrollPage:
            submit = partial(
                engine.native.submit_scroll,
                self._native,
                first,
                self._cut(limit),
                fields,
                what,
                filter=filter,
            )
            return cast("ScrollPage", await engine.call(engine.reads, submit))

        first: PointId | None = None
        if asked.offset > 0:
            _, first = await page(None, asked.offset, [], False)
            if first is None:
                return []
        rows, _ = await page(first, asked.limit, [field.number for field in wanted], selection)
        return await unscored_points(rows, wanted, is_unnamed=self._is_unnamed)

    async def _ordered(
        self,
        asked: Asked,
        order: Order,
        filter: NativeFilter | None,
        wanted: Sequence[AnyField],
        selection: PayloadSelection,
    ) -> list[ScoredPoint]:
        """By the values of a field; a point comes once for each."""
        ids, values = await self._in_order(order, filter, asked.limit, asked.offset)
        points = await self._points(list(dict.fromkeys(ids)), wanted, selection)
        return in_order(points, ids, values)

    async def _sampled(
        self,
        asked: Asked,
        filter: NativeFilter | None,
        wanted: Sequence[AnyField],
        selection: PayloadSelection,
    ) -> list[ScoredPoint]:
        """Some points, in an order that is drawn, too."""
        ids = await self._drawn(filter, self._cut(asked.limit + asked.offset))
        return list((await self._points(ids[asked.offset :], wanted, selection)).values())

    async def _drawn(self, filter: NativeFilter | None, count: int) -> list[PointId]:
        """Ids of at most ``count`` points, drawn at random."""
        engine = self._engine
        submit = partial(engine.native.submit_sample, self._native, filter, count, getrandbits(64))
        drawn = cast("Ids", await engine.call(engine.reads, submit))
        return drawn.tolist() if isinstance(drawn, np.ndarray) else drawn

    async def _fused(
        self,
        asked: Asked,
        lists: Sequence[Sequence[ScoredPoint]],
        wanted: Sequence[AnyField],
        selection: PayloadSelection,
    ) -> list[ScoredPoint]:
        assert asked.fuse is not None
        signs = [-1.0 if prefetch.is_distance else 1.0 for prefetch in asked.prefetches]
        fused = await asked.fuse(
            [
                [(hit.id, sign * hit.score) for hit in hits]
                for hits, sign in zip(lists, signs, strict=True)
            ]
        )
        threshold = asked.threshold
        kept = [one for one in fused if threshold is None or one[1] >= threshold]
        kept = kept[asked.offset : asked.offset + asked.limit]
        if selection is not False or wanted:
            points = await self._points([point for point, _ in kept], wanted, selection)
        else:
            points = {hit.id: hit for hits in lists for hit in hits}
        return [
            msgspec.structs.replace(points[point], score=score)
            for point, score in kept
            if point in points  # it may be gone by now
        ]
