"""Every call of the official client that the server has so far says what the collection says."""

import numpy as np
import pytest
from qdrant_client import models as qm
from qdrant_client.http.exceptions import UnexpectedResponse

pytestmark = pytest.mark.asyncio

CITIES = ["Aachen", "Bern", "Chur"]


def points(count=30):
    rng = np.random.default_rng(1)
    return [
        qm.PointStruct(
            id=i if i % 5 else f"00000000-0000-0000-0000-{i:012}",
            vector=rng.standard_normal(4).round(3).tolist(),
            payload={"n": i, "city": CITIES[i % 3], "tags": [i % 2, i % 7]},
        )
        for i in range(count)
    ]


async def filled(served):
    await served.client.create_collection(
        "c", vectors_config=qm.VectorParams(size=4, distance=qm.Distance.COSINE)
    )
    await served.client.upsert("c", points=points())
    return await served.store.get_collection("c")


def pairs(found):
    return [(point.id, point.score) for point in found]


async def test_collections_are_made_described_and_deleted(served):
    async with served() as s:
        assert await s.client.create_collection(
            "named",
            vectors_config={
                "a": qm.VectorParams(size=4, distance=qm.Distance.DOT, on_disk=False),
                "b": qm.VectorParams(
                    size=2,
                    distance=qm.Distance.EUCLID,
                    multivector_config=qm.MultiVectorConfig(
                        comparator=qm.MultiVectorComparator.MAX_SIM
                    ),
                ),
            },
            sparse_vectors_config={
                "s": qm.SparseVectorParams(
                    modifier=qm.Modifier.IDF, index=qm.SparseIndexParams(on_disk=False)
                )
            },
            quantization_config=qm.ScalarQuantization(
                scalar=qm.ScalarQuantizationConfig(type=qm.ScalarType.INT8, quantile=0.99)
            ),
            hnsw_config=qm.HnswConfigDiff(m=8),
        )
        assert await s.client.collection_exists("named")
        assert not await s.client.collection_exists("other")
        assert [one.name for one in (await s.client.get_collections()).collections] == ["named"]
        info = await s.client.get_collection("named")
        assert info.status == qm.CollectionStatus.GREEN
        assert info.points_count == 0
        assert info.config.hnsw_config.m == 8
        assert info.config.params.vectors["a"].size == 4
        assert info.config.params.vectors["a"].on_disk is False
        assert info.config.params.sparse_vectors["s"].index.on_disk is False
        assert info.config.params.vectors["b"].distance == qm.Distance.EUCLID
        assert info.config.params.sparse_vectors["s"].modifier == qm.Modifier.IDF
        assert info.config.quantization_config.scalar.quantile == 0.99
        assert await s.client.delete_collection("named")
        assert not await s.client.delete_collection("named")


async def test_points_are_written_in_every_way(served):
    async with served() as s:
        collection = await filled(s)
        client = s.client
        assert (await client.count("c")).count == 30
        await client.set_payload("c", {"new": [1]}, points=[1])
        await client.overwrite_payload("c", {"only": True}, points=[2])
        await client.delete_payload("c", ["n"], points=[3])
        await client.clear_payload("c", points_selector=[4])
        await client.update_vectors("c", [qm.PointVectors(id=6, vector=[1, 0, 0, 0])])
        await client.delete_vectors("c", [""], points=[7])
        await client.delete(
            "c",
            points_selector=qm.Filter(must=[qm.FieldCondition(key="n", range=qm.Range(gte=20))]),
        )
        done = await client.batch_update_points(
            "c",
            [
                qm.UpsertOperation(
                    upsert=qm.PointsList(points=[qm.PointStruct(id=99, vector=[1, 2, 3, 4])])
                ),
                qm.SetPayloadOperation(set_payload=qm.SetPayload(payload={"x": 1}, points=[99])),
                qm.DeleteOperation(delete=qm.PointIdsList(points=[8])),
            ],
        )
        assert [one.status for one in done] == [qm.UpdateStatus.COMPLETED] * 3
        await client.upsert(
            "c",
            points=qm.Batch(ids=[100, 101], vectors=[[1, 0, 0, 0]] * 2, payloads=[{"y": 2}, {}]),
        )
        found = {one.id: one for one in await client.retrieve("c", list(range(110)))}
        assert found[1].payload == {"n": 1, "city": "Bern", "tags": [1, 1], "new": [1]}
        assert found[2].payload == {"only": True}
        assert found[3].payload == {"city": "Aachen", "tags": [1, 3]}
        assert found[4].payload == {}
        assert (await client.retrieve("c", [6], with_vectors=True))[0].vector == [1, 0, 0, 0]
        assert (await client.retrieve("c", [7], with_vectors=True))[0].vector == {}
        assert found[99].payload == {"x": 1}
        assert found[100].payload == {"y": 2}
        assert 8 not in found
        assert 21 not in found
        assert await collection.count() == (await client.count("c")).count == 22


async def test_points_are_read_page_by_page_and_counted(served):
    async with served() as s:
        await filled(s)
        page, following = await s.client.scroll("c", limit=7, with_vectors=True)
        assert [one.id for one in page] == [1, 2, 3, 4, 6, 7, 8]
        assert page[0].vector == pytest.approx(
            np.array(points()[1].vector) / np.linalg.norm(points()[1].vector), abs=1e-6
        )
        rest, last = await s.client.scroll("c", limit=100, offset=following)
        assert len(rest) == 23
        assert last is None
        bern = qm.Filter(must=[qm.FieldCondition(key="city", match=qm.MatchValue(value="Bern"))])
        assert (await s.client.count("c", count_filter=bern)).count == 10
        await s.client.create_payload_index("c", "city", "keyword")
        await s.client.create_payload_index("c", "n", "integer")
        hits = (await s.client.facet("c", "city")).hits
        assert [(hit.value, hit.count) for hit in hits] == [(city, 10) for city in CITIES]
        ordered, _ = await s.client.scroll(
            "c", limit=3, order_by=qm.OrderBy(key="n", direction=qm.Direction.DESC)
        )
        assert [one.payload["n"] for one in ordered] == [29, 28, 27]
        assert [one.order_value for one in ordered] == [29, 28, 27]
        schema = (await s.client.get_collection("c")).payload_schema
        assert {name: one.data_type for name, one in schema.items()} == {
            "city": qm.PayloadSchemaType.KEYWORD,
            "n": qm.PayloadSchemaType.INTEGER,
        }
        await s.client.delete_payload_index("c", "n")
        assert set((await s.client.get_collection("c")).payload_schema) == {"city"}


QUERIES = [
    [1.0, 2.0, 3.0, 4.0],
    qm.NearestQuery(nearest=3),
    qm.RecommendQuery(recommend=qm.RecommendInput(positive=[1], negative=[2])),
    qm.DiscoverQuery(
        discover=qm.DiscoverInput(target=1, context=[qm.ContextPair(positive=2, negative=3)])
    ),
    qm.ContextQuery(context=[qm.ContextPair(positive=2, negative=3)]),
    None,
]


@pytest.mark.parametrize("query", QUERIES, ids=str)
async def test_queries_find_what_the_collection_finds(served, query):
    async with served() as s:
        collection = await filled(s)
        found = (await s.client.query_points("c", query=query, limit=5, with_payload=True)).points
        plain = query.model_dump(exclude_none=True) if hasattr(query, "model_dump") else query
        wanted = await collection.query(plain, limit=5, with_payload=True)
        assert [point.id for point in found] == [point.id for point in wanted]
        assert [np.float32(point.score) for point in found] == [
            np.float32(point.score) for point in wanted
        ]
        assert [point.payload for point in found] == [point.payload for point in wanted]
        (again,) = await s.client.query_batch_points(
            "c", requests=[qm.QueryRequest(query=query, limit=5, with_payload=True)]
        )
        assert again.points == found


async def test_fusions_groups_and_matrices(served):
    async with served() as s:
        collection = await filled(s)
        fused = await s.client.query_points(
            "c",
            prefetch=[qm.Prefetch(query=[1, 0, 0, 0], limit=9), qm.Prefetch(query=4, limit=9)],
            query=qm.FusionQuery(fusion=qm.Fusion.RRF),
            limit=4,
        )
        assert len(fused.points) == 4
        await s.client.create_collection("cities", vectors_config={})
        # Groups are looked up by the value that they share.
        await s.client.upsert(
            "cities", points=[qm.PointStruct(id=i, vector={}, payload={"i": i}) for i in range(7)]
        )
        groups = await s.client.query_points_groups(
            "c", query=[1, 0, 0, 0], group_by="tags", limit=3, group_size=2, with_lookup="cities"
        )
        wanted = await collection.query_groups([1, 0, 0, 0], group_by="tags", limit=3, group_size=2)
        assert [group.id for group in groups.groups] == [group.id for group in wanted]
        assert all(len(group.hits) == 2 for group in groups.groups)
        assert all(group.lookup.payload == {"i": group.id} for group in groups.groups)
        # The article that brought lookups calls the collection so.
        body = {"query": [1, 0, 0, 0], "group_by": "tags", "limit": 3, "group_size": 2}
        body |= {"with_payload": False, "with_lookup": {"collection_name": "cities", "x": 1}}
        reply = await s.http.post("/collections/c/points/query/groups", json=body)
        assert [group["lookup"]["payload"] for group in reply.json()["result"]["groups"]] == [
            group.lookup.payload for group in groups.groups
        ]
        found = await s.client.search_matrix_pairs("c", sample=5, limit=2)
        assert len(found.pairs) == 10
        offsets = await s.client.search_matrix_offsets("c", sample=5, limit=2)
        assert len(offsets.scores) == len(offsets.offsets_row) == 10


async def test_sparse_and_multivectors_come_back_as_they_went_in(served):
    async with served() as s:
        await s.client.create_collection(
            "v",
            vectors_config={
                "m": qm.VectorParams(
                    size=2,
                    distance=qm.Distance.DOT,
                    multivector_config=qm.MultiVectorConfig(
                        comparator=qm.MultiVectorComparator.MAX_SIM
                    ),
                )
            },
            sparse_vectors_config={"s": qm.SparseVectorParams()},
        )
        sparse = qm.SparseVector(indices=[3, 9], values=[0.1, 0.2])
        await s.client.upsert(
            "v", [qm.PointStruct(id=1, vector={"m": [[0.1, 0.2], [0.3, 0.4]], "s": sparse})]
        )
        (point,) = await s.client.retrieve("v", [1], with_vectors=True)
        assert point.vector == {"m": [[0.1, 0.2], [0.3, 0.4]], "s": sparse}
        found = await s.client.query_points("v", query=sparse, using="s")
        assert pairs(found.points) == [(1, 0.05)]


async def test_aliases(served):
    def create(alias, collection):
        return qm.CreateAliasOperation(
            create_alias=qm.CreateAlias(collection_name=collection, alias_name=alias)
        )

    async with served() as s:
        await filled(s)
        await s.client.create_collection("d", vectors_config={})
        assert await s.client.update_collection_aliases([create("a", "c"), create("b", "d")])
        renaming = qm.RenameAlias(old_alias_name="b", new_alias_name="e")
        deleting = qm.DeleteAlias(alias_name="not there")
        assert await s.client.update_collection_aliases(
            [
                qm.RenameAliasOperation(rename_alias=renaming),
                qm.DeleteAliasOperation(delete_alias=deleting),
                create("f", "c"),
            ]
        )
        everything = (await s.client.get_aliases()).aliases
        assert everything == [
            qm.AliasDescription(alias_name="a", collection_name="c"),
            qm.AliasDescription(alias_name="e", collection_name="d"),
            qm.AliasDescription(alias_name="f", collection_name="c"),
        ]
        of_c = [everything[0], everything[2]]
        assert (await s.client.get_collection_aliases("c")).aliases == of_c
        assert (await s.client.get_collection_aliases("a")).aliases == of_c
        assert await s.client.collection_exists("a")
        assert (await s.client.count("a")).count == 30
        await s.client.delete("a", points_selector=[1])
        assert (await s.client.count("c")).count == 29
        assert (await s.client.get_collection("a")).points_count == 29
        assert await s.client.delete_collection("c")
        assert (await s.client.get_aliases()).aliases == [everything[1]]


async def test_settings_are_changed(served):
    async with served() as s:
        await s.client.create_collection(
            "c",
            vectors_config={"": qm.VectorParams(size=4, distance=qm.Distance.DOT)},
            sparse_vectors_config={"s": qm.SparseVectorParams()},
            metadata={"a": 1, "b": 2},
        )
        assert await s.client.update_collection(
            "c",
            vectors_config={"": qm.VectorParamsDiff(on_disk=True)},
            sparse_vectors_config={"s": qm.SparseVectorParams(modifier=qm.Modifier.IDF)},
            collection_params=qm.CollectionParamsDiff(on_disk_payload=True),
            quantization_config=qm.Disabled.DISABLED,
            metadata={"a": None, "c": [3]},
        )
        config = (await s.client.get_collection("c")).config
        assert config.params.vectors.on_disk is True
        assert config.params.sparse_vectors["s"].modifier == qm.Modifier.IDF
        assert config.metadata == {"b": 2, "c": [3]}
        with pytest.raises(UnexpectedResponse, match="not supported yet"):
            await s.client.update_collection("c", hnsw_config=qm.HnswConfigDiff(m=4))


async def test_indexing_is_off_for_an_upload_and_on_again_afterwards(served, wait_until):
    async with served() as s:
        await s.client.create_collection(
            "c",
            vectors_config=qm.VectorParams(size=4, distance=qm.Distance.DOT),
            optimizers_config=qm.OptimizersConfigDiff(
                indexing_threshold=0, memmap_threshold=20000, max_optimization_threads="auto"
            ),
        )
        await s.client.upsert("c", points=points(200))  # 3 KB of vectors
        info = await s.client.get_collection("c")
        assert info.indexed_vectors_count == 0
        assert info.config.optimizer_config.indexing_threshold == 0
        assert info.config.optimizer_config.memmap_threshold == 20000
        assert info.config.optimizer_config.deleted_threshold == 0.2
        assert await s.client.update_collection(
            "c", optimizers_config=qm.OptimizersConfigDiff(indexing_threshold=1)
        )
        collection = await s.store.get_collection("c")
        await wait_until(lambda: collection.statistics().indexed_vectors == 200)
        info = await s.client.get_collection("c")
        assert info.indexed_vectors_count == 200
        assert info.config.optimizer_config.indexing_threshold == 1
        assert info.config.optimizer_config.memmap_threshold == 20000
        with pytest.raises(UnexpectedResponse, match="indexing_threshold: value -1 invalid"):
            await s.client.update_collection(
                "c", optimizers_config=qm.OptimizersConfigDiff(indexing_threshold=-1)
            )
