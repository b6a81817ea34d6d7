"""How near some points of a collection are to each other."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeAlias, cast
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from asyncstore.asked import all_of, has_id
from asyncstore.bounds import Bounds, check_number
from asyncstore.filter import lower_reading
from asyncstore.models import (
    Distance,
    FilterInput,
    PointId,
    SearchMatrixOffsetsResponse,
    SearchMatrixPair,
    SearchMatrixPairsResponse,
)
from asyncstore.pace import Pace, listed
from asyncstore.queries import Queries
from asyncstore.query.examples import Arrays
from asyncstore.query.similarity import Steps, compared, on_thread
from asyncstore.rows import of_present, search_batch_of
from asyncstore.sparse import SparseArrays
from asyncstore.vectors import AnyField, SparseField, find_field

if TYPE_CHECKING:
    from asyncstore.engine import Batch, NativeFilter

# Of one point: the places of the nearest others among the ids, best first, and their scores.
Nearest: TypeAlias = tuple[list[int], list[float]]

_SAMPLE = 10
_LIMIT = 3
_SAMPLE_MAX = 10_000
# Searches that the core is asked for at once; between two batches a call can be cancelled.
_BATCH = 64
# Points that are compared with all others before the nearest of them are taken.
_ROWS = 32


class Matrices(Queries):
    """The calls that compare points with each other."""

    async def search_matrix_pairs(
        self,
        *,
        filter: FilterInput | None = None,
        sample: int = _SAMPLE,
        limit: int = _LIMIT,
        using: str = "",
    ) -> SearchMatrixPairsResponse:
        """Draws points at random and finds for each the nearest of the others that were drawn.

        Scores are those of a search by the first point's vector: of multivectors they depend on
        which of two is the first; sparse vectors that share no index make no pair, and with ``idf``
        rare indices count for more.

        Args:
            filter: What points must be like; None: any.
            sample: How many points to draw, 2 to 10,000.
            limit: How many of the nearest for each, at least 1.
            using: The vector's name; "" for the unnamed one. Points without it are not drawn.

        Returns:
            Pairs with their scores, by the first point's id and then the best first.

        Raises:
            InvalidArgumentError: The filter, a number or a name is wrong.
            CorruptionError: A row or value that was needed is damaged on disk.
            StorageIOError: A row or value that was needed could not be read.
        """
        ids, nearest = await self._matrix(filter, sample, limit, using)
        pace = Pace()
        pairs: list[SearchMatrixPair] = []
        for point, found in zip(ids, nearest, strict=True):
            pairs += [
                SearchMatrixPair(a=point, b=ids[place], score=score)
                for place, score in zip(*found, strict=True)
            ]
            await pace.breathe()
        return SearchMatrixPairsResponse(pairs=pairs)

    async def search_matrix_offsets(
        self,
        *,
        filter: FilterInput | None = None,
        sample: int = _SAMPLE,
        limit: int = _LIMIT,
        using: str = "",
    ) -> SearchMatrixOffsetsResponse:
        """As :meth:`search_matrix_pairs`, as the parts of a sparse matrix.

        Returns:
            The points' ids; row and column of each element, which are places among the ids; and
            the scores.
        """
        ids, nearest = await self._matrix(filter, sample, limit, using)
        pace = Pace()
        rows: list[int] = []
        columns: list[int] = []
        elements: list[float] = []
        for row, (places, scores) in enumerate(nearest):
            rows += [row] * len(places)
            columns += places
            elements += scores
            await pace.breathe()
        return SearchMatrixOffsetsResponse(
            offsets_row=rows, offsets_col=columns, scores=elements, ids=ids
        )

    async def _matrix(
        self, filter: FilterInput | None, sample: int, limit: int, using: str
    ) -> tuple[list[PointId], list[Nearest]]:
        """Ids in order, and the nearest others of each."""
        check_number(sample, Bounds(2, _SAMPLE_MAX), "sample")
        check_number(limit, Bounds(1), "limit")
        field = find_field(self._fields, using, "using")
        lowered = await lower_reading(filter, self._fields, Pace())
        with_vector: NativeFilter = ([("has_vector", field.number)], [], [], None)
        among = all_of([with_vector, *([] if lowered is None else [lowered])])
        drawn = sorted(await listed(await self._drawn(among, sample), Pace()), key=_in_order)
        found, read = await self._read_vectors(field, drawn)
        present, vectors = of_present(field, read)  # some may be gone by now
        ids = [found[row] for row in present.tolist()]
        limit = min(limit, len(ids) - 1)
        if limit < 1:
            return ids, [([], [])] * len(ids)
        if isinstance(field, SparseField):
            return ids, await self._nearest_sparse(field, ids, vectors, limit)
        distance = self._settings.distance_of(field)
        return ids, await on_thread(_nearest(field, vectors, distance, limit))

    async def _nearest_sparse(
        self, field: SparseField, ids: list[PointId], vectors: SparseArrays, limit: int
    ) -> list[Nearest]:
        """By the core, which knows how many points have an index."""
        engine = self._engine
        offsets, indices, values = vectors
        filter = await has_id(dict.fromkeys(ids))
        place_of = {point: place for place, point in enumerate(ids)}
        pace = Pace()
        nearest: list[Nearest] = []
        for start in range(0, len(ids), _BATCH):
            submit = partial(
                engine.native.submit_search_sparse_batch,
                self._native,
                field.number,
                (offsets[start : start + _BATCH + 1], indices, values),
                limit=limit + 1,  # one may be the point itself
                idf=field.idf,
                filter=filter,
            )
            batch = await search_batch_of(cast("Batch", await engine.call(engine.reads, submit)))
            for own, count in enumerate(batch.counts.tolist(), start):
                points = batch.ids[own - start, :count].tolist()
                scores = batch.scores[own - start, :count].tolist()
                others = [
                    (place_of[point], score)
                    for point, score in zip(points, scores, strict=True)
                    if point != ids[own]
                ][:limit]
                nearest.append(([place for place, _ in others], [score for _, score in others]))
                await pace.breathe()
        return nearest


def _nearest(
    field: AnyField, vectors: Arrays, distance: Distance, limit: int
) -> Steps[list[Nearest]]:
    """The nearest others of each."""
    points = compared(field, vectors, distance)
    nearest: list[Nearest] = []
    for start in range(0, len(points), _ROWS):
        some = yield from points.of(start, min(start + _ROWS, len(points)))
        for row, similar in enumerate(some, start):
            order = np.argsort(-similar, kind="stable")
            places = order[order != row][:limit]
            nearest.append((places.tolist(), _scores(similar[places], distance).tolist()))
            yield
    return nearest


def _scores(similar: NDArray[np.floating], distance: Distance) -> NDArray[np.float32]:
    """What is shown of similarities: distances as they are."""
    match distance:
        case Distance.EUCLID:
            similar = np.sqrt(np.abs(similar))
        case Distance.MANHATTAN:
            similar = np.abs(similar)
    return similar.astype(np.float32)


def _in_order(point: PointId) -> tuple[bool, int]:
    """Integers ascending, then UUIDs ascending."""
    return (False, point) if isinstance(point, int) else (True, UUID(point).int)
