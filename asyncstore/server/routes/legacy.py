"""The endpoints that clients before 1.16 use, each a query in other words."""

from __future__ import annotations

from typing import Any

import numpy as np

from asyncstore.server import bodies, results
from asyncstore.server.endpoint import Call, Endpoint
from asyncstore.server.failures import format_error
from asyncstore.server.routes.query import found, found_each, found_groups
from asyncstore.server.values import value_of


async def search(call: Call[bodies.Search]) -> list[results.ScoredPoint]:
    """The nearest to a vector."""
    return await found(await call.collection(), _searched(call.body))


async def search_batch(call: Call[bodies.SearchBatch]) -> list[list[results.ScoredPoint]]:
    """Several searches at once."""
    return await found_each(call, [_searched(one) for one in call.body.searches])


async def search_groups(call: Call[bodies.SearchGroups]) -> results.Groups:
    """The nearest to a vector, in groups."""
    return await found_groups(await call.collection(), _searched(call.body), call.body)


async def recommend(call: Call[bodies.Recommend]) -> list[results.ScoredPoint]:
    """What is like some examples and unlike others."""
    return await found(await call.collection(), _recommended(call.body))


async def recommend_batch(call: Call[bodies.RecommendBatch]) -> list[list[results.ScoredPoint]]:
    """Several recommendations at once."""
    return await found_each(call, [_recommended(one) for one in call.body.searches])


async def recommend_groups(call: Call[bodies.RecommendGroups]) -> results.Groups:
    """Recommendations in groups."""
    return await found_groups(await call.collection(), _recommended(call.body), call.body)


async def discover(call: Call[bodies.Discover]) -> list[results.ScoredPoint]:
    """What is near to a target, on the right side of pairs."""
    return await found(await call.collection(), _discovered(call.body))


async def discover_batch(call: Call[bodies.DiscoverBatch]) -> list[list[results.ScoredPoint]]:
    """Several discoveries at once."""
    return await found_each(call, [_discovered(one) for one in call.body.searches])


def _searched(body: bodies.Search) -> bodies.Query:
    vector = value_of(body.vector)
    using: str | None = None
    if isinstance(vector, dict):
        if not {"name", "vector"} <= vector.keys():
            raise format_error("vector: a named vector has the keys name and vector")
        vector, using = vector["vector"], _name(vector["name"])
    if not isinstance(vector, np.ndarray | list | dict):
        raise format_error("vector: must be a list of numbers, or a named vector")
    return _query(body, {"nearest": vector}, using)


def _recommended(body: bodies.Recommend) -> bodies.Query:
    examples = {"positive": body.positive, "negative": body.negative, "strategy": body.strategy}
    given = {key: value for key, value in examples.items() if value is not None}
    return _query(body, {"recommend": given}, _name(body.using))


def _discovered(body: bodies.Discover) -> bodies.Query:
    if body.target is None:
        return _query(body, {"context": body.context}, _name(body.using))
    pairs = {"target": body.target, "context": body.context}
    return _query(body, {"discover": pairs}, _name(body.using))


def _name(using: Any) -> str | None:
    """Of old a name, or the object that held one."""
    name = using["name"] if isinstance(using, dict) and "name" in using else using
    if name is not None and not isinstance(name, str):
        raise format_error("using: must be the name of a vector")
    return name


def _query(body: bodies.LegacyQuery, query: object, using: Any) -> bodies.Query:
    return bodies.Query(
        query=query,  # type: ignore[arg-type]  # a value already
        using=using,
        filter=body.filter,
        params=body.params,
        score_threshold=body.score_threshold,
        limit=body.limit,
        offset=body.offset,
        lookup_from=body.lookup_from,
        with_payload=body.with_payload,
        with_vector=body.with_vector,
        with_vectors=body.with_vectors,
    )


_POINTS = "/collections/{collection_name}/points"

ENDPOINTS: list[Endpoint[Any]] = [
    Endpoint("POST", _POINTS + "/search", search, bodies.Search),
    Endpoint("POST", _POINTS + "/search/batch", search_batch, bodies.SearchBatch),
    Endpoint("POST", _POINTS + "/search/groups", search_groups, bodies.SearchGroups),
    Endpoint("POST", _POINTS + "/recommend", recommend, bodies.Recommend),
    Endpoint("POST", _POINTS + "/recommend/batch", recommend_batch, bodies.RecommendBatch),
    Endpoint("POST", _POINTS + "/recommend/groups", recommend_groups, bodies.RecommendGroups),
    Endpoint("POST", _POINTS + "/discover", discover, bodies.Discover),
    Endpoint("POST", _POINTS + "/discover/batch", discover_batch, bodies.DiscoverBatch),
]
