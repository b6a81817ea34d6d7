"""What a query looks for: near vectors, what examples recommend, what others found before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, TypeAlias

import msgspec

from asyncstore.bounds import Bounds
from asyncstore.models.filters import FilterInput
from asyncstore.models.formulas import FormulaQuery
from asyncstore.models.points import (
    MultiVectorInput,
    PointId,
    PointIdInput,
    Record,
    ScoredPoint,
    SparseVectorInput,
    WithPayload,
)
from asyncstore.models.search import SearchParams

# A vector, or the id of a point that has one.
ExampleInput: TypeAlias = MultiVectorInput | SparseVectorInput | PointIdInput


class Mmr(msgspec.Struct, frozen=True, kw_only=True):
    """Maximal marginal relevance: what is near, but not near to what was chosen before it.

    One after the other that candidate is chosen which has the most of ``(1 - diversity)`` times its
    similarity to the query less ``diversity`` times its greatest to those chosen already; the first
    is the nearest.

    Similarities are dot products or cosines, or negative distances (Euclid's squared). Of two
    multivectors that of the candidate is the query, not that of the one chosen already. Those of
    sparse vectors are dot products of what is stored: ``idf`` says no more than which are the
    nearest.

    Attributes:
        diversity: From 0, nearness alone, to 1, difference alone; None means 0.5.
        candidates_limit: How many of the nearest to choose from; None: as many as are wanted, with
            those that the offset leaves out, at most 16,384.
    """

    diversity: Annotated[float, Bounds(0, 1)] | None = None
    candidates_limit: Annotated[int, Bounds(1, 16_384)] | None = None


class NearestQuery(msgspec.Struct, frozen=True, kw_only=True):
    """The points nearest to a vector, or to that of a point, which itself is left out.

    Attributes:
        nearest: The vector or the id.
        mmr: To choose among the nearest those that differ; their scores are similarities still.
    """

    nearest: ExampleInput
    mmr: Mmr | None = None


class RecommendStrategy(StrEnum):
    """How examples make a score.

    ``average_vector``: nearest to the average of the positive ones, or, with negative ones, to
    twice that less the average of the negative ones. ``best_score``: by the nearest example, for or
    against. ``sum_scores``: similarities to positive examples less those to negative ones.
    """

    AVERAGE_VECTOR = "average_vector"
    BEST_SCORE = "best_score"
    SUM_SCORES = "sum_scores"


class RecommendInput(msgspec.Struct, frozen=True, kw_only=True):
    """Examples of what is wanted and what is not; points among them are no results.

    Attributes:
        positive: Vectors or ids of points.
        negative: The same.
        strategy: None means ``average_vector``, which needs a positive example.
    """

    positive: Sequence[ExampleInput] | None = None
    negative: Sequence[ExampleInput] | None = None
    strategy: RecommendStrategy | None = None


class RecommendQuery(msgspec.Struct, frozen=True, kw_only=True):
    """What is like some points and unlike others."""

    recommend: RecommendInput


class ContextPair(msgspec.Struct, frozen=True, kw_only=True):
    """Parts the space in two: where the positive example is nearer, and where the negative is."""

    positive: ExampleInput
    negative: ExampleInput


ContextInput: TypeAlias = ContextPair | Sequence[ContextPair]


class DiscoverInput(msgspec.Struct, frozen=True, kw_only=True):
    """A target, and pairs that say on which side of them results are to be.

    Attributes:
        target: A vector or the id of a point.
        context: A pair or several; None, which must be said, leaves nearness to the target alone.
    """

    target: ExampleInput
    context: ContextInput | None


class DiscoverQuery(msgspec.Struct, frozen=True, kw_only=True):
    """What is nearest to a target within a context: the pairs decide first."""

    discover: DiscoverInput


class ContextQuery(msgspec.Struct, frozen=True, kw_only=True):
    """What is on the positive side of pairs; many points are, and then have the same score."""

    context: ContextInput


class Fusion(StrEnum):
    """How lists of results become one.

    ``rrf``: by the places in the lists. ``dbsf``: by scores, brought to one scale by each list's
    mean and deviation, scores as they are: of distances the larger ones count more.
    """

    RRF = "rrf"
    DBSF = "dbsf"


class FusionQuery(msgspec.Struct, frozen=True, kw_only=True):
    """The results of all prefetches as one list."""

    fusion: Fusion


class Rrf(msgspec.Struct, frozen=True, kw_only=True):
    """Reciprocal rank fusion: place p of a list, from 0 on, counts 1 / ((p + 1) / w + k - 1).

    Attributes:
        k: How little the first places count more than those behind them; None means 2.
        weights: w for each prefetch; None: 1 for all.
    """

    k: Annotated[int, Bounds(1)] | None = None
    weights: Sequence[float] | None = None


class RrfQuery(msgspec.Struct, frozen=True, kw_only=True):
    """As ``FusionQuery`` of ``rrf``, with parameters."""

    rrf: Rrf


class Direction(StrEnum):
    """Rising or falling."""

    ASC = "asc"
    DESC = "desc"


class OrderBy(msgspec.Struct, frozen=True, kw_only=True):
    """Points by the values of a payload field, which has an index of numbers or datetimes.

    Points without a value are left out; one with several comes once for each.

    Attributes:
        key: The field's JSON path.
        direction: None means ``asc``.
        start_from: The first value wanted: a number, or a datetime as text or object.
    """

    key: str
    direction: Direction | None = None
    start_from: int | float | str | date | datetime | None = None


OrderByInput: TypeAlias = OrderBy | str | Mapping[str, object]


class OrderByQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Points by the values of a payload field; all scores are 0."""

    order_by: OrderByInput


class Sample(StrEnum):
    """How points are drawn."""

    RANDOM = "random"


class SampleQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Some points, others each time; all scores are 0."""

    sample: Sample


class FacetHit(msgspec.Struct, frozen=True, kw_only=True):
    """A value of a payload field, and how many points have it."""

    value: str | int | bool
    count: int


Query: TypeAlias = (
    NearestQuery
    | RecommendQuery
    | DiscoverQuery
    | ContextQuery
    | FusionQuery
    | RrfQuery
    | OrderByQuery
    | SampleQuery
    | FormulaQuery
)
# A query, the dict that one is in JSON; or a vector or id, which means the nearest to it.
QueryInput: TypeAlias = Query | Mapping[str, object] | ExampleInput


class LookupLocation(msgspec.Struct, frozen=True, kw_only=True):
    """Where the vectors of ids in a query are taken from.

    Attributes:
        collection: Its name.
        vector: The vector's name there; None: as the query's ``using``.
    """

    collection: str
    vector: str | None = None


class Prefetch(msgspec.Struct, frozen=True, kw_only=True):
    """A query that only finds candidates for the one that it belongs to.

    Attributes:
        prefetch: Where its own candidates come from; None: all points.
        query: What it looks for; None: points in the order of their ids.
        using: The vector's name.
        filter: What its candidates must be like, besides the filter of the whole query.
        params: How to search.
        score_threshold: Leave out what is worse.
        limit: How many candidates; None means 10.
        lookup_from: Where the vectors of ids come from.
    """

    prefetch: Prefetch | Sequence[Prefetch] | None = None
    query: QueryInput | None = None
    using: str | None = None
    filter: FilterInput | None = None
    params: SearchParams | None = None
    score_threshold: float | None = None
    limit: Annotated[int, Bounds(1)] | None = None
    lookup_from: LookupLocation | None = None


PrefetchInput: TypeAlias = Prefetch | Mapping[str, object]


class WithLookup(msgspec.Struct, frozen=True, kw_only=True):
    """Another collection, whose points have the groups' keys as ids.

    Attributes:
        collection: Its name.
        with_payload: What of their payload to return.
        with_vectors: Whether to return their vectors, or the names of those to return.
        with_vector: The same by its other name.
    """

    collection: str
    with_payload: WithPayload = True
    with_vectors: bool | Sequence[str] = False
    with_vector: bool | Sequence[str] | None = None


WithLookupInput: TypeAlias = WithLookup | str | Mapping[str, object]


class PointGroup(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The best points of those that share a value.

    Attributes:
        id: The value.
        hits: The points, best first.
        lookup: The point of the other collection that has the value as its id.
    """

    id: str | int
    hits: list[ScoredPoint]
    lookup: Record | None = None


class SearchMatrixPair(msgspec.Struct, frozen=True, kw_only=True):
    """How near point ``b`` is to point ``a``."""

    a: PointId
    b: PointId
    score: float


class SearchMatrixPairsResponse(msgspec.Struct, frozen=True, kw_only=True):
    """Pairs of points, by the first one's id and then the best first."""

    pairs: list[SearchMatrixPair]


class SearchMatrixOffsetsResponse(msgspec.Struct, frozen=True, kw_only=True):
    """A sparse matrix of scores.

    Attributes:
        offsets_row: Of each element the place of its row's point in ``ids``.
        offsets_col: The same of its column's point.
        scores: The elements.
        ids: The points, integers ascending and then UUIDs.
    """

    offsets_row: list[int]
    offsets_col: list[int]
    scores: list[float]
    ids: list[PointId]
