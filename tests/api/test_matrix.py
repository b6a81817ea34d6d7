"""Points compared with each other."""

import numpy as np
import pytest

from asyncstore import InvalidArgumentError
from asyncstore import models as m

pytestmark = pytest.mark.asyncio

MAX_SIM = m.MultiVectorConfig(comparator=m.MultiVectorComparator.MAX_SIM)
A_UUID = "550e8400-e29b-41d4-a716-446655440000"


def dense(distance):
    vectors = np.random.default_rng(1).standard_normal((6, 4)).astype(np.float32)
    return {"vectors": {"one": m.VectorParams(size=4, distance=distance)}}, vectors


def multi(distance):
    rng = np.random.default_rng(1)
    vectors = [rng.standard_normal((count, 4)).astype(np.float32) for count in (1, 5, 2, 2, 1, 3)]
    params = m.VectorParams(size=4, distance=distance, multivector_config=MAX_SIM)
    return {"vectors": {"one": params}}, vectors


def sparse(modifier):
    """All have an index in common."""
    rng = np.random.default_rng(1)
    vectors = [
        m.SparseVector(
            indices=[0, *range(1, 30, step)],
            values=rng.standard_normal(1 + len(range(1, 30, step))).astype(np.float32).tolist(),
        )
        for step in (1, 2, 3, 5, 7, 11)
    ]
    return {"sparse_vectors": {"one": m.SparseVectorParams(modifier=modifier)}}, vectors


@pytest.mark.parametrize(
    ("settings", "vectors"),
    [
        *(dense(distance) for distance in m.Distance),
        *(multi(distance) for distance in m.Distance),
        *(sparse(modifier) for modifier in (None, m.Modifier.IDF)),
    ],
)
async def test_the_matrix_is_that_of_searches(open_store, settings, vectors):
    ids = [2, 3, 10, 11, 12, A_UUID]
    async with open_store() as store:
        rows = await store.create_collection("rows", **settings)
        points = [
            m.PointStruct(id=ids[i], vector={"one": vectors[i]}, payload={"n": i})
            for i in (5, 3, 1, 0, 2, 4)
        ]
        without = m.PointStruct(id=1, vector={})
        await rows.upsert([*points, without])
        found = await rows.search_matrix_offsets(sample=100, limit=2, using="one")
        assert found.ids == ids
        pairs = await rows.search_matrix_pairs(sample=100, limit=2, using="one")
        places = {point: place for place, point in enumerate(ids)}
        assert [(places[pair.a], places[pair.b], pair.score) for pair in pairs.pairs] == list(
            zip(found.offsets_row, found.offsets_col, found.scores, strict=True)
        )
        assert found.offsets_row == [place for place in range(6) for _ in range(2)]
        for place in range(6):
            nearest = await rows.search(
                vectors[place],
                using="one",
                limit=2,
                filter=m.Filter(must_not=m.HasIdCondition(has_id=[ids[place]])),
            )
            own = slice(2 * place, 2 * place + 2)
            assert [ids[other] for other in found.offsets_col[own]] == [hit.id for hit in nearest]
            np.testing.assert_allclose(
                found.scores[own], [hit.score for hit in nearest], rtol=1e-4, atol=1e-6
            )
        some = await rows.search_matrix_offsets(sample=3, limit=10, using="one")
        assert len(some.ids) == 3
        assert len(some.scores) == 6
        few = m.Filter(must=m.FieldCondition(key="n", range=m.Range(lt=2)))
        pairs = await rows.search_matrix_pairs(filter=few, using="one")
        assert {(pair.a, pair.b) for pair in pairs.pairs} == {(2, 3), (3, 2)}
        one = m.Filter(must=m.HasIdCondition(has_id=[2]))
        assert (await rows.search_matrix_pairs(filter=one, using="one")).pairs == []
        for wanted, message in [
            ({"sample": 1}, "sample: value 1 invalid, must be from 2 to 10000"),
            ({"limit": 0}, "limit: value 0 invalid"),
            ({"using": "nix"}, "Not existing vector name error: nix"),
            ({"filter": {"must": 1}}, r"filter\.must"),
        ]:
            with pytest.raises(InvalidArgumentError, match=message):
                await rows.search_matrix_pairs(**{"using": "one", **wanted})


@pytest.mark.parametrize(
    ("settings", "vectors"), [dense(m.Distance.DOT), multi(m.Distance.DOT), sparse(None)]
)
async def test_what_is_lost_while_it_is_drawn_is_left_out(
    open_store, monkeypatch, settings, vectors
):
    async with open_store() as store:
        rows = await store.create_collection("rows", **settings)
        points = [m.PointStruct(id=i, vector={"one": vectors[i]}) for i in range(3)]
        await rows.upsert([*points, m.PointStruct(id=7, vector={})])

        async def drawn(filter, count):
            return [2, 7, 0, 9, 1]  # 7 has lost its vector by now, 9 is gone

        expected = await rows.search_matrix_offsets(using="one")
        monkeypatch.setattr(rows, "_drawn", drawn)
        assert await rows.search_matrix_offsets(using="one") == expected
        assert expected.ids == [0, 1, 2]


async def test_sparse_vectors_that_share_nothing_are_no_pair(open_store):
    words = {1: {3: 2.0, 9: 1.0}, 2: {3: 1.0, 7: 4.0}, 3: {9: 0.0}, 4: {5: 1.0}, 5: {}}
    async with open_store() as store:
        docs = await store.create_collection("docs", sparse_vectors={"one": m.SparseVectorParams()})
        points = [
            m.PointStruct(
                id=point, vector={"one": {"indices": list(one), "values": [*one.values()]}}
            )
            for point, one in words.items()
        ]
        await docs.upsert([*points, m.PointStruct(id=6, vector={})])
        found = await docs.search_matrix_offsets(sample=100, using="one")
        assert found.ids == [1, 2, 3, 4, 5]  # those that are nobody's neighbours, too
        assert found.offsets_row == [0, 0, 1, 2]
        assert found.offsets_col == [1, 2, 0, 0]
        assert found.scores == [2.0, 0.0, 2.0, 0.0]
        one = await docs.search_matrix_pairs(sample=100, limit=1, using="one")
        assert [(pair.a, pair.b) for pair in one.pairs] == [(1, 2), (2, 1), (3, 1)]


async def test_of_multivectors_the_first_is_the_query(open_store):
    async with open_store() as store:
        params = m.VectorParams(size=2, distance=m.Distance.DOT, multivector_config=MAX_SIM)
        docs = await store.create_collection("docs", vectors=params)
        await docs.upsert(
            [
                m.PointStruct(id=1, vector=[[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]),
                m.PointStruct(id=2, vector=[[2.0, 0.0]]),
            ]
        )
        pairs = (await docs.search_matrix_pairs()).pairs
        assert [(pair.a, pair.b, pair.score) for pair in pairs] == [(1, 2, 4.0), (2, 1, 2.0)]


@pytest.mark.parametrize("distance", list(m.Distance))
async def test_equal_points_are_at_no_distance(open_store, distance):
    params = m.VectorParams(size=2, distance=distance)
    many = m.VectorParams(size=2, distance=distance, multivector_config=MAX_SIM)
    async with open_store() as store:
        docs = await store.create_collection("docs", vectors={"one": params, "many": many})
        vector = {"one": [0.6, 0.8], "many": [[0.6, 0.8]]}
        await docs.upsert([m.PointStruct(id=point, vector=vector) for point in (1, 2)])
        for using in ("one", "many"):
            for pair in (await docs.search_matrix_pairs(using=using)).pairs:
                if distance in (m.Distance.EUCLID, m.Distance.MANHATTAN):
                    assert str(pair.score) == "0.0"
                else:
                    assert pair.score == pytest.approx(1.0)
