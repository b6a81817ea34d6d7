"""Queries by examples, prefetches and their fusion; what is wrong in one is named by its path."""

from contextlib import asynccontextmanager
from uuid import UUID

import anyio
import numpy as np
import pytest

from asyncstore import (
    CollectionNotFoundError,
    DimensionMismatchError,
    InvalidArgumentError,
    PointNotFoundError,
    UnsupportedError,
)
from asyncstore import models as m
from inside import inside

pytestmark = pytest.mark.asyncio

A_UUID = "550e8400-e29b-41d4-a716-446655440000"
# On a line, so that who is near whom can be told by heart.
LINE = [1, 2, 3, 4, 5, 6, 7, 8]


@asynccontextmanager
async def a_line(open_store):
    """Points 1 to 8 at these places of a line, and one with a UUID at 20."""
    async with open_store() as store:
        rows = await store.create_collection(
            "line", vectors=m.VectorParams(size=2, distance=m.Distance.EUCLID)
        )
        await rows.upsert(
            [
                m.PointStruct(id=at, vector=[at, 0], payload={"even": at % 2 == 0, "at": at})
                for at in LINE
            ]
        )
        await rows.upsert([m.PointStruct(id=A_UUID, vector=[20, 0], payload={"even": True})])
        yield Line(store, rows)


class Line:
    def __init__(self, store, rows):
        self.store, self.rows = store, rows

    async def ids(self, query=None, **wanted):
        return [hit.id for hit in await self.rows.query(query, **wanted)]


def recommend(positive=None, negative=None, strategy=None):
    return m.RecommendQuery(
        recommend=m.RecommendInput(positive=positive, negative=negative, strategy=strategy)
    )


def discover(target, *pairs):
    context = [m.ContextPair(positive=good, negative=bad) for good, bad in pairs]
    return m.DiscoverQuery(discover=m.DiscoverInput(target=target, context=context or None))


@inside(a_line)
async def test_a_vector_or_an_id_means_the_nearest(line):
    assert await line.ids([3.1, 0], limit=3) == [3, 4, 2]
    assert await line.ids(np.array([3.1, 0], np.float32), limit=3) == [3, 4, 2]
    assert await line.ids({"nearest": [3.1, 0]}, limit=3) == [3, 4, 2]
    assert set(await line.ids(3, limit=2)) == {2, 4}  # the point itself is left out
    assert await line.ids(np.int64(8), limit=1) == [7]
    assert await line.ids(A_UUID, limit=1) == [8]
    assert await line.ids(UUID(A_UUID), limit=1) == [8]
    assert await line.ids(m.NearestQuery(nearest=A_UUID.upper()), limit=1) == [8]


@inside(a_line)
async def test_results_are_as_those_of_search(line):
    wanted = {"limit": 3, "offset": 1, "with_payload": ["at"], "with_vectors": True}
    assert await line.rows.query([3.1, 0], **wanted) == await line.rows.search([3.1, 0], **wanted)


@inside(a_line)
async def test_without_a_query_points_come_by_their_ids(line):
    assert await line.ids() == [*LINE, A_UUID]
    assert await line.ids(limit=2, offset=3) == [4, 5]
    assert await line.ids(offset=9) == []
    assert await line.ids(offset=100) == []
    (hit,) = await line.rows.query(limit=1, with_payload=True, with_vectors=True)
    assert (hit.id, hit.score, hit.payload["at"], hit.vector) == (1, 0.0, 1, [1.0, 0.0])


@inside(a_line)
async def test_examples_are_no_results(line):
    assert 3 not in await line.ids(recommend([3, 4]), limit=100)
    found = await line.ids(recommend([3, [4.4, 0]], strategy=m.RecommendStrategy.BEST_SCORE))
    assert found[0] == 4  # a vector is no point
    assert set(await line.ids(discover(1, (2, 3)), limit=100)) == {4, 5, 6, 7, 8, A_UUID}


@inside(a_line)
async def test_the_average_of_examples(line):
    assert (await line.ids(recommend([[1, 0], [5, 0]]), limit=1)) == [3]
    # 2 · 4 - 2 = 6
    assert (await line.ids(recommend([[4, 0]], [[2, 0]]), limit=1)) == [6]


@inside(a_line)
async def test_discovery_puts_the_context_first(line):
    found = await line.rows.query(discover([1, 0], ([8, 0], [1, 0])), limit=100)
    # What is nearer to 8 than to 1 comes first, and of that what is nearest to the target.
    assert [hit.id for hit in found] == [5, 6, 7, 8, A_UUID, 1, 2, 3, 4]
    assert all(hit.score > 1 for hit in found[:5])
    assert all(-1 < hit.score < 0 for hit in found[5:])


@inside(a_line)
async def test_context_alone(line):
    query = {"context": {"positive": [8, 0], "negative": [1, 0]}}
    found = await line.rows.query(query, limit=100)
    assert {hit.id for hit in found[:5]} == {5, 6, 7, 8, A_UUID}
    assert [hit.id for hit in found[5:]] == [4, 3, 2, 1]
    assert found[0].score == pytest.approx(0, abs=1e-6)


@inside(a_line)
async def test_prefetches_are_the_candidates(line):
    near_eight = m.Prefetch(query=[8, 0], limit=3)
    assert await line.ids([1, 0], prefetch=near_eight) == [6, 7, 8]
    assert await line.ids([1, 0], prefetch=[near_eight, {"query": [2, 0], "limit": 1}]) == [
        *(2, 6, 7, 8)
    ]
    even = m.FieldCondition(key="even", match=m.MatchValue(value=True))
    assert await line.ids([1, 0], prefetch=near_eight, filter=m.Filter(must=even)) == [4, 6, 8]
    nested = m.Prefetch(query=[1, 0], limit=2, prefetch=m.Prefetch(query=[8, 0], limit=4))
    assert await line.ids([8, 0], prefetch=nested) == [6, 5]
    assert await line.ids([1, 0], prefetch=m.Prefetch(limit=2)) == [1, 2]  # by id
    assert await line.ids([1, 0], prefetch=[]) == await line.ids([1, 0])
    nothing = m.Prefetch(query=[1, 0], filter=m.Filter(must=m.HasIdCondition(has_id=[])))
    assert await line.ids([1, 0], prefetch=nothing) == []


@inside(a_line)
async def test_fusion(line):
    prefetch = [m.Prefetch(query=[1, 0], limit=3), m.Prefetch(query=[4, 0], limit=1)]
    found = await line.rows.query(
        m.FusionQuery(fusion=m.Fusion.RRF), prefetch=prefetch, with_payload=["at"]
    )
    assert [(hit.id, hit.score) for hit in found] == [
        *((1, 1 / 2), (4, 1 / 2), (2, 1 / 3), (3, 1 / 4))
    ]
    assert [hit.payload for hit in found] == [{"at": at} for at in (1, 4, 2, 3)]
    assert await line.ids({"fusion": "rrf"}, prefetch=prefetch, score_threshold=0.3) == [1, 4, 2]
    assert await line.ids({"rrf": {"k": 60}}, prefetch=prefetch, limit=2, offset=1) == [4, 2]
    assert (await line.ids({"rrf": {"weights": [1, 3]}}, prefetch=prefetch))[0] == 4
    # Scores as they are: of distances the largest counts most.
    assert (await line.ids({"fusion": "dbsf"}, prefetch=prefetch[0]))[0] == 3


@inside(a_line)
async def test_vectors_of_ids_from_elsewhere(line):
    other = await line.store.create_collection(
        "other", vectors={"place": m.VectorParams(size=2, distance=m.Distance.COSINE)}
    )
    await other.upsert([m.PointStruct(id=1, vector={"place": [0, 1]})])
    await other.upsert([m.PointStruct(id=2, vector={})])
    there = {"collection": "other", "vector": "place"}
    assert (await line.ids(1, lookup_from=there, limit=1)) == [1]  # 1 is an id of there
    with pytest.raises(PointNotFoundError, match="No point with id 7 found"):
        await line.ids(7, lookup_from=there)
    with pytest.raises(InvalidArgumentError, match="query: point 2 has no vector 'place'"):
        await line.ids(2, lookup_from=there)
    with pytest.raises(CollectionNotFoundError, match="`nowhere`"):
        await line.ids([1, 0], lookup_from=m.LookupLocation(collection="nowhere"))
    with pytest.raises(InvalidArgumentError, match="Not existing vector name error: nix"):
        await line.ids(1, lookup_from={"collection": "other", "vector": "nix"})
    wide = m.VectorParams(size=3, distance=m.Distance.DOT)
    third = await line.store.create_collection("third", vectors=wide)
    await third.upsert([m.PointStruct(id=1, vector=[1, 2, 3])])
    with pytest.raises(DimensionMismatchError, match="'third' has 3 dimensions, collection 'line'"):
        await line.ids(1, lookup_from={"collection": "third"})
    same = {"collection": "line"}
    assert 1 not in await line.ids(1, lookup_from=same)


@pytest.mark.parametrize(
    ("query", "error", "message"),
    [
        ([1, 2, 3], DimensionMismatchError, "query: vector has 3 dimensions"),
        ([1, float("nan")], InvalidArgumentError, "query: vector has nan at dimension 1"),
        ("nix", InvalidArgumentError, 'query: Can not recognize "nix" as point id'),
        (True, InvalidArgumentError, "query: must be a vector or the id of a point, got True"),
        (-1, InvalidArgumentError, "query: value -1 invalid"),
        (99, PointNotFoundError, "No point with id 99 found"),
        ({}, InvalidArgumentError, "make no query, one of nearest, recommend"),
        ({"indices": [1], "values": [1]}, InvalidArgumentError, "is dense"),
        ({"nearest": 1, "x": 2}, InvalidArgumentError, "query: unknown key 'x'"),
        ({"recommend": {}}, InvalidArgumentError, "at least one positive or negative"),
        ({"recommend": {"positive": 1}}, InvalidArgumentError, "positive: must be a list"),
        ({"recommend": {"positive": [[1]]}}, DimensionMismatchError, r"positive\[0\]: vector has"),
        ({"recommend": {"negative": [1]}}, InvalidArgumentError, "recommend.positive: must have"),
        (
            {"recommend": {"positive": [1], "strategy": "x"}},
            InvalidArgumentError,
            "strategy: 'x' invalid, must be one of average_vector, best_score, sum_scores",
        ),
        ({"discover": {"target": 1}}, InvalidArgumentError, "query.discover.context: is missing"),
        ({"discover": {"context": None}}, InvalidArgumentError, "discover.target: is missing"),
        ({"context": []}, InvalidArgumentError, "query.context: must have at least one pair"),
        ({"context": {"positive": 1}}, InvalidArgumentError, r"context\[0\].negative: is missing"),
        ({"fusion": "rrf"}, InvalidArgumentError, "query: a fusion needs a prefetch"),
        ({"formula": 1}, InvalidArgumentError, "query: a formula needs a prefetch"),
        (
            {"nearest": 1, "mmr": {"diversity": 1.5}},
            InvalidArgumentError,
            "mmr.diversity: value 1.5",
        ),
        ({"nearest": 1, "mmr": {"candidates_limit": 0}}, InvalidArgumentError, "candidates_limit"),
        ({"nearest": 1, "mmr": {"lambda": 1}}, InvalidArgumentError, "mmr: unknown key 'lambda'"),
        ({"nearest": 1, "mmr": 0.5}, InvalidArgumentError, "query.mmr: must be a Mmr"),
        ({"relevance_feedback": {}}, UnsupportedError, "relevance_feedback is not supported yet"),
    ],
)
@inside(a_line)
async def test_what_is_wrong_is_named(line, query, error, message):
    with pytest.raises(error, match=message):
        await line.rows.query(query)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"prefetch": {"query": [1, 1]}}, "^query: A query is needed to merge the prefetches"),
        (
            {"query": {"fusion": "rrf"}, "prefetch": {"prefetch": {"query": [1, 1]}}},
            r"^prefetch\[0\].query: A query is needed to merge the prefetches",
        ),
        (
            {"score_threshold": 0.5},
            "^score_threshold: A query is needed to use the score_threshold",
        ),
        (
            {"query": {"order_by": "at"}, "score_threshold": 0.5},
            "Can't use score_threshold with an order_by query",
        ),
    ],
)
@inside(a_line)
async def test_parts_that_exclude_each_other(line, asked, message):
    with pytest.raises(InvalidArgumentError, match=message):
        await line.rows.query(**asked)


@inside(a_line)
async def test_a_fusion_is_of_no_vector(line):
    named = await line.store.create_collection(
        "named", vectors={"a": m.VectorParams(size=2, distance=m.Distance.DOT)}
    )
    prefetch = m.Prefetch(query=[1, 0], using="a")
    with pytest.raises(InvalidArgumentError, match="cannot be combined with the 'using' field"):
        await named.query({"fusion": "rrf"}, prefetch=prefetch, using="a")
    # What is wrong in a prefetch is told first.
    with pytest.raises(PointNotFoundError, match="No point with id 77 found"):
        await named.query({"fusion": "rrf"}, prefetch={"query": 77, "using": "a"}, using="a")
    assert await named.query({"fusion": "rrf"}, prefetch=prefetch) == []


@pytest.mark.parametrize(
    ("prefetch", "message"),
    [
        (5, "prefetch: must be a list of prefetches"),
        ({"limit": 0}, "limit: value 0 invalid"),
        ({"nix": 0}, r"prefetch\[0\]: unknown key 'nix'"),
        ([{"query": [1]}], r"prefetch\[0\].query: vector has 1 dimensions"),
        ({"filter": {"must": 1}}, r"prefetch\[0\].filter.must: must be a list"),
        ({"prefetch": {"query": {"recommend": {}}}}, r"prefetch\[0\].prefetch\[0\].query.recomm"),
        ([{"query": [1, 1]}] * 300, "more than 256 prefetches"),
    ],
)
@inside(a_line)
async def test_what_is_wrong_in_a_prefetch_is_named(line, prefetch, message):
    with pytest.raises(InvalidArgumentError, match=message):
        await line.rows.query([1, 1], prefetch=prefetch)
    with pytest.raises(InvalidArgumentError, match="'x' invalid, must be one of rrf, dbsf"):
        await line.rows.query({"fusion": "x"}, prefetch={"query": [1, 1]})
    with pytest.raises(InvalidArgumentError, match="weights: there are 2, must be 1"):
        await line.rows.query({"rrf": {"weights": [1, 1]}}, prefetch={"query": [1, 1]})


@inside(a_line)
async def test_prefetches_nested_too_deeply(line):
    prefetch = None
    for _ in range(20):
        prefetch = m.Prefetch(prefetch=prefetch, query=[1, 1])
    with pytest.raises(InvalidArgumentError, match="nested too deeply, at most 16 levels"):
        await line.rows.query([1, 1], prefetch=prefetch)


@inside(a_line)
async def test_an_error_in_a_prefetch_is_raised_as_it_is(line):
    """Not in a group of errors, though several run at once."""
    await line.rows.delete(points=[1])
    with pytest.raises(PointNotFoundError, match="id 1"):
        await line.rows.query([1, 1], prefetch=[{"query": 1}, {"query": 2}])


@inside(a_line)
async def test_a_cancelled_query_leaves_nothing_behind(line):
    prefetch = [m.Prefetch(query=[at, 0]) for at in LINE]
    with anyio.move_on_after(0):
        await line.rows.query({"fusion": "rrf"}, prefetch=prefetch)
    assert len(await line.ids({"fusion": "rrf"}, prefetch=prefetch)) == 9
