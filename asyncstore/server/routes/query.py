"""Queries: one, several at once, in groups; and how near points are to each other."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from asyncstore.bounds import Bounds, check_number
from asyncstore.collection import Collection
from asyncstore.server import bodies, replies, results
from asyncstore.server.endpoint import Call, Endpoint
from asyncstore.server.values import value_of
from asyncstore.together import all_at_once

_LIMIT = 10
_GROUP_SIZE = 3
_SAMPLE = 10
_MATRIX_LIMIT = 3


async def query(call: Call[bodies.Query]) -> results.FoundPoints:
    """The points that a query finds."""
    return {"points": await found(await call.collection(), call.body)}


async def query_batch(call: Call[bodies.QueryBatch]) -> list[results.FoundPoints]:
    """Several queries at once; the answers in their order."""
    answers = await found_each(call, call.body.searches)
    return [{"points": points} for points in answers]


async def query_groups(call: Call[bodies.QueryGroups]) -> results.Groups:
    """The best points of those that share a value."""
    return await found_groups(await call.collection(), call.body, call.body)


async def matrix_pairs(call: Call[bodies.Matrix]) -> results.MatrixPairs:
    """How near points of a sample are to each other, pair by pair."""
    found = await (await call.collection()).search_matrix_pairs(**_matrix(call.body))
    scores = replies.shortest([pair.score for pair in found.pairs])
    return {
        "pairs": [
            {"a": pair.a, "b": pair.b, "score": score}
            for pair, score in zip(found.pairs, scores, strict=True)
        ]
    }


async def matrix_offsets(call: Call[bodies.Matrix]) -> results.MatrixOffsets:
    """The same as a sparse matrix."""
    found = await (await call.collection()).search_matrix_offsets(**_matrix(call.body))
    return {
        "offsets_row": found.offsets_row,
        "offsets_col": found.offsets_col,
        "scores": replies.shortest(found.scores),
        "ids": found.ids,
    }


async def found(collection: Collection, body: bodies.Query) -> list[results.ScoredPoint]:
    """The points that one query finds, as a reply has them."""
    points = await collection.query(value_of(body.query), offset=body.offset or 0, **_asked(body))
    return await replies.scored(points)


async def found_each(
    call: Call[Any], queries: Sequence[bodies.Query]
) -> list[list[results.ScoredPoint]]:
    """What each of some queries finds; many of them are asked at once."""
    check_number(
        len(queries), Bounds(0, call.store.config.service.max_searches_per_batch), "searches"
    )
    collection = await call.collection()
    answers: list[list[results.ScoredPoint]] = [[] for _ in queries]

    async def one(number: int) -> None:
        answers[number] = await found(collection, queries[number])

    await all_at_once([partial(one, number) for number in range(len(queries))])
    return answers


async def found_groups(
    collection: Collection, body: bodies.Query, grouped: bodies.Grouped
) -> results.Groups:
    """The groups of what one query finds, as a reply has them."""
    found = await collection.query_groups(
        value_of(body.query),
        group_by=grouped.group_by,
        group_size=_GROUP_SIZE if grouped.group_size is None else grouped.group_size,
        with_lookup=_lookup(grouped.with_lookup),
        **_asked(body),
    )
    groups: list[results.Group] = []
    for group in found:
        reply: results.Group = {"id": group.id, "hits": await replies.scored(group.hits)}
        if group.lookup is not None:
            reply["lookup"] = replies.record(group.lookup)
        groups.append(reply)
    return {"groups": groups}


def _asked(body: bodies.Query) -> dict[str, Any]:
    """The arguments that queries with groups and without them share."""
    return {
        "prefetch": body.prefetch,
        "using": body.using or "",
        "filter": body.filter,
        "params": body.params,
        "score_threshold": body.score_threshold,
        "limit": _limit(body),
        "lookup_from": body.lookup_from,
        **body.selection(payload=False),
    }


def _lookup(given: Any) -> Any:
    """A lookup as collections take it, whichever way its collection is spelled."""
    if not isinstance(given, dict) or "collection_name" not in given:
        return given
    fields = bodies.NamedLookup.__struct_fields__
    named = {key: given[key] for key in fields if given.get(key) is not None}
    return {"collection": named.pop("collection_name", None), **named}


def _limit(body: bodies.Query) -> int:
    limit = _LIMIT if body.limit is None else body.limit
    check_number(limit, Bounds(1), "internal.limit")
    return limit


def _matrix(body: bodies.Matrix) -> dict[str, Any]:
    return {
        "filter": body.filter,
        "sample": _SAMPLE if body.sample is None else body.sample,
        "limit": _MATRIX_LIMIT if body.limit is None else body.limit,
        "using": body.using or "",
    }


_POINTS = "/collections/{collection_name}/points"

ENDPOINTS: list[Endpoint[Any]] = [
    Endpoint("POST", _POINTS + "/query", query, bodies.Query),
    Endpoint("POST", _POINTS + "/query/batch", query_batch, bodies.QueryBatch),
    Endpoint("POST", _POINTS + "/query/groups", query_groups, bodies.QueryGroups),
    Endpoint("POST", _POINTS + "/search/matrix/pairs", matrix_pairs, bodies.Matrix),
    Endpoint("POST", _POINTS + "/search/matrix/offsets", matrix_offsets, bodies.Matrix),
]
