"""A query with its prefetches, checked, in the core's words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from asyncstore.errors import InvalidArgumentError
from asyncstore.filter import having_ids, lower_reading
from asyncstore.ids import point_ids
from asyncstore.members import list_of, shown, struct_of
from asyncstore.models import (
    ContextQuery,
    DiscoverQuery,
    FormulaQuery,
    FusionQuery,
    LookupLocation,
    NearestQuery,
    OrderByQuery,
    PointId,
    Prefetch,
    Query,
    RecommendQuery,
    RrfQuery,
    Sample,
    SampleQuery,
)
from asyncstore.pace import Pace
from asyncstore.query import (
    Diverse,
    Formula,
    Fuse,
    Order,
    Sought,
    Source,
    examples_of,
    fuse_of,
    lower_formula,
    lower_query,
    query_of,
)
from asyncstore.reads import Reads
from asyncstore.search_plan import SearchPlan, check_limit, check_threshold
from asyncstore.settings import UNNAMED
from asyncstore.vectors import AnyField, VectorField, find_field, query_vector

if TYPE_CHECKING:
    from asyncstore.engine import NativeFilter

_LIMIT = 10
_PREFETCH_DEPTH_MAX = 16
_PREFETCHES_MAX = 256


class Sampled:
    """Points are drawn at random."""


@dataclass(frozen=True, eq=False)
class Asked:
    """One query with its prefetches, all of it checked; nothing of it depends on points any more.

    Attributes:
        sought: What points are found by; None: by their ids, unless ``fuse`` says otherwise.
        fuse: How the prefetches' results become one list, each point with a score of its own.
        field: The vector that is searched, where one is.
        prefetches: Where candidates come from; empty: all points.
        filter: What points must be like.
    """

    sought: Sought | Diverse | Order | Sampled | None
    fuse: Fuse | Formula | None
    field: AnyField | None
    prefetches: list[Asked]
    filter: NativeFilter | None
    plan: SearchPlan
    threshold: float | None
    limit: int
    offset: int


class QueryLowering:
    """One query of a collection on its way into what the core takes."""

    def __init__(self, collection: Reads, pace: Pace) -> None:
        self._collection = collection
        self._pace = pace
        self._prefetches = 0

    async def asked(
        self, given: Prefetch, *, offset: int = 0, path: str = "", depth: int = 0
    ) -> Asked:
        """Checks one query and those before it.

        Raises:
            InvalidArgumentError: Something is wrong; the message begins with the path to it.
        """
        collection = self._collection
        limit = _LIMIT if given.limit is None else given.limit
        check_limit(limit)
        field: AnyField | None = None
        if given.using:  # also where it is not needed: a name that is wrong is told
            field = find_field(collection._fields, given.using, f"{path}using")
        plan = SearchPlan.of(given.params)
        threshold = check_threshold(given.score_threshold)
        filter = await lower_reading(given.filter, collection._fields, self._pace, f"{path}filter")
        prefetches = [
            await self.asked(one, path=where, depth=depth + 1)
            for where, one in self._prefetches_of(given.prefetch, path, depth)
        ]
        sought: Sought | Diverse | Order | Sampled | None = None
        fuse: Fuse | Formula | None = None
        query = None if given.query is None else query_of(given.query, f"{path}query")
        _check_together(query, given.using, path, merges=bool(prefetches), threshold=threshold)
        match query:
            case None:
                pass
            case FusionQuery() | RrfQuery():
                if not prefetches:
                    raise InvalidArgumentError(f"{path}query: a fusion needs a prefetch")
                fuse = fuse_of(query, len(prefetches), f"{path}query")
            case FormulaQuery():
                if not prefetches:
                    raise InvalidArgumentError(f"{path}query: a formula needs a prefetch")
                fuse = await lower_formula(
                    query, len(prefetches), collection._fields, self._pace, f"{path}query"
                )
            case OrderByQuery(order_by=order_by):
                sought = Order.of(order_by, f"{path}query.order_by")
            case SampleQuery(sample=sample):
                _check_sample(sample, f"{path}query.sample")
                sought = Sampled()
            case _:
                field = field or find_field(collection._fields, UNNAMED, f"{path}using")
                sought = await self._sought(query, field, given.lookup_from, path)
        return Asked(sought, fuse, field, prefetches, filter, plan, threshold, limit, offset)

    async def _sought(
        self,
        query: NearestQuery | RecommendQuery | DiscoverQuery | ContextQuery,
        field: AnyField,
        lookup_from: object,
        path: str,
    ) -> Sought | Diverse:
        mmr = None
        if isinstance(query, NearestQuery):
            mmr = query.mmr
            if (  # the common case
                mmr is None
                and lookup_from is None
                and isinstance(field, VectorField)
                and isinstance(query.nearest, np.ndarray)
            ):
                vector = await query_vector(query.nearest, field, f"{path}query: ", self._pace)
                return Sought(vector[np.newaxis], None, [])
        source = self._source(lookup_from, field)
        examples = examples_of(field, source)
        sought = await lower_query(query, examples, self._pace, f"{path}query")
        return sought if mmr is None else Diverse.of(mmr, sought, f"{path}query.mmr")

    def _prefetches_of(self, given: object, path: str, depth: int) -> list[tuple[str, Prefetch]]:
        if given is None:
            return []
        if depth >= _PREFETCH_DEPTH_MAX:
            raise InvalidArgumentError(
                f"{path}prefetch: nested too deeply, at most {_PREFETCH_DEPTH_MAX} levels"
            )
        if isinstance(given, Prefetch | Mapping):
            given = [given]
        found = []
        for index, one in enumerate(list_of(given, f"{path}prefetch", "prefetches")):
            where = f"{path}prefetch[{index}]"
            found.append((f"{where}.", struct_of(one, Prefetch, where)))
        self._prefetches += len(found)
        if self._prefetches > _PREFETCHES_MAX:
            raise InvalidArgumentError(
                f"{path}prefetch: there are more than {_PREFETCHES_MAX} prefetches"
            )
        return found

    def _source(self, lookup_from: object, field: AnyField) -> Source:
        """Where the vectors of ids come from."""
        collection = self._collection
        if lookup_from is None:
            return Source(field, partial(collection._vectors_of, field))
        given = struct_of(lookup_from, LookupLocation, "lookup_from")
        other = collection._sibling(given.collection)
        name = field.name if given.vector is None else given.vector
        other_field = find_field(other._fields, name, "lookup_from.vector")
        if type(other_field) is not type(field):
            raise InvalidArgumentError(
                f"lookup_from.vector: '{other_field.name}' of '{other.name}' and '{field.name}' of "
                f"'{collection.name}' must both be dense, both be sparse or both be multivectors"
            )
        return Source(
            other_field,
            partial(other._vectors_of, other_field),
            is_elsewhere=other.name != collection.name,
        )


def _check_together(
    query: Query | None, using: str | None, path: str, *, merges: bool, threshold: float | None
) -> None:
    """Raises where parts of a query exclude each other; in the words of the interface."""
    if query is None and merges:
        raise InvalidArgumentError(
            f"{path}query: A query is needed to merge the prefetches. Can't have prefetches "
            "without defining a query."
        )
    if query is None and threshold is not None:
        raise InvalidArgumentError(
            f"{path}score_threshold: A query is needed to use the score_threshold. Can't have "
            "score_threshold without defining a query."
        )
    if isinstance(query, OrderByQuery) and threshold is not None:
        raise InvalidArgumentError(
            f"{path}score_threshold: Can't use score_threshold with an order_by query."
        )
    if isinstance(query, FusionQuery | RrfQuery) and using:
        raise InvalidArgumentError(
            f"{path}using: Fusion queries cannot be combined with the 'using' field."
        )


def _check_sample(given: object, path: str) -> None:
    try:
        Sample(given)  # type: ignore[arg-type]
    except ValueError as error:
        raise InvalidArgumentError(
            f"{path}: {shown(given)} invalid, must be one of {', '.join(Sample)}"
        ) from error


def all_of(filters: Sequence[NativeFilter]) -> NativeFilter | None:
    """A filter that passes what all of them pass."""
    if len(filters) <= 1:
        return filters[0] if filters else None
    return [("filter", one) for one in filters], [], [], None


async def has_id(ids: Mapping[PointId, None]) -> NativeFilter:
    """A filter that passes these points."""
    pace = Pace()
    return await having_ids(await point_ids(list(ids), pace), pace)
