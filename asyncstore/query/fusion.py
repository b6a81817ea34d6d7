"""Lists of results made one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

import numpy as np

from asyncstore.bounds import Bounds, check_number
from asyncstore.errors import InvalidArgumentError
from asyncstore.members import leaf_of, list_of, shown
from asyncstore.models import Fusion, FusionQuery, PointId, Rrf, RrfQuery
from asyncstore.pace import Pace

# Ids with their scores, best first; the larger a score, the better it is.
Ranked: TypeAlias = Sequence[tuple[PointId, float]]
Fuse: TypeAlias = Callable[[Sequence[Ranked]], Awaitable[list[tuple[PointId, float]]]]

_K = 2
_SLICE = 256  # points between two looks at the time


def fuse_of(query: FusionQuery | RrfQuery, lists: int, path: str = "query") -> Fuse:
    """How ``lists`` lists become one, best first.

    Raises:
        InvalidArgumentError: The query is wrong.
    """
    if isinstance(query, FusionQuery):
        try:
            fusion = Fusion(query.fusion)
        except ValueError as error:
            raise InvalidArgumentError(
                f"{path}.fusion: {shown(query.fusion)} invalid, must be one of {', '.join(Fusion)}"
            ) from error
        return _dbsf if fusion is Fusion.DBSF else _rrf(_K, [1.0] * lists)
    given = leaf_of(query.rrf, Rrf, f"{path}.rrf")
    weights = (
        [1.0] * lists
        if given.weights is None
        else _weights(given.weights, lists, f"{path}.rrf.weights")
    )
    return _rrf(_K if given.k is None else given.k, weights)


def _weights(given: object, lists: int, path: str) -> list[float]:
    weights = list_of(given, path, "numbers")
    if len(weights) != lists:
        raise InvalidArgumentError(
            f"{path}: there are {len(weights)}, must be {lists}, one for each prefetch"
        )
    for index, weight in enumerate(weights):
        check_number(weight, Bounds(0), f"{path}[{index}]", integer=False)
    return [float(weight) for weight in weights]  # type: ignore[arg-type]


def _rrf(k: int, weights: Sequence[float]) -> Fuse:
    """G. Cormack, C. Clarke, S. Buettcher, "Reciprocal Rank Fusion", SIGIR 2009; with weights."""

    async def fuse(lists: Sequence[Ranked]) -> list[tuple[PointId, float]]:
        scores: dict[PointId, float] = {}
        pace = Pace()
        for ranked, weight in zip(lists, weights, strict=True):
            for place, (point, _) in enumerate(ranked):
                share = 1 / ((place + 1) / weight + k - 1) if weight > 0 else 0.0
                scores[point] = scores.get(point, 0.0) + share
                if place % _SLICE == 0:
                    await pace.breathe()
        return best_first(scores)

    return fuse


async def _dbsf(lists: Sequence[Ranked]) -> list[tuple[PointId, float]]:
    """Distribution-based score fusion: three deviations around the mean become 0 to 1."""
    scores: dict[PointId, float] = {}
    pace = Pace()
    for ranked in lists:
        given = np.array([score for _, score in ranked], np.float64)
        deviation = float(given.std(ddof=1)) if len(given) > 1 else 0.0
        low = float(given.mean()) - 3 * deviation if len(given) > 0 else 0.0
        for place, (point, score) in enumerate(ranked):
            scaled = (score - low) / (6 * deviation) if deviation > 0 else 0.5
            scores[point] = scores.get(point, 0.0) + scaled
            if place % _SLICE == 0:
                await pace.breathe()
    return best_first(scores)


def best_first(scores: dict[PointId, float]) -> list[tuple[PointId, float]]:
    """Ids by their scores, equal ones in the order in which they were met."""
    return sorted(scores.items(), key=lambda one: -one[1])
