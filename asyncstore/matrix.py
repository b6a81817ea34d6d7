"""How near some points of a collection are to each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast
from uuid import UUID

import anyio.to_thread
import numpy as np
from numpy.typing import NDArray

from asyncstore.asked import all_of
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
from asyncstore.pace import Pace
from asyncstore.queries import Queries
from asyncstore.query.similarity import comparable, similarities
from asyncstore.vectors import Matrix, find_dense_field

if TYPE_CHECKING:
    from asyncstore.engine import NativeFilter

_SAMPLE = 10
_LIMIT = 3
_SAMPLE_MAX = 10_000


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

        Args:
            filter: What points must be like; None: any.
            sample: How many points to draw, 2 to 10,000.
            limit: How many of the nearest for each, at least 1.
            using: The vector's name; "" for the unnamed one. Points without it are not drawn.

        Returns:
            Pairs with their scores, by the first point's id and then the best first.

        Raises:
            InvalidArgumentError: The filter, a number or a name is wrong.
            UnsupportedError: The vector is sparse.
            CorruptionError: A row or value that was needed is damaged on disk.
            StorageIOError: A row or value that was needed could not be read.
        """
        ids, rows, nearest, scores = await self._matrix(filter, sample, limit, using)
        return SearchMatrixPairsResponse(
            pairs=[
                SearchMatrixPair(a=ids[row], b=ids[other], score=score)
                for row, other, score in zip(
                    rows.tolist(), nearest.tolist(), scores.tolist(), strict=True
                )
            ]
        )

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
        ids, rows, nearest, scores = await self._matrix(filter, sample, limit, using)
        return SearchMatrixOffsetsResponse(
            offsets_row=rows.tolist(),
            offsets_col=nearest.tolist(),
            scores=scores.tolist(),
            ids=ids,
        )

    async def _matrix(
        self, filter: FilterInput | None, sample: int, limit: int, using: str
    ) -> tuple[list[PointId], np.ndarray, np.ndarray, np.ndarray]:
        """Ids in order; and of each pair the places of its points and the score."""
        check_number(sample, Bounds(2, _SAMPLE_MAX), "sample")
        check_number(limit, Bounds(1), "limit")
        field = find_dense_field(self._fields, using)
        lowered = await lower_reading(filter, self._fields, Pace())
        with_vector: NativeFilter = ([("has_vector", field.number)], [], [], None)
        among = all_of([with_vector, *([] if lowered is None else [lowered])])
        drawn = await self._drawn(among, sample)
        vectors = await self._vectors_of(field, drawn)
        ids = sorted((one for one in drawn if vectors.get(one) is not None), key=_in_order)
        if len(ids) < 2:
            nothing = np.empty(0, np.int64)
            return ids, nothing, nothing, np.empty(0, np.float32)
        matrix = np.stack([cast(Matrix, vectors[point]) for point in ids])
        distance = self._settings.vectors[field.name].distance
        kept = min(limit, len(ids) - 1)
        nearest, scores = await anyio.to_thread.run_sync(_nearest, matrix, distance, kept)
        return ids, np.repeat(np.arange(len(ids)), kept), nearest.ravel(), scores.ravel()


def _nearest(
    matrix: NDArray[np.floating], distance: Distance, limit: int
) -> tuple[np.ndarray, np.ndarray]:
    """(n, limit) places and scores of the nearest others of each row, best first."""
    matrix = comparable(matrix, distance)
    places = np.empty((len(matrix), limit), np.int64)
    scores = np.empty((len(matrix), limit), np.float32)
    for row, vector in enumerate(matrix):
        similar = similarities(matrix, vector, distance)
        order = np.argsort(-similar, kind="stable")
        places[row] = order[order != row][:limit]
        scores[row] = similar[places[row]]
    if distance is Distance.EUCLID:
        scores = np.sqrt(-scores)
    elif distance is Distance.MANHATTAN:
        scores = -scores
    return places, scores


def _in_order(point: PointId) -> tuple[bool, int]:
    """Integers ascending, then UUIDs ascending."""
    return (False, point) if isinstance(point, int) else (True, UUID(point).int)
