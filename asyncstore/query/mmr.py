"""Maximal marginal relevance: results that are near, and not all the same.

Source: J. Carbonell, J. Goldstein, "The Use of MMR, Diversity-Based Reranking", SIGIR 1998.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import anyio.to_thread
import numpy as np
from numpy.typing import NDArray

from asyncstore.members import leaf_of
from asyncstore.models import Distance, Mmr
from asyncstore.query.lowering import Sought
from asyncstore.query.similarity import comparable, similarities
from asyncstore.vectors import Matrix

_DIVERSITY = 0.5
_CANDIDATES_MAX = 16_384
# Numbers that a thread compares in some 10 ms; between two slices a query can be cancelled.
_SLICE_ELEMENTS = 1 << 24
_LEAST = float(np.finfo(np.float32).min)


@dataclass(frozen=True, eq=False)
class Diverse:
    """The nearest, of which those are chosen that differ.

    Attributes:
        sought: What they are nearest to.
        relevance: How much nearness counts; the rest, up to 1, is for difference.
        candidates_limit: How many are chosen from; None: as many as are wanted.
    """

    sought: Sought
    relevance: float
    candidates_limit: int | None

    @classmethod
    def of(cls, given: object, sought: Sought, path: str) -> Diverse:
        """Checks what was given.

        Raises:
            InvalidArgumentError: Something is wrong; the message begins with the path to it.
        """
        mmr = leaf_of(given, Mmr, path)
        diversity = _DIVERSITY if mmr.diversity is None else mmr.diversity
        return cls(sought, 1.0 - diversity, mmr.candidates_limit)

    def candidates(self, wanted: int) -> int:
        """How many are chosen from, for so many results."""
        return self.candidates_limit or min(wanted, _CANDIDATES_MAX)

    async def chosen(
        self,
        vectors: Matrix,
        present: NDArray[np.bool_],
        distance: Distance,
        wanted: int,
    ) -> list[int]:
        """Rows that are present, one chosen after the other; off the event loop's thread."""
        query = cast(Matrix, self.sought.examples)  # of a dense vector
        choice = _Choice(vectors, present, query, distance, self.relevance)
        wanted = min(wanted, int(np.count_nonzero(present)))
        slice_rows = max(1, _SLICE_ELEMENTS // max(1, vectors.size))
        while len(choice.rows) < wanted:
            count = min(slice_rows, wanted - len(choice.rows))
            await anyio.to_thread.run_sync(choice.go_on, count)
        return choice.rows


class _Choice:
    """Rows that are chosen, and how those that are left compare with them."""

    def __init__(
        self,
        vectors: Matrix,
        present: NDArray[np.bool_],
        query: Matrix,
        distance: Distance,
        relevance: float,
    ) -> None:
        self.rows: list[int] = []
        self._vectors, self._query = vectors, query
        self._distance, self._relevance = distance, relevance
        self._left = present.astype(bool)

    def go_on(self, count: int) -> None:
        """Chooses so many more; the first one by its nearness alone."""
        with np.errstate(over="ignore", invalid="ignore"):  # of vectors beyond all measure
            if not self.rows:
                self._begin()
                count -= 1
            for _ in range(count):
                latest = self._similarities(self._matrix[self.rows[-1]])
                np.maximum(self._like_chosen, latest, out=self._like_chosen)
                self._take(self._relevant - (1.0 - self._relevance) * self._like_chosen)

    def _begin(self) -> None:
        self._matrix = comparable(self._vectors, self._distance)
        relevant = self._similarities(comparable(self._query, self._distance)[0])
        self._relevant = self._relevance * relevant
        self._like_chosen = np.full(len(relevant), -np.inf, relevant.dtype)
        self._take(relevant)

    def _similarities(self, vector: NDArray[np.floating]) -> NDArray[np.floating]:
        return similarities(self._matrix, vector, self._distance)

    def _take(self, scores: NDArray[np.floating]) -> None:
        """The best that is left; what is no number counts least."""
        ranks = np.nan_to_num(scores, nan=_LEAST)
        row = int(np.argmax(np.where(self._left, ranks, -np.inf)))
        self._left[row] = False
        self.rows.append(row)
