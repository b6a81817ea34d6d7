"""Settings of a collection that is there: changed, told, durable; refused where they would lie."""

import anyio
import msgspec
import pytest

from asyncstore import CollectionNotFoundError, InvalidArgumentError, UnsupportedError
from asyncstore import models as m

pytestmark = pytest.mark.asyncio

INT8 = m.ScalarQuantization(
    scalar=m.ScalarQuantizationConfig(type=m.ScalarType.INT8, quantile=0.99)
)
INT8_IN_MEMORY = m.ScalarQuantization(
    scalar=m.ScalarQuantizationConfig(type=m.ScalarType.INT8, quantile=0.99, always_ram=True)
)
MAX_SIM = m.MultiVectorConfig(comparator=m.MultiVectorComparator.MAX_SIM)


async def config_of(store, name="docs"):
    return (await (await store.get_collection(name)).info()).config


async def test_metadata_is_merged_and_told(open_store, unnamed):
    async with open_store() as store:
        docs = await store.create_collection("docs", vectors=unnamed(), metadata={"a": 1, "b": {}})
        await store.update_collection("docs", metadata={"b": {"c": [None]}, "d": "ü"})
        assert (await docs.info()).config.metadata == {"a": 1, "b": {"c": [None]}, "d": "ü"}
        await store.update_collection("docs", metadata={"a": None, "not there": None})
        await store.update_collection("docs")
        await store.update_collection("docs", metadata={})
    async with open_store() as store:
        assert (await config_of(store)).metadata == {"b": {"c": [None]}, "d": "ü"}
        await store.update_collection("docs", metadata={"b": None, "d": None})
        assert (await config_of(store)).metadata is msgspec.UNSET


async def test_changes_of_many_tasks_are_all_made(open_store, unnamed):
    async with open_store() as store:
        await store.create_collection("docs", vectors=unnamed())

        async def change(i):
            await store.update_collection("docs", metadata={f"k{i}": i})

        async with anyio.create_task_group() as group:
            for i in range(20):
                group.start_soon(change, i)
        assert (await config_of(store)).metadata == {f"k{i}": i for i in range(20)}


async def test_the_idf_modifier_is_switched(open_store):
    async with open_store() as store:
        sparse = {"s": m.SparseVectorParams(), "t": m.SparseVectorParams()}
        docs = await store.create_collection("docs", sparse_vectors=sparse)
        vector = m.SparseVector(indices=[1], values=[2.0])
        await docs.upsert([m.PointStruct(id=i, vector={"s": vector}) for i in range(5)])

        async def score():
            return (await docs.search(vector, using="s", limit=1))[0].score

        assert await score() == 4
        await store.update_collection(
            "docs", sparse_vectors={"s": m.SparseVectorParams(modifier=m.Modifier.IDF)}
        )
        with_idf = await score()  # by the handle that was there before
        assert 0 < with_idf < 1
        assert (await config_of(store)).params.sparse_vectors == {
            "s": m.SparseVectorParams(modifier=m.Modifier.IDF),
            "t": m.SparseVectorParams(),
        }
    async with open_store() as store:
        docs = await store.get_collection("docs")
        assert await score() == with_idf
        await store.update_collection("docs", sparse_vectors={"s": {"modifier": "none"}})
        assert await score() == 4


async def test_what_comes_to_what_is_in_force_is_told_as_given(open_store, unnamed):
    async with open_store() as store:
        await store.create_collection(
            "docs", vectors=unnamed(), quantization_config=INT8, hnsw_config=m.HnswConfigDiff(m=8)
        )
        await store.update_collection(
            "docs",
            vectors={"": m.VectorParamsDiff(on_disk=True, hnsw_config=m.HnswConfigDiff(m=8))},
            quantization_config=INT8_IN_MEMORY,
            hnsw_config=m.HnswConfigDiff(ef_construct=100),
            params=m.CollectionParamsDiff(on_disk_payload=True, replication_factor=1),
            optimizers_config=m.OptimizersConfigDiff(),
        )
        before = await config_of(store)
        assert before.params.vectors == unnamed(on_disk=True, hnsw_config=m.HnswConfigDiff(m=8))
        assert before.quantization_config == INT8_IN_MEMORY
        assert (before.hnsw_config.m, before.hnsw_config.ef_construct) == (8, 100)
        # What is its own is taken away, and the same of the collection takes its place.
        await store.update_collection("docs", vectors={"": {"quantization_config": INT8}})
        await store.update_collection("docs", vectors={"": {"quantization_config": "Disabled"}})
    async with open_store() as store:
        assert await config_of(store) == before


@pytest.mark.parametrize(
    ("changes", "error", "text"),
    [
        ({"quantization_config": m.Disabled.DISABLED}, UnsupportedError, "not supported yet"),
        ({"quantization_config": {"rabitq": {"bits": 2}}}, UnsupportedError, "not supported yet"),
        ({"hnsw_config": m.HnswConfigDiff(m=4)}, UnsupportedError, "other codes or graphs"),
        ({"hnsw_config": m.HnswConfigDiff(on_disk=True)}, UnsupportedError, "on_disk"),
        ({"hnsw_config": m.HnswConfigDiff(ef_construct=1)}, InvalidArgumentError, "ef_construct"),
        ({"vectors": {"a": {"hnsw_config": {"m": 4}}}}, UnsupportedError, "other codes"),
        ({"vectors": {"a": {"on_disk": 7}}}, InvalidArgumentError, "vectors.a.on_disk"),
        ({"vectors": {"rows": {"quantization_config": INT8}}}, UnsupportedError, "other codes"),
        ({"vectors": {"rows": {"hnsw_config": {"m": 8}}}}, UnsupportedError, "have no graph yet"),
        ({"vectors": {"": {"on_disk": True}}}, InvalidArgumentError, "Not existing vector name er"),
        ({"vectors": {"s": {}}}, InvalidArgumentError, "Not existing vector name error: s"),
        ({"vectors": [1]}, InvalidArgumentError, "vectors: must be a dict"),
        ({"vectors": {"a": 7}}, InvalidArgumentError, "vectors.a: must be a VectorParamsDiff"),
        ({"sparse_vectors": {"a": {}}}, InvalidArgumentError, "Not existing vector name error: a"),
        ({"sparse_vectors": {"s": {"modifier": "x"}}}, InvalidArgumentError, "sparse_vectors.s"),
        (
            {"sparse_vectors": {"s": {"index": {"datatype": "uint8"}}}},
            UnsupportedError,
            "sparse_vectors.s.index.datatype",
        ),
        ({"params": m.CollectionParamsDiff(on_disk_payload=False)}, UnsupportedError, "in memory"),
        ({"params": {"replication_factor": 2}}, UnsupportedError, "no replicas"),
        ({"params": {"read_fan_out_factor": 2}}, UnsupportedError, "no replicas"),
        ({"quantization_config": "Enabled"}, InvalidArgumentError, "quantization_config"),
        ({"quantization_config": {"scalar": 7}}, InvalidArgumentError, "quantization_config"),
        ({"metadata": {"x": 1j}}, InvalidArgumentError, "metadata: is not JSON"),
        ({"metadata": [1]}, InvalidArgumentError, "metadata: must be a JSON object"),
    ],
    ids=repr,
)
async def test_one_wrong_change_and_nothing_is_done(open_store, unnamed, changes, error, text):
    async with open_store() as store:
        await store.create_collection(
            "docs",
            vectors={"a": unnamed(), "rows": unnamed(multivector_config=MAX_SIM)},
            sparse_vectors={"s": m.SparseVectorParams()},
            quantization_config=INT8,
            metadata={"a": 1},
        )
        before = await config_of(store)
        with pytest.raises(error, match=text):
            await store.update_collection("docs", **{"metadata": {"b": 1}, **changes})
        assert await config_of(store) == before
        findings = await (await store.get_collection("docs")).check()
        assert findings == []


async def test_by_an_alias_of_none_and_of_one_that_is_deleted(open_store, unnamed):
    async with open_store() as store:
        docs = await store.create_collection("docs", vectors=unnamed())
        action = {"create_alias": {"collection_name": "docs", "alias_name": "a"}}
        await store.update_aliases([action])
        await store.update_collection("a", metadata={"x": 1})
        assert (await docs.info()).config.metadata == {"x": 1}
        with pytest.raises(CollectionNotFoundError):
            await store.update_collection("nothing", metadata={"x": 1})

        async def change_until_it_is_gone():
            while True:
                await store.update_collection("docs", metadata={"x": 2})

        async with anyio.create_task_group() as group:
            group.start_soon(store.delete_collection, "docs")
            with pytest.raises(CollectionNotFoundError):
                await change_until_it_is_gone()
    async with open_store() as store:
        assert await store.list_collections() == []


async def test_a_repair_keeps_what_was_changed(open_store, unnamed, tmp_path):
    async with open_store() as store:
        docs = await store.create_collection("docs", vectors=unnamed())
        await store.update_collection("docs", metadata={"x": 1})
        assert await docs.check() == []
        path = tmp_path / "store" / "collections" / "1" / "COLLECTION"
        path.write_bytes(path.read_bytes()[:-1])
        (finding,) = await docs.check(repair=True)
        assert finding.repaired
    async with open_store() as store:
        assert (await config_of(store)).metadata == {"x": 1}
