"""What one query finds, of all points or of those that pass a filter; each kind by itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from functools import partial
from random import getrandbits
from typing import TYPE_CHECKING, cast

import msgspec

from asyncstore.asked import Asked, Sampled, all_of, has_id
from asyncstore.models import PointId, ScoredPoint
from asyncstore.pace import Pace, listed
from asyncstore.query import Diverse, Order, Sought
from asyncstore.reads import Reads
from asyncstore.rows import NOTHING, Contents, distinct, in_order, scored_points, unscored_points

if TYPE_CHECKING:
    from asyncstore.engine import Groups, NativeFilter, Rows, ScrollPage
    from asyncstore.ids import Ids


class Hits(Reads):
    """The ways of finding points."""

    async def _hits(
        self, asked: Asked, filter: NativeFilter | None, contents: Contents
    ) -> list[ScoredPoint]:
        """By what is sought; lists are not merged here."""
        if isinstance(asked.sought, Sought):
            rows = await self._ranked(asked, asked.sought, filter, contents)
            return await scored_points(rows, contents.vectors, is_unnamed=self._is_unnamed)
        if isinstance(asked.sought, Diverse):
            return await self._diverse(asked, asked.sought, filter, contents)
        if asked.threshold is not None and asked.threshold > 0:
            return []  # all scores are 0
        if isinstance(asked.sought, Order):
            return await self._ordered(asked, asked.sought, filter, contents)
        if isinstance(asked.sought, Sampled):
            return await self._sampled(asked, filter, contents)
        return await self._by_id(asked, filter, contents)

    async def _ranked(
        self,
        asked: Asked,
        sought: Sought,
        filter: NativeFilter | None,
        contents: Contents,
    ) -> Rows:
        """By similarity."""
        submit = self._search(asked, sought, filter, contents)
        return cast("Rows", await self._engine.call(self._engine.reads, submit))

    async def _best_groups(
        self,
        asked: Asked,
        sought: Sought,
        filter: NativeFilter | None,
        by: tuple[str, int, int],
    ) -> Groups:
        """By the similarity of a dense vector: groups by a path, how many, points of each.

        As far as the best ``asked.limit`` points tell of them, and an index of the path.
        """
        submit = partial(self._search(asked, sought, filter, NOTHING), groups=by)
        return cast("Groups", await self._engine.call(self._engine.reads, submit))

    def _search(
        self,
        asked: Asked,
        sought: Sought,
        filter: NativeFilter | None,
        contents: Contents,
    ) -> Callable[..., int]:
        assert asked.field is not None
        return self._nearest(
            asked.field,
            sought.examples,
            asked.plan,
            limit=asked.limit,
            offset=asked.offset,
            threshold=asked.threshold,
            filter=filter,
            contents=contents,
            score=sought.score,
            excluded=sought.excluded,
        )

    async def _diverse(
        self, asked: Asked, diverse: Diverse, filter: NativeFilter | None, contents: Contents
    ) -> list[ScoredPoint]:
        """By similarity, those left out that are like others; in the order of their choice."""
        assert asked.field is not None
        field, count = asked.field, asked.offset + asked.limit
        part = dataclasses.replace(asked, limit=diverse.candidates(count), offset=0)
        rows = await self._ranked(part, diverse.sought, filter, Contents([field]))
        hits = await scored_points(rows, (), is_unnamed=self._is_unnamed)
        vectors = rows[3][field.number]
        chosen = await diverse.chosen(field, vectors, self._settings.distance_of(field), count)
        page = [hits[row] for row in chosen[asked.offset :]]
        return await self._with_contents(page, contents)

    async def _by_id(
        self, asked: Asked, filter: NativeFilter | None, contents: Contents
    ) -> list[ScoredPoint]:
        engine = self._engine

        async def page(first: PointId | None, limit: int, what: Contents) -> ScrollPage:
            submit = partial(
                engine.native.submit_scroll,
                self._native,
                first,
                self._cut(limit),
                what.fields,
                what.payload,
                filter=filter,
            )
            return cast("ScrollPage", await engine.call(engine.reads, submit))

        first: PointId | None = None
        if asked.offset > 0:
            _, first = await page(None, asked.offset, NOTHING)
            if first is None:
                return []
        rows, _ = await page(first, asked.limit, contents)
        return await unscored_points(rows, contents.vectors, is_unnamed=self._is_unnamed)

    async def _ordered(
        self, asked: Asked, order: Order, filter: NativeFilter | None, contents: Contents
    ) -> list[ScoredPoint]:
        """By the values of a field; a point comes once for each."""
        ids, values = await self._in_order(order, filter, asked.limit, asked.offset)
        points = await self._points(await distinct(ids), contents)
        return await in_order(points, ids, values)

    async def _sampled(
        self, asked: Asked, filter: NativeFilter | None, contents: Contents
    ) -> list[ScoredPoint]:
        """Some points, in an order that is drawn, too."""
        ids = await self._drawn(filter, self._cut(asked.limit + asked.offset))
        return list((await self._points(ids[asked.offset :], contents)).values())

    async def _drawn(self, filter: NativeFilter | None, count: int) -> Ids:
        """Ids of at most ``count`` points, drawn at random."""
        engine = self._engine
        submit = partial(engine.native.submit_sample, self._native, filter, count, getrandbits(64))
        return cast("Ids", await engine.call(engine.reads, submit))

    async def _passing(self, condition: NativeFilter, ids: Sequence[PointId]) -> set[PointId]:
        """Which of some points pass."""
        engine = self._engine
        filter = all_of([await has_id(dict.fromkeys(ids)), condition])
        submit = partial(
            engine.native.submit_scroll,
            self._native,
            None,
            max(1, len(ids)),
            [],
            False,
            filter=filter,
        )
        rows, _ = cast("ScrollPage", await engine.call(engine.reads, submit))
        return set(await listed(rows[0], Pace()))

    async def _with_contents(
        self, hits: list[ScoredPoint], contents: Contents
    ) -> list[ScoredPoint]:
        """The same points with what is asked for of them; without those that are gone by now."""
        if contents.is_nothing:
            return hits
        points = await self._points([hit.id for hit in hits], contents)
        return [
            msgspec.structs.replace(points[hit.id], score=hit.score)
            for hit in hits
            if hit.id in points
        ]
