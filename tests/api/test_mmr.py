"""Results that differ among the nearest: who is chosen, of which candidates, with what score."""

from contextlib import asynccontextmanager

import pytest

from asyncstore import models as m
from inside import inside

pytestmark = pytest.mark.asyncio

# Two of a kind near the query, one far off it, one of another kind.
PLACES = {1: [1.0, 0.0], 2: [0.99, 0.01], 3: [0.8, 0.6], 4: [-1.0, 0.1]}


@asynccontextmanager
async def four_points(open_store):
    async with open_store() as store:
        rows = await store.create_collection(
            "rows", vectors={"v": m.VectorParams(size=2, distance=m.Distance.DOT)}
        )
        await rows.upsert(
            [
                m.PointStruct(id=point, vector={"v": at}, payload={"n": point, "kind": "a"})
                for point, at in PLACES.items()
            ]
        )
        yield rows


async def ids(rows, mmr, *, nearest=(1.0, 0.0), **how):
    query = m.NearestQuery(nearest=list(nearest) if nearest != 1 else 1, mmr=mmr)
    return [hit.id for hit in await rows.query(query, using="v", **how)]


@inside(four_points)
async def test_the_nearest_comes_first_and_then_what_differs(rows):
    assert await ids(rows, m.Mmr(diversity=0.0)) == [1, 2, 3, 4]
    # For 4: 0.5 · -1 + 0.5 · 1 = 0, for 2 0.495 - 0.495 = 0 less a little.
    assert await ids(rows, m.Mmr(diversity=1.0)) == [1, 4, 3, 2]
    assert await ids(rows, m.Mmr(diversity=0.6)) == [1, 4, 3, 2]
    assert (await ids(rows, m.Mmr(diversity=0.4)))[:2] == [1, 2]
    assert await ids(rows, m.Mmr()) == await ids(rows, m.Mmr(diversity=0.5))
    assert await ids(rows, {"diversity": 1}) == [1, 4, 3, 2]


@inside(four_points)
async def test_candidates(rows):
    assert await ids(rows, m.Mmr(diversity=1.0), limit=2) == [1, 2]
    assert await ids(rows, m.Mmr(diversity=1.0, candidates_limit=3), limit=2) == [1, 3]
    assert await ids(rows, m.Mmr(diversity=1.0, candidates_limit=16_384), limit=2) == [1, 4]
    assert await ids(rows, m.Mmr(candidates_limit=2)) == [1, 2]
    assert await ids(rows, m.Mmr(diversity=1.0), limit=2, offset=2) == [3, 2]
    assert await ids(rows, m.Mmr(), limit=2**64 - 1) == await ids(rows, m.Mmr())
    few = m.Filter(must_not=m.HasIdCondition(has_id=[4]))
    assert await ids(rows, m.Mmr(diversity=1.0), filter=few) == [1, 3, 2]
    assert await ids(rows, m.Mmr(diversity=1.0), score_threshold=0.9) == [1, 2]
    assert await ids(rows, m.Mmr(), score_threshold=5.0) == []
    assert await ids(rows, m.Mmr(diversity=1.0), nearest=1) == [2, 4, 3]
    among = m.Prefetch(query=[1.0, 0.0], using="v", limit=3)
    assert await ids(rows, m.Mmr(diversity=1.0), prefetch=among) == [1, 3, 2]


@inside(four_points)
async def test_scores_are_those_of_the_search_and_nothing_else_is_shown(rows):
    query = m.NearestQuery(nearest=[1.0, 0.0], mmr=m.Mmr(diversity=1.0))
    found = await rows.query(query, using="v")
    plain = {hit.id: hit for hit in await rows.query([1.0, 0.0], using="v")}
    assert found == [plain[one] for one in (1, 4, 3, 2)]
    assert found[0].payload is None
    assert found[0].vector is None
    shown = await rows.query(query, using="v", limit=1, with_payload=["n"], with_vectors=True)
    assert [(hit.payload, hit.vector) for hit in shown] == [({"n": 1}, {"v": [1.0, 0.0]})]


@inside(four_points)
async def test_in_prefetches_and_groups(rows):
    query = m.NearestQuery(nearest=[1.0, 0.0], mmr=m.Mmr(diversity=1.0, candidates_limit=4))
    two = m.Prefetch(query=query, using="v", limit=2)
    fused = await rows.query({"fusion": "rrf"}, prefetch=two)
    assert [hit.id for hit in fused] == [1, 4]
    (group,) = await rows.query_groups(query, using="v", group_by="kind", group_size=3)
    assert [hit.id for hit in group.hits] == [1, 4, 3]


@pytest.mark.parametrize("distance", list(m.Distance))
async def test_vectors_beyond_all_measure(open_store, distance):
    """Similarities overflow, and still every point comes once."""
    async with open_store() as store:
        rows = await store.create_collection(
            "rows", vectors=m.VectorParams(size=2, distance=distance)
        )
        places = [[3e38, 0], [0, 3e38], [-3e38, 1], [1e-38, 0], [0, 0], [1, 1]]
        await rows.upsert([m.PointStruct(id=point, vector=at) for point, at in enumerate(places)])
        query = m.NearestQuery(nearest=[1e38, 1e38], mmr=m.Mmr())
        found = [hit.id for hit in await rows.query(query)]
        assert sorted(found) == sorted(hit.id for hit in await rows.query([1e38, 1e38]))
        assert len(set(found)) == len(found)


SHOWN = {1: {1: 2.0, 2: 1.0}, 2: {1: 2.0}, 3: {1: 0.5, 3: 1.0}, 4: {3: 5.0}, 5: {1: 1.0, 9: 0.1}}


async def sparse_points(store, weights, modifier=None):
    rows = await store.create_collection(
        "rows", sparse_vectors={"v": m.SparseVectorParams(modifier=modifier)}
    )
    await rows.upsert(
        [m.PointStruct(id=point, vector={"v": sparse(one)}) for point, one in weights.items()]
    )
    return rows


async def test_rarity_of_indices_says_who_is_a_candidate_and_the_first(open_store):
    weights = {1: {1: 3.0}, 2: {2: 2.0}, 3: {1: 1.0}, 4: {2: 0.75}}
    weights |= {point: {1: 0.1} for point in range(5, 9)}
    async with open_store() as store:
        rows = await sparse_points(store, weights, m.Modifier.IDF)
        query = sparse({1: 1.0, 2: 1.0})
        plain = [hit.id for hit in await rows.query(query, using="v", limit=4)]
        assert plain == [2, 1, 4, 3]
        mmr = m.NearestQuery(nearest=query, mmr=m.Mmr(diversity=0.0))
        assert [hit.id for hit in await rows.query(mmr, using="v", limit=4)] == [2, 1, 3, 4]


async def test_of_sparse_vectors_by_their_dot_products(open_store):
    """Of the candidates 1, 2, 5 and 3."""
    async with open_store() as store:
        rows = await sparse_points(store, SHOWN)
        query = sparse({1: 1.0, 2: 1.0})
        plain = {hit.id: hit for hit in await rows.query(query, using="v")}
        assert list(plain) == [1, 2, 5, 3]
        for diversity, expected in [(0.0, [1, 2, 5, 3]), (1.0, [1, 3, 5, 2])]:
            mmr = m.NearestQuery(nearest=query, mmr=m.Mmr(diversity=diversity))
            found = await rows.query(mmr, using="v")
            assert found == [plain[point] for point in expected]
        by_id = m.NearestQuery(nearest=1, mmr=m.Mmr(diversity=1.0))
        # To 2 the similarity of 5 is 2, that of 3 is 1.
        assert [hit.id for hit in await rows.query(by_id, using="v")] == [2, 3, 5]


async def test_of_multivectors_who_is_left_is_the_query(open_store):
    async with open_store() as store:
        params = m.VectorParams(
            size=2,
            distance=m.Distance.DOT,
            multivector_config=m.MultiVectorConfig(comparator=m.MultiVectorComparator.MAX_SIM),
        )
        rows = await store.create_collection("rows", vectors={"v": params})
        places = {
            1: [[4.0, 0.0], [0.0, 1.0]],
            2: [[2.0, 1.0], [2.0, 0.0], [2.0, 0.0]],  # to 1: 8 + 8 + 8; of 1 to it: 8 + 1
            3: [[3.0, 0.0]],  # to 1: 12; of 1 to it: 12 + 0
            4: [[1.0, 0.0]],
        }
        await rows.upsert([m.PointStruct(id=one, vector={"v": at}) for one, at in places.items()])
        await rows.upsert([m.PointStruct(id=5, vector={})])
        assert await ids(rows, m.Mmr(diversity=0.0), nearest=[[1.0, 0.0]]) == [1, 3, 2, 4]
        assert await ids(rows, m.Mmr(diversity=1.0), nearest=[[1.0, 0.0]]) == [1, 4, 3, 2]


def sparse(weights):
    return m.SparseVector(indices=list(weights), values=list(weights.values()))
