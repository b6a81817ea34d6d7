"""Queries by examples, in the core's words: vectors, and how similarities to them make a score."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from asyncstore.bounds import OutOfBoundsError
from asyncstore.errors import InvalidArgumentError, UnsupportedError
from asyncstore.members import list_of, shown, struct_of
from asyncstore.models import (
    ContextPair,
    ContextQuery,
    DiscoverInput,
    DiscoverQuery,
    FormulaQuery,
    FusionQuery,
    NearestQuery,
    OrderByQuery,
    PointId,
    Query,
    QueryInput,
    RecommendInput,
    RecommendQuery,
    RecommendStrategy,
    RrfQuery,
    SampleQuery,
)
from asyncstore.pace import Pace
from asyncstore.query.examples import Arrays, Examples

# Queries by the key that is in their dict.
_KINDS: dict[str, type[msgspec.Struct]] = {
    "nearest": NearestQuery,
    "recommend": RecommendQuery,
    "discover": DiscoverQuery,
    "context": ContextQuery,
    "fusion": FusionQuery,
    "rrf": RrfQuery,
    "order_by": OrderByQuery,
    "sample": SampleQuery,
    "formula": FormulaQuery,
}
_LATER = ("relevance_feedback",)


@dataclass(frozen=True, eq=False)
class Sought:
    """What the core is to look for.

    Attributes:
        examples: (n, dim) float32; of sparse vectors offsets, indices and values; of multivectors
            offsets and rows.
        score: The kind of score and the number of positive examples, which come first; None: the
            similarity to the one example.
        excluded: Points that are no results.
    """

    examples: Arrays
    score: tuple[str, int] | None
    excluded: list[PointId]


def query_of(given: QueryInput, path: str = "query") -> Query:
    """Returns the query that was given; a vector or an id means the nearest to it.

    Raises:
        InvalidArgumentError: It is none.
        UnsupportedError: It is of a kind that is not there yet.
    """
    if isinstance(given, tuple(_KINDS.values())):
        return given  # type: ignore[return-value]
    if not isinstance(given, Mapping):
        return NearestQuery(nearest=given)  # type: ignore[arg-type]
    for key, kind in _KINDS.items():
        if key in given:
            return struct_of(given, kind, path)  # type: ignore[return-value]
    for key in _LATER:
        if key in given:
            raise UnsupportedError(f"{path}.{key} is not supported yet")
    if {"indices", "values"} <= given.keys():
        return NearestQuery(nearest=given)  # type: ignore[arg-type]
    raise InvalidArgumentError(
        f"{path}: the keys {', '.join(map(str, given))} make no query, one of "
        f"{', '.join(_KINDS)} must be there"
    )


async def lower_query(
    query: NearestQuery | RecommendQuery | DiscoverQuery | ContextQuery,
    examples: Examples,
    pace: Pace,
    path: str = "query",
) -> Sought:
    """Adds what the query has to ``examples`` and reads them.

    Raises:
        InvalidArgumentError: The query or one of its vectors is wrong, or a point lacks the vector.
        DimensionMismatchError: A vector has the wrong number of dimensions.
        PointNotFoundError: There is no point with an id that was given.
    """
    match query:
        case NearestQuery(nearest=nearest):
            examples.add(nearest, path)
            return Sought(await examples.arrays(pace), None, examples.excluded)
        case RecommendQuery(recommend=recommend):
            where = f"{path}.recommend"
            return await _recommend(
                struct_of(recommend, RecommendInput, where), examples, pace, where
            )
        case DiscoverQuery(discover=discover):
            given = struct_of(discover, DiscoverInput, f"{path}.discover")
            examples.add(given.target, f"{path}.discover.target")
            if given.context is not None:
                _add_pairs(given.context, f"{path}.discover.context", examples)
            score = ("discover", 1 + len(examples) // 2)
            return Sought(await examples.arrays(pace), score, examples.excluded)
        case ContextQuery(context=context):
            _add_pairs(context, f"{path}.context", examples)
            if len(examples) == 0:
                raise InvalidArgumentError(f"{path}.context: must have at least one pair")
            score = ("context", len(examples) // 2)
            return Sought(await examples.arrays(pace), score, examples.excluded)


async def _recommend(given: RecommendInput, examples: Examples, pace: Pace, path: str) -> Sought:
    strategy = _strategy_of(given.strategy, f"{path}.strategy")
    for name, some in (("positive", given.positive), ("negative", given.negative)):
        for index, one in enumerate(_given_examples(some, f"{path}.{name}")):
            examples.add(one, f"{path}.{name}[{index}]")
    positives = 0 if given.positive is None else len(given.positive)
    if len(examples) == 0:
        raise OutOfBoundsError((path, "must have at least one positive or negative example"))
    if strategy is not RecommendStrategy.AVERAGE_VECTOR:
        return Sought(await examples.arrays(pace), (str(strategy), positives), examples.excluded)
    if positives == 0:
        raise InvalidArgumentError(
            f"{path}.positive: must have at least one example with strategy average_vector"
        )
    return Sought(await examples.average(positives, pace), None, examples.excluded)


def _strategy_of(given: object, path: str) -> RecommendStrategy:
    """The strategy that was given; None means that of average vectors.

    Raises:
        InvalidArgumentError: It is none.
    """
    if given is None:
        return RecommendStrategy.AVERAGE_VECTOR
    try:
        return RecommendStrategy(given)  # type: ignore[arg-type]
    except ValueError as error:
        raise InvalidArgumentError(
            f"{path}: {shown(given)} invalid, must be one of {', '.join(RecommendStrategy)}"
        ) from error


def _given_examples(given: object, path: str) -> list[object]:
    """The examples that were given; raises unless they are a list."""
    return [] if given is None else list(list_of(given, path, "vectors and ids of points"))


def _add_pairs(given: object, path: str, examples: Examples) -> None:
    if isinstance(given, ContextPair | Mapping):
        given = [given]
    for index, one in enumerate(list_of(given, path, "pairs")):
        where = f"{path}[{index}]"
        pair = struct_of(one, ContextPair, where)
        examples.add(pair.positive, f"{where}.positive")
        examples.add(pair.negative, f"{where}.negative")
