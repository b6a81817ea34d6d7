"""Snapshots: one moment of a collection under writes, and what may come back from a file."""

import hashlib
import json
import re

import numpy as np
import pytest

from asyncstore import models as m
from asyncstore.errors import CollectionNotFoundError

pytestmark = pytest.mark.asyncio

DIM = 8


async def make(store, name="docs"):
    collection = await store.create_collection(
        name,
        vectors={
            "dense": m.VectorParams(
                size=DIM,
                distance=m.Distance.DOT,
                quantization_config=m.ScalarQuantization(
                    scalar=m.ScalarQuantizationConfig(type=m.ScalarType.INT8)
                ),
            ),
            "late": m.VectorParams(
                size=2,
                distance=m.Distance.DOT,
                multivector_config=m.MultiVectorConfig(comparator="max_sim"),
            ),
        },
        sparse_vectors={"words": m.SparseVectorParams()},
    )
    await collection.create_payload_index("n", "integer")
    return collection


def vector_of(number, version):
    return [float(number), float(version), 1.0, 0.0, 0.0, 0.0, 0.0, 0.5]


def point(number, version=0):
    return m.PointStruct(
        id=number,
        vector={
            "dense": vector_of(number, version),
            "late": [[float(number), 1.0], [float(version), 2.0]],
            "words": m.SparseVector(indices=[1, 2 + number], values=[1.0, 2.0]),
        },
        payload={"n": number, "version": version, "text": f"point {number} " * 8},
    )


async def contents(collection):
    """All points as the collection gives them, by their ids."""
    found, offset = await collection.scroll(limit=10_000, with_vectors=True)
    assert offset is None
    return {record.id: (record.payload, json.dumps(_plain(record.vector))) for record in found}


def _plain(vector):
    words = vector["words"]
    return [
        np.asarray(vector["dense"]).tolist(),
        [np.asarray(row).tolist() for row in vector["late"]],
        list(map(int, words.indices)),
        list(map(float, words.values)),
    ]


def file_of(store, collection, description):
    return store.snapshots.of(collection).path / description.name


async def test_a_snapshot_is_listed_as_it_is_and_brings_everything_back(open_store):
    async with open_store() as store:
        docs = await make(store)
        await docs.upsert([point(number) for number in range(300)])
        await docs.optimize()
        await docs.upsert([point(number, 1) for number in range(250, 320)])
        await docs.delete(points=[3, 4, 5])
        before = await contents(docs)

        made = await docs.create_snapshot()
        assert await docs.list_snapshots() == [made]
        file = file_of(store, "docs", made)
        assert re.fullmatch(r"docs-0-\d{4}(-\d\d){5}\.snapshot", made.name)
        assert made.size == file.stat().st_size
        assert made.checksum == hashlib.sha256(file.read_bytes()).hexdigest()

        await docs.delete(points=list(range(320)))
        await docs.upsert([point(1000)])
        other = await store.get_collection("docs")
        await docs.recover_snapshot(file, checksum=made.checksum)
        assert await contents(docs) == before
        hits = await docs.search(vector_of(299, 1), using="dense", limit=3)
        assert [hit.id for hit in hits] == [319, 318, 317]
        late = await docs.query([[1.0, 0.0]], using="late", limit=1)
        assert late[0].id == 319
        by_index = m.Filter(must=[m.FieldCondition(key="n", range=m.Range(gte=318))])
        assert await docs.count(filter=by_index) == 2
        with pytest.raises(CollectionNotFoundError):
            await other.retrieve([1])
        assert await docs.check() == []
    async with open_store() as store:
        docs = await store.get_collection("docs")
        assert await contents(docs) == before
        assert await store.list_collections() == ["docs"]
        assert docs.statistics().rebuilt == []
        assert await docs.list_snapshots() == [made]
        assert await docs.delete_snapshot(made.name)
        assert await docs.list_snapshots() == []
        assert list(file.parent.iterdir()) == []
