"""Sparse vectors: written in every way, returned on request, refused when they are wrong."""

import numpy as np
import pytest

from asyncstore import InvalidArgumentError
from asyncstore import models as m

pytestmark = pytest.mark.asyncio

ROSE, THORN = (
    m.SparseVector(indices=[3, 9], values=[2.0, 1.0]),
    m.SparseVector(indices=[0, 2**32 - 1], values=[-0.5, 7.0]),
)


class Csr:
    """What SciPy's csr_matrix and csr_array look like."""

    format = "csr"

    def __init__(self, indptr, indices, data):
        self.indptr, self.indices, self.data = map(np.array, (indptr, indices, data))


async def make(store, unnamed, **more):
    sparse = {name: m.SparseVectorParams() for name in ("text", "tags")}
    return await store.create_collection("docs", vectors=unnamed(), sparse_vectors=sparse, **more)


async def vectors_of(collection, *ids, with_vectors=True):
    return [one.vector for one in await collection.retrieve(ids, with_vectors=with_vectors)]


async def test_they_are_returned_as_they_were_given_sorted_by_index(open_store, unnamed):
    async with open_store() as store:
        docs = await make(store, unnamed)
        unsorted = {"indices": np.array([9, 3]), "values": np.array([1, 2])}
        await docs.upsert(
            [
                m.PointStruct(id=1, vector={"": [1, 2, 3, 4], "text": ROSE, "tags": THORN}),
                m.PointStruct(id=2, vector={"text": unsorted}),
                m.PointStruct(id=3, vector=[1, 2, 3, 4]),
                m.PointStruct(id=4, vector={"tags": {"indices": [], "values": []}}),
            ]
        )
    async with open_store() as store:
        docs = await store.get_collection("docs")
        empty = m.SparseVector(indices=[], values=[])
        assert await vectors_of(docs, 1, 2, 3, 4) == [
            {"": [1, 2, 3, 4], "text": ROSE, "tags": THORN},
            {"text": ROSE},
            [1, 2, 3, 4],  # a point with the unnamed vector alone
            {"tags": empty},
        ]
        assert await vectors_of(docs, 1, 3, with_vectors=["tags"]) == [{"tags": THORN}, {}]
        (hit, *_), _ = await docs.scroll(with_vectors=["text"])
        assert hit.vector == {"text": ROSE}
        (best, *_) = await docs.search([1, 0, 0, 0], with_vectors=["text", ""])
        assert best.vector == {"": [1, 2, 3, 4], "text": ROSE}
        assert (await docs.info()).config.params.sparse_vectors == {
            "text": m.SparseVectorParams(),
            "tags": m.SparseVectorParams(),
        }
        assert await docs.check() == []


async def test_a_collection_of_sparse_vectors_alone(open_store):
    async with open_store() as store:
        docs = await store.create_collection("docs", sparse_vectors={"s": m.SparseVectorParams()})
        await docs.upsert([m.PointStruct(id=7, vector={"s": ROSE}, payload={"a": 1})])
        await docs.optimize()
        assert await vectors_of(docs, 7) == [{"s": ROSE}]


async def test_arrays_take_sequences_and_csr_matrices(open_store, unnamed):
    dense = np.ones((3, 4), np.float32)
    async with open_store() as store:
        docs = await make(store, unnamed)
        rows = Csr([0, 2, 2, 5], [9, 3, 30, 20, 10], [1, 2, 3, 2, 1])
        await docs.upsert_arrays([1, 2, 3], {"": dense, "text": rows, "tags": [None, THORN, None]})
        none = m.SparseVector(indices=[], values=[])
        tens = m.SparseVector(indices=[10, 20, 30], values=[1, 2, 3])
        names = ["text", "tags"]
        assert await vectors_of(docs, 1, 2, 3, with_vectors=names) == [
            {"text": ROSE},
            {"text": none, "tags": THORN},
            {"text": tens},
        ]
        # The caller's arrays are his.
        assert rows.indices.tolist() == [9, 3, 30, 20, 10]


async def test_changes(open_store, unnamed):
    async with open_store() as store:
        docs = await make(store, unnamed)
        await docs.upsert([m.PointStruct(id=1, vector={"": [1, 2, 3, 4], "text": ROSE})])
        await docs.update_vectors([m.PointVectors(id=1, vector={"tags": ROSE})])
        await docs.update_vectors([m.PointVectors(id=1, vector={"text": THORN})])
        assert await vectors_of(docs, 1) == [{"": [1, 2, 3, 4], "text": THORN, "tags": ROSE}]
        await docs.delete_vectors(["text", ""], points=[1])
        assert await vectors_of(docs, 1) == [{"tags": ROSE}]
        await docs.delete_vectors(["tags"], points=[1])
        assert await vectors_of(docs, 1) == [{}]
        await docs.upsert([m.PointStruct(id=1, vector={"text": ROSE})])
        await docs.delete(points=[1])
        await docs.upsert([m.PointStruct(id=1, vector={})])
        assert await vectors_of(docs, 1) == [{}]
        operations = [
            m.UpsertOperation(
                upsert=m.PointsBatch(batch=m.Batch(ids=[5], vectors={"text": [ROSE]}))
            ),
            m.DeleteVectorsOperation(delete_vectors=m.DeleteVectors(vector=["text"], points=[5])),
        ]
        await docs.batch_update(operations[:1])
        assert await vectors_of(docs, 5) == [{"text": ROSE}]
        await docs.batch_update(operations[1:])
        assert await vectors_of(docs, 5) == [{}]


async def test_batches_of_many_megabytes_are_cut(open_store, unnamed):
    rng = np.random.default_rng(5)
    per_point = 3000
    async with open_store() as store:
        docs = await make(store, unnamed)
        indices = np.cumsum(rng.integers(1, 9, (1200, per_point)), axis=1)
        values = rng.random((1200, per_point), np.float32)
        rows = Csr(np.arange(1201) * per_point, indices.ravel(), values.ravel())
        result = await docs.upsert_arrays(np.arange(1200, dtype=np.uint64), {"text": rows})
        assert result.operation_id > 1
        for record in await docs.retrieve([0, 577, 1199], with_vectors=True):
            assert record.vector["text"].indices == indices[record.id].tolist()
            assert record.vector["text"].values == values[record.id].tolist()


@pytest.mark.parametrize(
    ("vector", "sentence"),
    [
        ([1.0, 2.0], r"points\[0\]\.vector\.text: the vector is sparse"),
        ({"indices": [1]}, r"points\[0\]\.vector\.text: the vector is sparse"),
        ({"indices": [1, 2], "values": [1]}, r"text\.values: must be the same length as indices"),
        ({"indices": [4, 2, 4], "values": [1, 2, 3]}, r"text\.indices: must be unique, 4"),
        ({"indices": [-1], "values": [1]}, r"text\.indices: must be whole numbers from 0"),
        ({"indices": [2**32], "values": [1]}, r"text\.indices: must be whole numbers from 0"),
        ({"indices": [2**70], "values": [1]}, r"text\.indices: must be a flat list"),
        ({"indices": [0.5], "values": [1]}, r"text\.indices: must be whole numbers from 0"),
        ({"indices": [True], "values": [1]}, r"text\.indices: must be a flat list"),
        ({"indices": ["1"], "values": [1]}, r"text\.indices: must be a flat list"),
        ({"indices": [[1]], "values": [1]}, r"text\.indices: must be a flat list"),
        ({"indices": 7, "values": 7}, r"text\.indices: must be a flat list"),
        ({"indices": [1], "values": [float("nan")]}, r"text\.values: has nan at position 0"),
        ({"indices": [1], "values": [1e39]}, r"text\.values: has 1e\+39 at position 0"),
        ({"indices": [1], "values": [None]}, r"text\.values: must be a flat list"),
    ],
)
async def test_what_is_wrong_is_named_and_changes_nothing(open_store, unnamed, vector, sentence):
    async with open_store() as store:
        docs = await make(store, unnamed)
        with pytest.raises(InvalidArgumentError, match=sentence):
            await docs.upsert([m.PointStruct(id=1, vector={"text": vector})])
        in_arrays = sentence.replace(r"points\[0\]\.vector\.text", r"vectors\.text\[0\]")
        with pytest.raises(InvalidArgumentError, match=in_arrays.removeprefix("text")):
            await docs.upsert_arrays([1], {"text": [vector]})
        assert await docs.count() == 0


@pytest.mark.parametrize(
    "rows",
    [
        Csr([0, 1], [1], [np.nan]),
        Csr([0, 2], [1, 1], [1, 1]),
        Csr([0, 2], [1], [1]),
        Csr([0, 1], [1, 2], [1]),
        Csr([1, 1], [1], [1]),
        Csr([2, 0], [1, 2], [1, 2]),
        Csr([0.0, 1.0], [1], [1]),
        Csr([], [], []),
        Csr([0, 1], [-1], [1]),
        Csr([0, 0, 0], [], []),  # two rows
        "text",
        {"indices": [1], "values": [1]},
        7,
        [ROSE, ROSE],
    ],
)
async def test_wrong_columns(open_store, unnamed, rows):
    async with open_store() as store:
        docs = await make(store, unnamed)
        with pytest.raises(InvalidArgumentError, match=r"vectors\.text"):
            await docs.upsert_arrays([1], {"text": rows})
        assert await docs.count() == 0


async def test_a_dense_vector_takes_no_sparse_one(open_store, unnamed):
    async with open_store() as store:
        docs = await make(store, unnamed)
        with pytest.raises(InvalidArgumentError, match="the vector is dense"):
            await docs.upsert([m.PointStruct(id=1, vector={"": ROSE})])


@pytest.mark.parametrize(
    ("sparse", "sentence"),
    [
        ({"": m.SparseVectorParams()}, "Sparse vector name cannot be empty"),
        ({"a": m.SparseVectorParams()}, "duplicate found with 'a'"),
        ({1: m.SparseVectorParams()}, "must be text, got 1"),
        ({"s": {}}, r"sparse_vectors\.s: must be a SparseVectorParams"),
        ([], "must be a dict"),
    ],
)
async def test_wrong_settings(open_store, sparse, sentence):
    dense = {"a": m.VectorParams(size=2, distance=m.Distance.DOT)}
    async with open_store() as store:
        with pytest.raises(InvalidArgumentError, match=sentence):
            await store.create_collection("docs", vectors=dense, sparse_vectors=sparse)
        assert await store.list_collections() == []


async def test_deletes_without_a_dense_vector_are_there_after_a_reopen(open_store):
    """The points of a collection whose vectors are all sparse have no rows that tell of them."""
    async with open_store() as store:
        sparse = {"text": m.SparseVectorParams()}
        docs = await store.create_collection("docs", vectors={}, sparse_vectors=sparse)
        await docs.upsert([m.PointStruct(id=i, vector={"text": ROSE}) for i in range(10)])
        await docs.optimize()  # a checkpoint
        await docs.delete(points=[2, 3])
        await docs.upsert([m.PointStruct(id=11, vector={"text": THORN})])
    for _ in range(2):
        async with open_store() as store:
            docs = await store.get_collection("docs")
            records, _ = await docs.scroll(limit=100, with_vectors=True)
            assert [record.id for record in records] == [0, 1, *range(4, 10), 11]
            assert records[-1].vector == {"text": THORN}
            assert docs.statistics().rebuilt == []
