"""Multivectors: written in every way, returned, searched by max_sim, refused when wrong."""

import shutil

import anyio
import numpy as np
import pytest

from asyncstore import (
    DimensionMismatchError,
    InvalidArgumentError,
    PointNotFoundError,
    UnsupportedError,
)
from asyncstore import models as m

pytestmark = pytest.mark.asyncio

MAX_SIM = m.MultiVectorConfig(comparator=m.MultiVectorComparator.MAX_SIM)
ROSE, THORN = [[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]], [[-1.0, 0.5]]


def multi(distance=m.Distance.DOT, size=2, **more):
    return m.VectorParams(size=size, distance=distance, multivector_config=MAX_SIM, **more)


async def make(store, unnamed, **more):
    vectors = {"": unnamed(), "text": multi(), "tags": multi(size=3)}
    sparse = {"words": m.SparseVectorParams()}
    return await store.create_collection("docs", vectors=vectors, sparse_vectors=sparse, **more)


async def vectors_of(collection, *ids, with_vectors=True):
    return [one.vector for one in await collection.retrieve(ids, with_vectors=with_vectors)]


async def found(hits):
    return [(hit.id, hit.score) for hit in await hits]


async def test_they_are_returned_as_they_were_given(open_store, unnamed):
    async with open_store() as store:
        docs = await make(store, unnamed)
        words = m.SparseVector(indices=[1], values=[1.0])
        await docs.upsert(
            [
                m.PointStruct(id=1, vector={"": [1, 2, 3, 4], "text": ROSE, "words": words}),
                m.PointStruct(id=2, vector={"text": np.array(ROSE), "tags": [1, 2, 3]}),
                m.PointStruct(id=3, vector={"text": [np.array([5, 6]), (7, 8)]}),
                m.PointStruct(id=4, vector={"tags": np.array([1, 2, 3], np.uint8)}),
                m.PointStruct(id=5, vector=[1, 2, 3, 4]),
            ]
        )
    async with open_store() as store:
        docs = await store.get_collection("docs")
        assert await vectors_of(docs, 1, 2, 3, 4, 5) == [
            {"": [1, 2, 3, 4], "text": ROSE, "words": words},
            {"text": ROSE, "tags": [[1, 2, 3]]},
            {"text": [[5, 6], [7, 8]]},
            {"tags": [[1, 2, 3]]},
            {"": [1, 2, 3, 4]},
        ]
        assert await vectors_of(docs, 1, 4, with_vectors=["tags"]) == [{}, {"tags": [[1, 2, 3]]}]
        (record, *_), _ = await docs.scroll(with_vectors=["text"])
        assert record.vector == {"text": ROSE}
        (best,) = await docs.search([[1, 0]], using="text", limit=1, with_vectors=["text", ""])
        assert (best.id, best.score, best.vector) == (3, 7.0, {"text": [[5, 6], [7, 8]]})
        vectors = (await docs.info()).config.params.vectors
        assert vectors["text"].multivector_config == MAX_SIM
        statistics = docs.statistics()
        assert statistics.ram_bytes["multivectors"] > 0
        assert statistics.disk_bytes["multivectors"] > 0
        assert await docs.check() == []


async def test_the_one_unnamed_vector(open_store):
    async with open_store() as store:
        docs = await store.create_collection("docs", vectors=multi(m.Distance.COSINE))
        await docs.upsert([m.PointStruct(id=7, vector=[[3, 4], [0, 2]], payload={"a": 1})])
        assert await vectors_of(docs, 7) == [[[np.float32(0.6), np.float32(0.8)], [0, 1]]]
        assert await found(docs.search([0, 5])) == [(7, 1.0)]
        await docs.optimize()
        await docs.delete_vectors([""], points=[7])
        assert await vectors_of(docs, 7) == [{}]
        assert await found(docs.search([0, 5])) == []


@pytest.mark.parametrize(
    ("datatype", "expected"),
    [
        (m.Datatype.FLOAT32, [[0.1, 300.7], [-1, 2]]),
        (m.Datatype.FLOAT16, [[0.1, 300.75], [-1, 2]]),
        (m.Datatype.UINT8, [[0, 255], [0, 2]]),
    ],
)
async def test_datatypes(open_store, datatype, expected):
    async with open_store() as store:
        docs = await store.create_collection("docs", vectors=multi(datatype=datatype))
        await docs.upsert([m.PointStruct(id=1, vector=[[0.1, 300.7], [-1, 2]])])
        np.testing.assert_allclose((await vectors_of(docs, 1))[0], expected, rtol=1e-3)


async def test_arrays_take_cubes_matrices_and_sequences(open_store, unnamed):
    dense = np.ones((3, 4), np.float32)
    cube = np.arange(12, dtype=np.float32).reshape(3, 2, 2)
    async with open_store() as store:
        docs = await make(store, unnamed)
        await docs.upsert_arrays(
            [1, 2, 3], {"": dense, "text": cube, "tags": [None, [[1, 2, 3]], np.eye(3)]}
        )
        names = ["text", "tags"]
        assert await vectors_of(docs, 1, 2, 3, with_vectors=names) == [
            {"text": cube[0].tolist()},
            {"text": cube[1].tolist(), "tags": [[1, 2, 3]]},
            {"text": cube[2].tolist(), "tags": np.eye(3).tolist()},
        ]
        await docs.upsert_arrays([1, 2, 3], {"text": cube.astype(np.int16)[:, 1]})  # a row each
        await docs.upsert_arrays([4], {"text": cube.astype(np.float64)[:1]})
        assert await vectors_of(docs, 3, 4, with_vectors=names) == [
            {"text": [cube[2, 1].tolist()]},
            {"text": cube[0].tolist()},
        ]


async def test_changes(open_store, unnamed):
    async with open_store() as store:
        docs = await make(store, unnamed)
        await docs.upsert([m.PointStruct(id=1, vector={"": [1, 2, 3, 4], "text": ROSE})])
        await docs.update_vectors([m.PointVectors(id=1, vector={"tags": [[1, 2, 3]]})])
        await docs.update_vectors([m.PointVectors(id=1, vector={"text": THORN})])
        assert await vectors_of(docs, 1) == [{"": [1, 2, 3, 4], "text": THORN, "tags": [[1, 2, 3]]}]
        assert (
            await docs.count(filter=m.Filter(must=[m.HasVectorCondition(has_vector="text")])) == 1
        )
        await docs.delete_vectors(["text", ""], points=[1])
        assert await vectors_of(docs, 1) == [{"tags": [[1, 2, 3]]}]
        assert (
            await docs.count(filter=m.Filter(must=[m.HasVectorCondition(has_vector="text")])) == 0
        )
        assert (
            await docs.count(filter=m.Filter(must=[m.HasVectorCondition(has_vector="tags")])) == 1
        )
        await docs.upsert([m.PointStruct(id=1, vector={"text": ROSE})])
        assert await vectors_of(docs, 1) == [{"text": ROSE}]
        await docs.delete(points=[1])
        await docs.upsert([m.PointStruct(id=1, vector={})])
        assert await vectors_of(docs, 1) == [{}]
        has_text = m.Filter(must=[m.HasVectorCondition(has_vector="text")])
        point = m.PointStruct(id=1, vector={"text": THORN})
        await docs.upsert([point, m.PointStruct(id=1, vector={})], update_filter=has_text)
        assert await vectors_of(docs, 1) == [{}]  # which did not have it
        batch = m.Batch(ids=[5], vectors={"text": [ROSE]})
        await docs.batch_update([m.UpsertOperation(upsert=m.PointsBatch(batch=batch))])
        assert await vectors_of(docs, 5) == [{"text": ROSE}]


async def test_batches_of_many_megabytes_are_cut(open_store, unnamed):
    cube = np.random.default_rng(5).random((900, 2000, 2), np.float32)
    async with open_store() as store:
        docs = await make(store, unnamed)
        await docs.upsert_arrays(np.arange(900, dtype=np.uint64), {"text": cube})
        result = await docs.upsert_arrays(np.arange(900, dtype=np.uint64), {"text": list(cube)})
        assert result.operation_id > 2
        for record in await docs.retrieve([0, 577, 899], with_vectors=True):
            assert np.array_equal(record.vector["text"], cube[record.id])
        # A point that takes several reads, and more than one slice to score.
        await docs.upsert([m.PointStruct(id=1, vector={"text": cube[:262].reshape(-1, 2)})])
        query = cube[3, :50]
        (hit, *_) = await docs.search(query, using="text", limit=1)
        near = (query @ cube[:262].reshape(-1, 2).T).max(axis=1).sum()
        assert hit.id == 1
        assert hit.score == pytest.approx(near, rel=1e-5)


WRONG = [
    ([], InvalidArgumentError, "{}: multi vector must not be empty"),
    ([[]], InvalidArgumentError, "{}: all vectors must be non-empty"),
    ([[1, 2], []], InvalidArgumentError, "{}: all vectors must be non-empty"),
    (
        [[1, 2], [1, 2, 3]],
        InvalidArgumentError,
        "{}: all vectors must have the same dimension, found vector with dimension 3",
    ),
    ([[1, 2, 3]], DimensionMismatchError, "{}: vector 'text' has 3 dimensions"),
    ([1, 2, 3], DimensionMismatchError, "{}: vector 'text' has 3 dimensions"),
    (np.zeros((2, 3)), DimensionMismatchError, "{}: vector 'text' has 3 dimensions"),
    (np.zeros((0, 2)), InvalidArgumentError, "{}: multi vector must not be empty"),
    (np.zeros((2, 2, 2)), InvalidArgumentError, r"{}: must have the shape \(rows, dim\)"),
    (np.zeros((1 << 19, 2)), None, ""),
    (np.zeros(((1 << 19) + 1, 2)), InvalidArgumentError, "{}: total size of all vectors"),
    ([[1, 2], [1, float("nan")]], InvalidArgumentError, r"{}\[1\]: vector has nan"),
    (np.array([[1, 2], [np.inf, 2]]), InvalidArgumentError, r"{}\[1\] has inf at dimension 0"),
    ([[1, 2], [1, 1e39]], InvalidArgumentError, r"{}\[1\]: vector has 1e\+39"),
    ([[1, 2], None], InvalidArgumentError, r"{}\[1\]: None is no vector"),
    ([[1, "2"]], InvalidArgumentError, r"{}\[0\]: vector must be a flat list of numbers"),
    (["ab"], InvalidArgumentError, r"{}\[0\]: 'ab' is no vector"),
    ("text", InvalidArgumentError, "{}: the vector is a multivector"),
    ({"indices": [1], "values": [1]}, InvalidArgumentError, "{}: the vector is a multivector"),
    (7, InvalidArgumentError, "{}: the vector is a multivector"),
]


@pytest.mark.parametrize(("vector", "error", "sentence"), WRONG)
async def test_what_is_wrong_is_named_and_changes_nothing(
    open_store, unnamed, vector, error, sentence
):
    async with open_store() as store:
        docs = await make(store, unnamed)
        if error is None:
            await docs.upsert([m.PointStruct(id=1, vector={"text": vector})])
            return
        with pytest.raises(error, match=sentence.format(r"points\[0\]\.vector\.text")):
            await docs.upsert([m.PointStruct(id=1, vector={"text": vector})])
        with pytest.raises(error, match=sentence.format(r"vectors\.text\[0\]")):
            await docs.upsert_arrays([1], {"text": [vector]})
        with pytest.raises(error, match=sentence.format("query")):
            await docs.search(vector, using="text")
        assert await docs.count() == 0


@pytest.mark.parametrize(
    "rows",
    [
        np.zeros((2, 1, 2)),  # two points
        np.zeros((1, 1, 3)),
        np.zeros((1, 0, 2)),
        np.full((1, 2, 2), np.nan, np.float32),
        np.full((1, 2, 2), 1e39),
        np.zeros(2),
        np.zeros((1, 1, 1, 2)),
        "text",
        {"a": 1},
        7,
        [[[1, 2]], [[1, 2]]],
    ],
)
async def test_wrong_columns(open_store, unnamed, rows):
    async with open_store() as store:
        docs = await make(store, unnamed)
        with pytest.raises((InvalidArgumentError, DimensionMismatchError), match=r"vectors\.text"):
            await docs.upsert_arrays([1], {"text": rows})
        assert await docs.count() == 0


async def test_wrong_settings_are_refused(open_store):
    async with open_store() as store:
        for more in (
            {"quantization_config": "auto"},
            {"hnsw_config": m.HnswConfigDiff(m=16)},
            {"hnsw_config": m.HnswConfigDiff(ef_construct=50)},
        ):
            with pytest.raises(UnsupportedError, match=r"vectors\.(quantiz|hnsw)"):
                await store.create_collection("docs", vectors=multi(**more))
        with pytest.raises(InvalidArgumentError, match="duplicate found with 'a'"):
            await store.create_collection(
                "docs", vectors={"a": multi()}, sparse_vectors={"a": m.SparseVectorParams()}
            )
        # Those of the collection are for its dense vectors.
        vectors = {"a": multi(hnsw_config=m.HnswConfigDiff(m=0)), "b": dense()}
        docs = await store.create_collection("docs", vectors=vectors, quantization_config="auto")
        given = (await docs.info()).config.params.vectors
        assert given["a"].quantization_config is None
        assert given["b"].quantization_config is not None


def dense():
    return m.VectorParams(size=2, distance=m.Distance.DOT)


async def tiny(store, distance=m.Distance.DOT, **more):
    """Four points and one without the vector."""
    docs = await store.create_collection(
        "docs", vectors={"text": multi(distance, **more), "flat": dense()}
    )
    await docs.upsert(
        [
            m.PointStruct(id=1, vector={"text": [[1, 0], [0, 1]], "flat": [1, 0]}),
            m.PointStruct(id=2, vector={"text": [[2, 0]], "flat": [2, 0]}, payload={"a": "x"}),
            m.PointStruct(id=3, vector={"text": [[0, 3], [1, 1]]}, payload={"a": "x"}),
            m.PointStruct(id=4, vector={"text": [[-1, -1]]}, payload={"a": "y"}),
            m.PointStruct(id=5, vector={"flat": [5, 5]}, payload={"a": "y"}),
        ]
    )
    return docs


@pytest.mark.parametrize(
    ("distance", "expected"),
    [
        (m.Distance.DOT, [(3, 4), (1, 2), (2, 2), (4, -2)]),
        # The root of the sum of squares; the sum of distances.
        (m.Distance.EUCLID, [(1, 0), (3, 2**0.5), (2, 6**0.5), (4, 10**0.5)]),
        (m.Distance.MANHATTAN, [(1, 0), (3, 2), (2, 4), (4, 6)]),
        (m.Distance.COSINE, [(1, 2), (3, 1 + 0.5**0.5), (2, 1), (4, -(2**0.5))]),
    ],
)
async def test_the_nearest(open_store, distance, expected):
    async with open_store() as store:
        docs = await tiny(store, distance)
        hits = await found(docs.search([[1, 0], [0, 1]], using="text"))
        assert [point for point, _ in hits] == [point for point, _ in expected]
        assert [score for _, score in hits] == pytest.approx([score for _, score in expected])
        assert str(hits[0][1]) != "-0.0"
        assert (
            await found(docs.search([[1, 0], [0, 1]], using="text", limit=2, offset=1)) == hits[1:3]
        )
        threshold = (hits[1][1] + hits[2][1]) / 2
        best = await found(
            docs.search([[1, 0], [0, 1]], using="text", score_threshold=threshold, offset=1)
        )
        if hits[1][1] != hits[2][1]:
            assert best == hits[1:2]


async def test_batches_are_many_searches(open_store):
    queries = [[[1, 0], [0, 1]], [[0, 5]], [-1, -1]]
    async with open_store() as store:
        docs = await tiny(store)
        batch = await docs.search_batch(queries, using="text", limit=3)
        for row, query in enumerate(queries):
            hits = await found(docs.search(query, using="text", limit=3))
            assert list(zip(batch.ids[row], batch.scores[row], strict=True)) == hits
        same = await docs.search_batch(np.ones((3, 2, 2)), using="text", limit=9)
        assert same.counts.tolist() == [4, 4, 4]
        has_x = m.Filter(must=[m.FieldCondition(key="a", match=m.MatchValue(value="x"))])
        some = await docs.search_batch(queries[:1], using="text", filter=has_x)
        assert some.ids[0, :2].tolist() == [3, 2]
        for wrong in ([], [queries[0], None]):
            with pytest.raises(InvalidArgumentError):
                await docs.search_batch(wrong, using="text")


async def test_filters_and_prefetches(open_store):
    async with open_store() as store:
        docs = await tiny(store)
        query, first = [[1, 0], [0, 1]], m.Prefetch(query=[1, 1], using="flat", limit=2)
        has_x = m.Filter(must=[m.FieldCondition(key="a", match=m.MatchValue(value="x"))])
        assert await found(docs.search(query, using="text", filter=has_x)) == [(3, 4), (2, 2)]
        # 5 and 2 are the best by the flat vector, and 5 has no rows.
        assert await found(docs.query(query, using="text", prefetch=first)) == [(2, 2)]
        first = m.Prefetch(query=query, using="text", limit=3)
        assert await found(docs.query([1, 1], using="flat", prefetch=first)) == [(2, 2), (1, 1)]
        lists = [first, m.Prefetch(query=[1, 1], using="flat")]
        fused = await found(docs.query(m.RrfQuery(rrf=m.Rrf()), prefetch=lists))
        assert {point for point, _ in fused} == {1, 2, 3, 5}
        groups = await docs.query_groups(query, using="text", group_by="a", group_size=1)
        assert [(group.id, group.hits[0].id) for group in groups] == [("x", 3), ("y", 4)]
        # Only what passes is read.
        before = store.statistics().rows_rescored
        await docs.search(query, using="text", filter=m.Filter(must=[m.HasIdCondition(has_id=[4])]))
        assert store.statistics().rows_rescored == before + 1


async def test_ids_and_examples(open_store):
    async with open_store() as store:
        docs = await tiny(store)

        async def recommended(**given):
            given = m.RecommendInput(**given)
            return await found(docs.query(m.RecommendQuery(recommend=given), using="text"))

        assert await found(docs.query(1, using="text")) == [(3, 4), (2, 2), (4, -2)]
        # Rows of positive examples, and those of negative ones negated.
        assert await recommended(positive=[2], negative=[4]) == [
            (3, max(0, 2) + max(3, 2)),
            (1, 2 + 1),
        ]
        assert await recommended(positive=[[[2, 0]], 4]) == [(2, 4 - 2), (1, 2 - 1), (3, 2 - 2)]
        by_best = await recommended(positive=[[2, 0]], negative=[[[1, 1]]], strategy="best_score")
        assert [point for point, _ in by_best] == [2, 1, 4, 3]
        assert by_best[0][1] == pytest.approx((4 / 5 + 1) / 2)  # 4 is more than 2
        assert by_best[-1][1] == pytest.approx(-(3 / 4 + 1) / 2)  # 3 is more than 2
        by_sum = await recommended(
            positive=[[2, 0]], negative=[[[1, 1], [0, 1]]], strategy="sum_scores"
        )
        assert by_sum == [(2, 4 - 2), (4, -2 + 3), (1, 2 - 2), (3, 2 - 6)]
        pair = m.ContextPair(positive=[[1, 0]], negative=[[0, 1]])
        discovered = m.DiscoverInput(target=[[1, 0], [0, 1]], context=[pair])
        (best, *_) = await docs.query(m.DiscoverQuery(discover=discovered), using="text")
        assert best.id == 2  # nearer to the positive one than to the negative one
        (best, *_) = await docs.query(m.ContextQuery(context=[pair]), using="text")
        assert best.id == 2
        with pytest.raises(PointNotFoundError):
            await docs.query(9, using="text")
        with pytest.raises(InvalidArgumentError, match="point 5 has no vector 'text'"):
            await docs.query(5, using="text")
        with pytest.raises(InvalidArgumentError, match="is a multivector, must be a list"):
            await docs.query(m.SparseVector(indices=[1], values=[1]), using="text")


async def test_examples_of_another_collection(open_store):
    async with open_store() as store:
        docs = await tiny(store)
        other = await store.create_collection("other", vectors={"flat": dense(), "rows": multi()})
        await other.upsert([m.PointStruct(id=2, vector={"flat": [1, 0], "rows": [[0, 1], [0, 1]]})])
        there = m.LookupLocation(collection="other", vector="rows")
        hits = await found(docs.query(2, using="text", lookup_from=there, limit=2))
        assert hits == [(3, 6), (1, 2)]
        with pytest.raises(InvalidArgumentError, match="both be multivectors"):
            await docs.query(
                2, using="text", lookup_from=m.LookupLocation(collection="other", vector="flat")
            )


async def test_writes_while_a_search_reads_many_waves(open_store):
    """Each point is taken as it is when it is read, and none is missed."""
    rng = np.random.default_rng(9)
    cube = rng.random((3000, 8, 4), np.float32)
    async with open_store() as store:
        docs = await store.create_collection("docs", vectors=multi(size=4))
        await docs.upsert_arrays(np.arange(3000, dtype=np.uint64), cube)
        query = rng.random((3, 4), np.float32)
        scores = (query @ cube.transpose(0, 2, 1)).max(axis=2).sum(axis=1)
        hits = await docs.search(query, limit=3000)
        assert len(hits) == 3000
        np.testing.assert_allclose([hit.score for hit in hits], np.sort(scores)[::-1], rtol=1e-5)
        assert store.statistics().reads_submitted > 0
        await docs.delete(points=list(range(0, 3000, 2)))
        hits = await docs.search(query, limit=5000)
        assert {hit.id for hit in hits} == set(range(1, 3000, 2))


SCALAR = m.ScalarQuantization(scalar=m.ScalarQuantizationConfig(type=m.ScalarType.INT8))


async def many(store, count=1500, codes=SCALAR, rows_max=8):
    """Points of one to eight rows, and what they are."""
    rng = np.random.default_rng(7)
    sizes = rng.integers(1, rows_max + 1, count)
    rows = [rng.standard_normal((size, 24), np.float32) for size in sizes]
    params = multi(size=24, quantization_config=codes)
    docs = await store.create_collection("docs", vectors=params)
    await docs.upsert_arrays(np.arange(count, dtype=np.uint64), rows)
    return docs, rows, rng


def ranked(rows, query):
    """Ids and scores of all points by brute force, best first."""
    scores = {one: (query @ part.T).max(axis=1).sum() for one, part in enumerate(rows)}
    return sorted(scores.items(), key=lambda one: -one[1])


async def test_codes_tell_which_to_read(open_store):
    async with open_store() as store:
        docs, rows, rng = await many(store)
        assert docs.statistics().ram_bytes["multivectors"] > sum(part.size for part in rows)
    async with open_store() as store:
        docs = await store.get_collection("docs")  # with codes that were saved
        for _ in range(10):
            query = rng.standard_normal((4, 24), np.float32)
            expected = ranked(rows, query)[:10]
            before = store.statistics()
            hits = await docs.search(query)
            assert [hit.id for hit in hits] == [point for point, _ in expected]
            np.testing.assert_allclose(
                [hit.score for hit in hits], [score for _, score in expected], rtol=1e-5
            )
            after = store.statistics()
            assert after.candidates - before.candidates == 320
            assert after.rows_rescored - before.rows_rescored < 60
            for quantization, read in (
                (m.QuantizationSearchParams(early_stop=False), 320),
                (m.QuantizationSearchParams(oversampling=2.5, early_stop=False), 25),
                (m.QuantizationSearchParams(ignore=True), 1500),
                (m.QuantizationSearchParams(rescore=False), 0),
            ):
                before = store.statistics().rows_rescored
                params = m.SearchParams(quantization=quantization)
                others = await docs.search(query, params=params)
                assert store.statistics().rows_rescored - before == read
                if quantization.rescore is None:
                    assert others == hits
                else:
                    assert {hit.id for hit in others} & {hit.id for hit in hits}
                    np.testing.assert_allclose(
                        [hit.score for hit in others], [hit.score for hit in hits], rtol=0.02
                    )
        batch = await docs.search_batch(rng.standard_normal((7, 2, 24), np.float32), limit=3)
        assert batch.counts.tolist() == [3] * 7
        query = rng.standard_normal((4, 24), np.float32)
        best = ranked(rows, query)
        threshold = float(best[2][1] + best[3][1]) / 2
        hits = await docs.search(query, score_threshold=threshold, offset=1)
        assert [hit.id for hit in hits] == [point for point, _ in best[1:3]]
        # Few points are read without a look at their codes.
        few = m.Filter(must=[m.HasIdCondition(has_id=list(range(200)))])
        before = store.statistics()
        hits = await docs.search(query, filter=few, limit=5)
        assert [hit.id for hit in hits] == [one for one, _ in ranked(rows[:200], query)[:5]]
        after = store.statistics()
        assert (after.candidates - before.candidates, after.rows_rescored) == (
            0,
            before.rows_rescored + 200,
        )


async def test_codes_follow_writes(open_store):
    async with open_store() as store:
        docs, rows, rng = await many(store, 900)
        for _ in range(6):
            query = rng.standard_normal((3, 24), np.float32)
            best = [point for point, _ in ranked(rows, query)]
            await docs.delete(points=best[:3])
            await docs.delete_vectors([""], points=best[3:5])
            worst = best[-1]
            rows[worst] = query * 2
            await docs.update_vectors([m.PointVectors(id=worst, vector=rows[worst])])
            hits = await docs.search(query, limit=4)
            assert [hit.id for hit in hits] == [worst, *best[5:8]]
            for gone in best[:5]:
                await docs.upsert([m.PointStruct(id=gone, vector=rows[gone])])
            hits = await docs.search(query, limit=4)
            assert [hit.id for hit in hits] == [worst, *best[:3]]


async def test_searches_by_codes_while_points_are_written(open_store):
    """What a search finds is what a point had when it began, or what it has got since."""
    async with open_store() as store:
        docs, rows, rng = await many(store, 800)
        query = rng.standard_normal((3, 24), np.float32)
        others = [part * np.float32(0.5) for part in rows]
        done = False

        async def write():
            for parts in (others, rows) * 3:
                for first in range(0, 800, 100):
                    ids = np.arange(first, first + 100, dtype=np.uint64)
                    await docs.upsert_arrays(ids, parts[first : first + 100])
            nonlocal done
            done = True

        possible = [dict(ranked(parts, query)) for parts in (rows, others)]
        async with anyio.create_task_group() as group:
            group.start_soon(write)
            while not done:
                for hit in await docs.search(query, limit=20):
                    scores = [of[hit.id] for of in possible]
                    assert np.isclose(hit.score, scores, rtol=1e-4).any()
        hits = await docs.search(query, limit=20)
        assert [hit.id for hit in hits] == [point for point, _ in ranked(rows, query)[:20]]


async def assert_nearest(docs, rows, rng):
    for _ in range(5):
        query = rng.standard_normal((4, 24), np.float32)
        hits = await docs.search(query)
        assert [hit.id for hit in hits] == [point for point, _ in ranked(rows, query)[:10]]


def codes_file(tmp_path):
    (file,) = (tmp_path / "store").rglob("fields/*.multi")
    return file


@pytest.mark.parametrize("damage", ["gone", "changed", "cut"])
async def test_lost_codes_are_made_again(open_store, tmp_path, damage):
    async with open_store() as store:
        _, rows, rng = await many(store)
    file = codes_file(tmp_path)
    content = bytearray(file.read_bytes())
    assert len(content) > sum(part.size for part in rows)
    if damage == "gone":
        file.unlink()
    elif damage == "changed":
        content[len(content) // 2] ^= 1
        file.write_bytes(content)
    else:
        file.write_bytes(content[:-9])
    async with open_store() as store:
        docs = await store.get_collection("docs")
        (rebuilt,) = docs.statistics().rebuilt
        assert rebuilt.startswith("codes of multivector '', from the vectors: ")
        await assert_nearest(docs, rows, rng)
    async with open_store() as store:
        docs = await store.get_collection("docs")
        assert docs.statistics().rebuilt == []
        assert await docs.check() == []
        await assert_nearest(docs, rows, rng)
    assert codes_file(tmp_path) != file


async def test_damaged_codes_are_found_and_repaired(open_store, tmp_path):
    async with open_store() as store:
        _, rows, rng = await many(store)
    async with open_store() as store:
        docs = await store.get_collection("docs")
        file = codes_file(tmp_path)
        content = bytearray(file.read_bytes())
        content[-1000] ^= 1
        file.write_bytes(content)
        (finding,) = await docs.check()
        assert (finding.severity, finding.file) == (m.Severity.ERROR, str(file))
        assert finding.repairable
        (finding,) = await docs.check(repair=True)
        assert finding.repaired
        assert await docs.check() == []
        await assert_nearest(docs, rows, rng)
    async with open_store() as store:
        docs = await store.get_collection("docs")
        assert docs.statistics().rebuilt == []
        await assert_nearest(docs, rows, rng)


async def test_codes_of_later_versions_are_made_of_the_vectors(open_store, tmp_path):
    """Whether the process dies (a copy of its folder is what that leaves) or closes the store."""
    async with open_store() as store:
        _, rows, rng = await many(store)
    file = codes_file(tmp_path)
    for copies, changes in (True, 5), (False, 5), (False, 200):
        async with open_store() as store:
            docs = await store.get_collection("docs")
            written, deleted = rng.permutation(1500)[: 2 * changes].reshape(2, -1)
            for point in written:
                rows[point] = rng.standard_normal((3, 24), np.float32)
            await docs.upsert_arrays(written.astype(np.uint64), [rows[one] for one in written])
            await docs.delete_vectors([""], points=deleted[::2])
            await docs.delete(points=deleted[1::2])
            for point in deleted:
                rows[point] = np.zeros((1, 24), np.float32)  # not among the best
            if copies:
                shutil.copytree(tmp_path / "store", tmp_path / "copy")
        if copies:
            shutil.rmtree(tmp_path / "store")
            shutil.move(tmp_path / "copy", tmp_path / "store")
        # What few points have is read again; it is written when that is quicker to load.
        assert (codes_file(tmp_path) == file) == (changes == 5)
        async with open_store() as store:
            docs = await store.get_collection("docs")
            assert docs.statistics().rebuilt == []
            assert await docs.check() == []
            await assert_nearest(docs, rows, rng)


async def test_product_codes_are_trained_once_there_are_rows_enough(open_store, tmp_path):
    config = m.ProductQuantizationConfig(compression=m.CompressionRatio.X4)
    async with open_store() as store:
        product = m.ProductQuantization(product=config)
        docs, rows, rng = await many(store, 3000, product, rows_max=50)
        assert sum(map(len, rows)) > 65_536
        await docs.optimize()
        trained = docs.statistics().ram_bytes["multivectors"]
        await assert_nearest(docs, rows, rng)
        for point in range(0, 3000, 7):
            rows[point] = rng.standard_normal((9, 24), np.float32)
        ids = np.arange(0, 3000, 7, dtype=np.uint64)
        await docs.upsert_arrays(ids, rows[::7])
        await assert_nearest(docs, rows, rng)
    async with open_store() as store:
        docs = await store.get_collection("docs")
        assert docs.statistics().rebuilt == []
        assert await docs.check() == []
        before = store.statistics().rows_rescored
        await assert_nearest(docs, rows, rng)
        assert store.statistics().rows_rescored - before < 5 * 1000
    file = codes_file(tmp_path)
    file.write_bytes(file.read_bytes()[:-9])
    async with open_store() as store:
        docs = await store.get_collection("docs")
        assert len(docs.statistics().rebuilt) == 1
        await assert_nearest(docs, rows, rng)  # by int8
        # The code of 24 dimensions takes 24 bytes and 16 then, not 24 and 8.
        assert docs.statistics().ram_bytes["multivectors"] > trained
        await docs.optimize()
        await assert_nearest(docs, rows, rng)


async def test_product_codes_are_trained_while_points_are_written(open_store):
    config = m.ProductQuantizationConfig(compression=m.CompressionRatio.X8)
    async with open_store() as store:
        product = m.ProductQuantization(product=config)
        docs, rows, rng = await many(store, 3000, product, rows_max=50)
        done = False

        async def train():
            nonlocal done
            await docs.optimize()
            done = True

        async with anyio.create_task_group() as group:
            group.start_soon(train)
            while not done:
                for point in rng.integers(0, 3000, 20):
                    rows[point] = rng.standard_normal((rng.integers(1, 50), 24), np.float32)
                    await docs.upsert([m.PointStruct(id=int(point), vector=rows[point])])
                await assert_nearest(docs, rows, rng)
        await assert_nearest(docs, rows, rng)
