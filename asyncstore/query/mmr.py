"""Maximal marginal relevance: results that are near, and not all the same.

Source: J. Carbonell, J. Goldstein, "The Use of MMR, Diversity-Based Reranking", SIGIR 1998.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from asyncstore.members import leaf_of
from asyncstore.models import Distance, Mmr
from asyncstore.query.lowering import Sought
from asyncstore.query.similarity import Steps, compared, on_thread
from asyncstore.rows import PointVectors, of_present
from asyncstore.vectors import AnyField

_DIVERSITY = 0.5
_CANDIDATES_MAX = 16_384
_LEAST = float(np.finfo(np.float64).min)


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
        self, field: AnyField, vectors: PointVectors, distance: Distance, wanted: int
    ) -> list[int]:
        """Rows that are present, one chosen after the other; off the event loop's thread.

        Args:
            field: The vector that is searched.
            vectors: Those of the candidates, the nearest first, as the core read them.
            distance: Of the vector.
            wanted: How many to choose; all, if there are fewer.
        """
        return await on_thread(self._choice(field, vectors, distance, wanted))

    def _choice(
        self, field: AnyField, vectors: PointVectors, distance: Distance, wanted: int
    ) -> Steps[list[int]]:
        present, own = of_present(field, vectors)
        candidates = compared(field, own, distance)
        wanted = min(wanted, len(candidates))
        if wanted == 0:
            return []
        relevant = self.relevance * (yield from candidates.of_query(self.sought.examples))
        like_chosen = np.full(len(candidates), -np.inf)
        left = np.ones(len(candidates), np.bool_)
        chosen = [0]
        while len(chosen) < wanted:
            left[chosen[-1]] = False
            latest = yield from candidates.to(chosen[-1])
            np.maximum(like_chosen, latest, out=like_chosen)
            scores = relevant - (1.0 - self.relevance) * like_chosen
            ranks = np.nan_to_num(scores, nan=_LEAST)  # what is no number counts least
            chosen.append(int(np.argmax(np.where(left, ranks, -np.inf))))
        return [int(row) for row in present[chosen]]
