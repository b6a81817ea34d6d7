"""Searches by sparse vectors: what is found, in every call that searches, and what is refused."""

import asyncio
import math
import shutil
from contextlib import asynccontextmanager

import numpy as np
import pytest

from asyncstore import InvalidArgumentError, PointNotFoundError
from asyncstore import models as m
from inside import inside

pytestmark = pytest.mark.asyncio

# The words of some texts, by number.
TEXTS = {
    1: {3: 2.0, 9: 1.0},
    2: {3: 1.0, 7: 4.0},
    3: {9: 5.0},
    4: {0: -0.5, 2**32 - 1: 7.0},
    5: {},
    6: {3: -1.0, 9: 1.0},
}


def sparse(weights):
    return m.SparseVector(indices=list(weights), values=list(weights.values()))


@asynccontextmanager
async def docs_of(open_store, modifier=None):
    async with open_store() as store:
        docs = await store.create_collection(
            "docs",
            vectors={"dense": m.VectorParams(size=2, distance=m.Distance.DOT)},
            sparse_vectors={"text": m.SparseVectorParams(modifier=modifier)},
        )
        await docs.upsert(
            [
                m.PointStruct(
                    id=point,
                    vector={"text": sparse(words), "dense": [point, 1]},
                    payload={"even": point % 2 == 0, "kind": "ab"[point % 2]},
                )
                for point, words in TEXTS.items()
            ]
        )
        docs.store = store
        yield docs


def scores_of(hits):
    return [(hit.id, hit.score) for hit in hits]


@inside(docs_of)
async def test_the_score_is_the_sum_over_shared_indices(docs):
    found = await docs.search({"indices": [3, 9], "values": [1, 2]}, using="text")
    assert scores_of(found) == [(3, 10.0), (1, 4.0), (2, 1.0), (6, 1.0)]
    # A score that is zero or less is one, as long as an index is shared.
    found = await docs.search(sparse({3: -1.0, 9: -1.0}), using="text")
    assert scores_of(found) == [(6, 0.0), (2, -1.0), (1, -3.0), (3, -5.0)]
    assert scores_of(await docs.search(sparse({7: 0.0}), using="text")) == [(2, 0.0)]
    assert await docs.search(sparse({8: 1.0}), using="text") == []
    assert await docs.search(sparse({}), using="text") == []
    found = await docs.search(sparse({2**32 - 1: 1.0}), using="text", with_vectors=["text"])
    assert [(hit.id, hit.vector) for hit in found] == [(4, {"text": sparse(TEXTS[4])})]


@inside(docs_of)
async def test_everything_else_is_as_of_dense_vectors(docs):
    query = sparse({3: 1.0, 9: 2.0})
    even = m.Filter(must=m.FieldCondition(key="even", match=m.MatchValue(value=True)))
    found = await docs.search(query, using="text", filter=even, with_payload=["kind"])
    assert [(hit.id, hit.payload) for hit in found] == [(2, {"kind": "a"}), (6, {"kind": "a"})]
    found = await docs.search(query, using="text", limit=2, offset=1)
    assert scores_of(found) == [(1, 4.0), (2, 1.0)]
    found = await docs.search(query, using="text", score_threshold=4.0)
    assert scores_of(found) == [(3, 10.0), (1, 4.0)]
    assert await docs.search(query, using="text", offset=10) == []
    batch = await docs.search_batch(
        [query, sparse({8: 1.0}), sparse({7: 2})], using="text", limit=2
    )
    assert batch.counts.tolist() == [2, 0, 1]
    assert batch.ids[0].tolist() == [3, 1]
    assert batch.scores[2, 0] == 8.0
    assert all(math.isnan(score) for score in batch.scores[1])


@inside(docs_of)
async def test_points_as_queries(docs):
    found = await docs.query(1, using="text")
    assert scores_of(found) == [(3, 5.0), (2, 2.0), (6, -1.0)]
    recommend = m.RecommendInput(positive=[1, sparse({7: 1.0})], negative=[3])
    found = await docs.query(m.RecommendQuery(recommend=recommend), using="text")
    # Twice the average of the positive ones, {3: 2, 7: 1, 9: 1}, less the negative one.
    assert scores_of(found) == [(2, 6.0), (6, -6.0)]
    with pytest.raises(PointNotFoundError):
        await docs.query(77, using="text")


@inside(docs_of)
async def test_prefetches_and_groups(docs):
    near = m.Prefetch(query=sparse({3: 1.0, 9: 2.0}), using="text", limit=3)
    dense = m.Prefetch(query=[1, 0], using="dense", limit=3)
    found = await docs.query(m.FusionQuery(fusion=m.Fusion.RRF), prefetch=[near, dense], limit=10)
    assert {hit.id for hit in found} == {1, 2, 3, 4, 5, 6}
    assert found[0].score == pytest.approx(0.5)
    found = await docs.query([1, 0], using="dense", prefetch=near)
    assert [hit.id for hit in found] == [3, 2, 1]
    found = await docs.query(sparse({9: 1.0}), using="text", prefetch=dense)
    assert scores_of(found) == [(6, 1.0)]
    groups = await docs.query_groups(
        sparse({3: 1.0, 9: 2.0}), using="text", group_by="kind", group_size=2
    )
    assert [(group.id, [hit.id for hit in group.hits]) for group in groups] == [
        ("b", [3, 1]),
        ("a", [2, 6]),
    ]


@inside(docs_of)
async def test_vectors_of_another_collection(docs):
    other = await docs.store.create_collection(
        "other", sparse_vectors={"words": m.SparseVectorParams()}
    )
    await other.upsert([m.PointStruct(id=1, vector={"words": sparse({9: 1.0})})])
    lookup = m.LookupLocation(collection="other", vector="words")
    found = await docs.query(1, using="text", lookup_from=lookup)
    assert scores_of(found) == [(3, 5.0), (1, 1.0), (6, 1.0)]
    lookup = m.LookupLocation(collection="docs", vector="dense")
    with pytest.raises(InvalidArgumentError, match="both be sparse or both be multivectors"):
        await docs.query(1, using="text", lookup_from=lookup)


@inside(lambda open_store: docs_of(open_store, m.Modifier.IDF))
async def test_rare_indices_count_for_more(docs):
    async def found(query):
        return scores_of(await docs.search(sparse(query), using="text"))

    def idf(having, of):
        return math.log(1 + (of - having + 0.5) / (having + 0.5))

    assert await found({7: 1.0}) == [(2, pytest.approx(4 * idf(1, 6)))]
    assert (await found({3: 1.0}))[0] == (1, pytest.approx(2 * idf(3, 6)))
    await docs.delete(points=[1, 3])
    assert (await found({3: 1.0}))[0] == (2, pytest.approx(idf(2, 4)))
    await docs.update_vectors([m.PointVectors(id=6, vector={"text": sparse({9: 1.0})})])
    assert (await found({3: 1.0}))[0] == (2, pytest.approx(idf(1, 4)))
    await docs.delete_vectors(["text"], points=[5])
    assert (await found({3: 1.0}))[0] == (2, pytest.approx(idf(1, 3)))
    info = await docs.info()
    assert info.config.params.sparse_vectors["text"].modifier is m.Modifier.IDF


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ([1.0, 2.0], "query: the vector is sparse"),
        ({"indices": [1]}, "query: the vector is sparse"),
        ({"indices": [1, 1], "values": [1, 1]}, "query.indices: must be unique"),
        ({"indices": [1], "values": [math.inf]}, "query.values: has inf"),
        (None, "query: the vector is sparse"),
    ],
)
@inside(docs_of)
async def test_wrong_queries(docs, query, sentence):
    with pytest.raises(InvalidArgumentError, match=sentence):
        await docs.search(query, using="text")
    with pytest.raises(InvalidArgumentError, match=r"vectors\.text"):
        await docs.search_batch([query], using="text")


@inside(docs_of)
async def test_several_examples_score_all_points_that_have_the_vector(docs):
    """A point that shares nothing with them has the similarity 0 to each."""
    recommend = {"positive": [sparse({3: 1.0})], "negative": [3], "strategy": "sum_scores"}
    found = await docs.query({"recommend": recommend}, using="text")
    assert scores_of(found) == [(2, 1.0), (4, 0.0), (5, 0.0), (1, -3.0), (6, -6.0)]
    odd = m.Filter(must=m.FieldCondition(key="even", match=m.MatchValue(value=False)))
    target = {"discover": {"target": 1, "context": {"positive": 2, "negative": sparse({9: 1.0})}}}
    found = await docs.query(target, using="text", filter=odd, limit=2, with_payload=True)
    assert [hit.id for hit in found] == [5, 3]
    assert found[0].payload == {"even": False, "kind": "b"}
    context = {"context": [{"positive": 2, "negative": 3}]}
    found = await docs.query(context, using="text", offset=1, score_threshold=-0.5)
    assert [hit.id for hit in found] == [5]  # 4 is as good
    prefetch = m.Prefetch(query=sparse({3: 1.0}), using="text", limit=2)
    found = await docs.query(context, using="text", prefetch=prefetch)
    assert [hit.id for hit in found] == [1]  # the other one is an example


@inside(docs_of)
async def test_what_there_is_not_of_sparse_vectors(docs):
    with pytest.raises(InvalidArgumentError, match=r"vectors: the batch is empty"):
        await docs.search_batch([], using="text")
    with pytest.raises(InvalidArgumentError, match="is dense"):
        await docs.search(sparse({1: 1.0}), using="dense")
    with pytest.raises(InvalidArgumentError, match="positive: must have at least one"):
        await docs.query({"recommend": {"negative": [1]}}, using="text")


async def test_many_points_are_found_as_by_brute_force(open_store):
    """More rows than a window has; overwritten and deleted while searches go on."""
    rng = np.random.default_rng(3)
    count, elements = 70_000, 12
    dims = np.sort(
        np.exp(rng.uniform(0, np.log(2000), (count, elements))).astype(np.uint32), axis=1
    )
    rows = [np.unique(one) for one in dims]
    weights = [rng.lognormal(0, 1, len(one)).astype(np.float32) for one in rows]
    async with open_store() as store:
        docs = await store.create_collection("docs", sparse_vectors={"s": m.SparseVectorParams()})
        for begin in range(0, count, 10_000):
            part = range(begin, begin + 10_000)
            await docs.upsert_arrays(np.array(part), {"s": Csr.of(rows, weights, part)})
        await check_best(docs, rng, rows, weights)
        changed = rng.choice(count, 5_000, replace=False)
        for point in changed:
            weights[point] = weights[point] * np.float32(3)
        await asyncio.gather(
            docs.upsert_arrays(changed, {"s": Csr.of(rows, weights, changed)}),
            *(docs.search(sparse({int(k): 1.0}), using="s") for k in range(1, 50)),
        )
        gone = rng.choice(count, 20_000, replace=False)
        await docs.delete(points=gone)
        for point in gone:
            rows[point], weights[point] = rows[point][:0], weights[point][:0]
        await check_best(docs, rng, rows, weights)
        ram = docs.statistics().ram_bytes["sparse"]
        assert 0 < ram < count * 100
    async with open_store() as store:
        docs = await store.get_collection("docs")
        reads = store.statistics().reads_submitted
        assert docs.statistics().rebuilt == []
        assert reads == 0
        await check_best(docs, rng, rows, weights)


async def check_best(docs, rng, rows, weights):
    for _ in range(5):
        dims = np.unique(np.exp(rng.uniform(0, np.log(2000), 20)).astype(np.uint32))
        query = dict(zip(dims.tolist(), rng.lognormal(0, 1, len(dims)).tolist(), strict=True))
        lookup = np.zeros(2001)
        lookup[list(query)] = np.float32(list(query.values()))
        scores = np.array(
            [lookup[row] @ values.astype(float) for row, values in zip(rows, weights, strict=True)]
        )
        best = np.argsort(-scores, kind="stable")[:10]
        found = await docs.search(sparse(query), using="s", limit=10)
        assert [hit.id for hit in found] == best.tolist()
        np.testing.assert_allclose([hit.score for hit in found], scores[best], rtol=1e-6)


class Csr:
    """What SciPy's csr_matrix and csr_array look like."""

    format = "csr"

    def __init__(self, indptr, indices, data):
        self.indptr, self.indices, self.data = indptr, indices, data

    @classmethod
    def of(cls, rows, weights, points):
        sizes = [len(rows[point]) for point in points]
        return cls(
            np.concatenate([[0], np.cumsum(sizes)]),
            np.concatenate([rows[point] for point in points]),
            np.concatenate([weights[point] for point in points]),
        )


async def test_a_search_sees_each_point_at_one_moment(open_store):
    """A point's score fits its vector and its version, however often it is written meanwhile."""
    async with open_store() as store:
        docs = await store.create_collection("docs", sparse_vectors={"s": m.SparseVectorParams()})

        def points(weight):
            return [
                m.PointStruct(id=k, vector={"s": sparse({1: weight, 5 + k: 1.0})})
                for k in range(50)
            ]

        await docs.upsert(points(1.0))
        done = False

        async def write():
            nonlocal done
            for weight in range(2, 60):
                await docs.upsert(points(float(weight)))
            done = True

        async def read():
            while not done:
                found = await docs.search(sparse({1: 1.0}), using="s", limit=50)
                assert len(found) == 50
                assert len({hit.id for hit in found}) == 50
                scores = [hit.score for hit in found]
                assert scores == sorted(scores, reverse=True)

        await asyncio.gather(write(), *(read() for _ in range(4)))
        found = await docs.search(sparse({1: 1.0}), using="s", limit=50)
        assert {hit.score for hit in found} == {59.0}


@pytest.mark.parametrize("damage", ["gone", "changed", "cut"])
async def test_a_lost_index_is_made_again(open_store, tmp_path, damage):
    async with docs_of(open_store):
        pass
    (file,) = (tmp_path / "store").rglob("*.sparse")
    content = bytearray(file.read_bytes())
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
        assert "index of sparse vector 'text', from the vectors" in rebuilt
        found = await docs.search(sparse({3: 1.0, 9: 2.0}), using="text")
        assert scores_of(found) == [(3, 10.0), (1, 4.0), (2, 1.0), (6, 1.0)]
    async with open_store() as store:
        docs = await store.get_collection("docs")
        assert docs.statistics().rebuilt == []
        assert await docs.check() == []


async def test_a_damaged_index_is_found_and_repaired(open_store, tmp_path):
    async with docs_of(open_store):
        pass
    async with open_store() as store:
        docs = await store.get_collection("docs")
        (file,) = (tmp_path / "store").rglob("*.sparse")
        content = bytearray(file.read_bytes())
        content[100] ^= 1
        file.write_bytes(content)
        (finding,) = await docs.check()
        assert finding.severity is m.Severity.ERROR
        assert finding.file == str(file)
        assert finding.repairable
        (finding,) = await docs.check(repair=True)
        assert finding.repaired
        assert await docs.check() == []
    async with open_store() as store:
        docs = await store.get_collection("docs")
        assert docs.statistics().rebuilt == []
        assert len(await docs.search(sparse({3: 1.0, 9: 2.0}), using="text")) == 4


async def test_what_a_crash_leaves_is_found(open_store, tmp_path):
    """A copy of the folder of an open store is what the death of the process leaves."""
    async with docs_of(open_store):
        pass
    async with open_store() as store:
        docs = await store.get_collection("docs")
        await docs.upsert([m.PointStruct(id=7, vector={"text": sparse({9: 9.0})})])
        await docs.delete(points=[1])
        await docs.update_vectors([m.PointVectors(id=2, vector={"text": sparse({9: 4.0})})])
        shutil.copytree(tmp_path / "store", tmp_path / "copy")
    shutil.rmtree(tmp_path / "store")
    shutil.move(tmp_path / "copy", tmp_path / "store")
    async with open_store() as store:
        docs = await store.get_collection("docs")
        found = await docs.search(sparse({3: 1.0, 9: 2.0}), using="text")
        assert scores_of(found) == [(7, 18.0), (3, 10.0), (2, 8.0), (6, 1.0)]
