"""Queries by sparse examples, in the core's words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

import numpy as np

from asyncstore.errors import InvalidArgumentError, PointNotFoundError, UnsupportedError
from asyncstore.ids import point_id
from asyncstore.members import shown, struct_of
from asyncstore.models import (
    NearestQuery,
    PointId,
    Query,
    RecommendInput,
    RecommendQuery,
    RecommendStrategy,
)
from asyncstore.pace import Pace
from asyncstore.query.examples import Source
from asyncstore.query.lowering import Sought, given_examples, strategy_of
from asyncstore.sparse import Indices, Values, elements_of, one_query, weighted_sum


async def lower_sparse_query(
    query: Query, source: Source, pace: Pace, path: str = "query"
) -> Sought:
    """Reads what the query has as examples.

    Raises:
        InvalidArgumentError: The query or one of its vectors is wrong, or a point lacks the vector.
        PointNotFoundError: There is no point with an id that was given.
        UnsupportedError: It is of a kind that sparse vectors do not have yet.
    """
    match query:
        case NearestQuery(nearest=nearest):
            vectors, excluded = await _vectors([(path, nearest)], source, pace)
            return Sought(one_query(*vectors[0]), None, excluded)
        case RecommendQuery(recommend=recommend):
            where = f"{path}.recommend"
            given = struct_of(recommend, RecommendInput, where)
            return await _recommend(given, source, pace, where)
    raise UnsupportedError(
        f"{path}: of sparse vectors the nearest and recommend with average_vector are supported, "
        "others not yet"
    )


async def _recommend(given: RecommendInput, source: Source, pace: Pace, path: str) -> Sought:
    if strategy_of(given.strategy, f"{path}.strategy") is not RecommendStrategy.AVERAGE_VECTOR:
        raise UnsupportedError(
            f"{path}.strategy: {given.strategy} is not supported yet for sparse vectors"
        )
    positive = given_examples(given.positive, f"{path}.positive")
    negative = given_examples(given.negative, f"{path}.negative")
    if not positive:
        raise InvalidArgumentError(
            f"{path}.positive: must have at least one example with strategy average_vector"
        )
    examples = [(f"{path}.positive[{place}]", one) for place, one in enumerate(positive)]
    examples += [(f"{path}.negative[{place}]", one) for place, one in enumerate(negative)]
    vectors, excluded = await _vectors(examples, source, pace)
    weights = [(2 if negative else 1) / len(positive)] * len(positive)
    weights += [-1 / len(negative)] * len(negative) if negative else []
    return Sought(one_query(*weighted_sum(vectors, weights)), None, excluded)


async def _vectors(
    examples: Sequence[tuple[str, object]], source: Source, pace: Pace
) -> tuple[list[tuple[Indices, Values]], list[PointId]]:
    """The examples, each of which has its path, and the points among them that are no results."""
    vectors: dict[int, tuple[Indices, Values]] = {}
    ids: dict[int, PointId] = {}
    for place, (path, given) in enumerate(examples):
        if isinstance(given, int | str | UUID | np.integer) and not isinstance(given, bool):
            ids[place] = point_id(given, path)
        elif given is None or isinstance(given, bool | float):
            raise InvalidArgumentError(
                f"{path}: must be a vector or the id of a point, got {shown(given)}"
            )
        else:
            vectors[place] = await elements_of(given, path, pace)
    found: Mapping[PointId, object] = {}
    if ids:
        found = await source.read(list(dict.fromkeys(ids.values())))
    for place, example in ids.items():
        if example not in found:
            raise PointNotFoundError(f"No point with id {example} found")
        vector = found[example]
        if vector is None:
            raise InvalidArgumentError(
                f"{examples[place][0]}: point {example} has no vector '{source.field.name}'"
            )
        vectors[place] = vector  # type: ignore[assignment]
    excluded = [] if source.is_elsewhere else list(ids.values())
    return [vectors[place] for place in range(len(examples))], excluded
