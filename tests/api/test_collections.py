"""Collections: made, listed, described, deleted, and there again after a reopen."""

import msgspec
import pytest

from asyncstore import (
    AlreadyExistsError,
    CollectionNotFoundError,
    InvalidArgumentError,
    UnsupportedError,
)
from asyncstore import models as m

pytestmark = pytest.mark.asyncio

UINT8_INDEX = m.SparseIndexParams(datatype=m.Datatype.UINT8)
INT8 = m.ScalarQuantization(
    scalar=m.ScalarQuantizationConfig(type=m.ScalarType.INT8, quantile=0.99, always_ram=True)
)


async def test_a_new_store_is_empty(open_store):
    async with open_store() as store:
        assert await store.list_collections() == []
        assert not await store.collection_exists("docs")
        with pytest.raises(CollectionNotFoundError, match="Collection `docs` doesn't exist!"):
            await store.get_collection("docs")
        assert await store.delete_collection("docs") is False


async def test_make_list_get_delete(open_store, unnamed):
    async with open_store() as store:
        for name in ("b", "a", "Größe 中文"):
            collection = await store.create_collection(name, vectors=unnamed())
            assert collection.name == name
        assert await store.list_collections() == ["Größe 中文", "a", "b"]
        assert await store.collection_exists("a")
        assert (await store.get_collection("a")).name == "a"
        with pytest.raises(AlreadyExistsError, match="`a` already exists"):
            await store.create_collection("a", vectors=unnamed())
        assert await store.delete_collection("a") is True
        assert await store.delete_collection("a") is False
        assert await store.list_collections() == ["Größe 中文", "b"]
    async with open_store() as store:
        assert await store.list_collections() == ["Größe 中文", "b"]


async def test_a_deleted_collection_can_be_made_again_and_is_empty(open_store, unnamed):
    async with open_store() as store:
        old = await store.create_collection("docs", vectors=unnamed())
        await old.upsert([m.PointStruct(id=1, vector=[1, 2, 3, 4])])
        await store.delete_collection("docs")
        for call in (old.scroll, lambda: old.search([1, 2, 3, 4]), lambda: old.delete(points=[1])):
            with pytest.raises(CollectionNotFoundError):
                await call()
        new = await store.create_collection("docs", vectors=unnamed(size=2))
        assert await new.count() == 0
        await new.upsert([m.PointStruct(id=1, vector=[1, 2])])
    async with open_store() as store:
        (record,) = (await (await store.get_collection("docs")).scroll(with_vectors=True))[0]
        assert record.vector == [1, 2]


@pytest.mark.parametrize("name", ["..", ".", "x" * 255, "ü" * 255, " ", "CON"])
async def test_unusual_names(open_store, unnamed, name):
    async with open_store() as store:
        collection = await store.create_collection(name, vectors=unnamed())
        await collection.upsert([m.PointStruct(id=1, vector=[1, 2, 3, 4])])
    async with open_store() as store:
        assert await store.list_collections() == [name]
        assert await (await store.get_collection(name)).count() == 1
        assert await store.delete_collection(name)


@pytest.mark.parametrize("name", ["", "a/b", "a\0", "a:b", "x" * 256])
async def test_wrong_names(open_store, unnamed, name):
    async with open_store() as store:
        with pytest.raises(InvalidArgumentError, match="collection_name"):
            await store.create_collection(name, vectors=unnamed())
        assert await store.list_collections() == []


async def test_info_gives_settings_back_as_they_were_given(open_store):
    vectors = {
        "text": m.VectorParams(size=384, distance=m.Distance.COSINE, on_disk=True),
        "image": m.VectorParams(
            size=8,
            distance=m.Distance.EUCLID,
            datatype=m.Datatype.FLOAT16,
            on_disk=False,
            quantization_config=INT8,
        ),
    }
    sparse = {"words": m.SparseVectorParams(index=m.SparseIndexParams(on_disk=False))}
    async with open_store() as store:
        await store.create_collection(
            "docs", vectors=vectors, sparse_vectors=sparse, metadata={"owner": ["me", None]}
        )
        await store.create_collection(
            "one",
            vectors=m.VectorParams(size=4, distance=m.Distance.DOT),
            quantization_config=INT8,
        )
        await store.create_collection("none")
    async with open_store() as store:
        info = msgspec.to_builtins(await (await store.get_collection("docs")).info())
        assert info["status"] == "green"
        assert info["optimizer_status"] == "ok"
        assert info["points_count"] == 0
        assert info["payload_schema"] == {}
        config = info["config"]
        assert config["params"]["vectors"] == {
            "text": {"size": 384, "distance": "Cosine", "on_disk": True},
            "image": {
                "size": 8,
                "distance": "Euclid",
                "datatype": "float16",
                "on_disk": False,
                "quantization_config": {
                    "scalar": {"type": "int8", "quantile": 0.99, "always_ram": True}
                },
            },
        }
        assert config["params"]["sparse_vectors"] == {"words": {"index": {"on_disk": False}}}
        assert config["params"]["shard_number"] == 1
        assert config["params"]["on_disk_payload"] is True
        assert config["quantization_config"] is None
        assert config["metadata"] == {"owner": ["me", None]}
        assert config["optimizer_config"]["indexing_threshold"] == 10000
        assert config["wal_config"]["wal_capacity_mb"] == 32
        assert {"m", "ef_construct", "full_scan_threshold"} <= set(config["hnsw_config"])
        one = msgspec.to_builtins(await (await store.get_collection("one")).info())["config"]
        assert one["params"]["vectors"] == {"size": 4, "distance": "Dot"}
        assert one["quantization_config"]["scalar"]["quantile"] == 0.99
        assert "metadata" not in one
        none = msgspec.to_builtins(await (await store.get_collection("none")).info())["config"]
        assert "vectors" not in none["params"]


async def test_a_collection_without_vectors_holds_points(open_store):
    async with open_store() as store:
        collection = await store.create_collection("none")
        await collection.upsert([m.PointStruct(id=1, vector={}), m.PointStruct(id=2, vector={})])
        assert await collection.count() == 2
        with pytest.raises(InvalidArgumentError, match="Not existing vector name error"):
            await collection.search([1, 2])
    async with open_store() as store:
        records, _ = await (await store.get_collection("none")).scroll(with_vectors=True)
        assert [(record.id, record.vector) for record in records] == [(1, None), (2, None)] or [
            (record.id, record.vector) for record in records
        ] == [(1, {}), (2, {})]


async def test_many_collections_open_again(open_store, unnamed):
    names = [f"c{number:03}" for number in range(50)]
    async with open_store() as store:
        for name in names:
            collection = await store.create_collection(name, vectors=unnamed())
            await collection.upsert([m.PointStruct(id=int(name[1:]), vector=[1, 2, 3, 4])])
    async with open_store() as store:
        assert await store.list_collections() == names
        for name in names:
            (record,) = (await (await store.get_collection(name)).scroll())[0]
            assert record.id == int(name[1:])


@pytest.mark.parametrize(
    "settings",
    [
        {"hnsw_config": m.HnswConfigDiff(payload_m=16)},
        {"wal_config": m.WalConfigDiff(wal_segments_ahead=1)},
        {"wal_config": m.WalConfigDiff(wal_retain_closed=2)},
        {"sparse_vectors": {"s": m.SparseVectorParams(index=UINT8_INDEX)}},
        {"on_disk_payload": False},
    ],
    ids=lambda settings: next(iter(settings)),
)
async def test_what_is_not_supported_yet_says_so(open_store, unnamed, settings):
    async with open_store() as store:
        with pytest.raises(UnsupportedError, match="not supported yet"):
            await store.create_collection("docs", vectors=unnamed(), **settings)
        assert await store.list_collections() == []
