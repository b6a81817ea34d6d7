"""llama-index-vector-stores-qdrant: nodes are added, queried, filtered, deleted, in all modes."""

import asyncio
import uuid

import pytest
from llama_index.core import StorageContext, VectorStoreIndex
from llama_index.core.embeddings import BaseEmbedding
from llama_index.core.schema import NodeRelationship, RelatedNodeInfo, TextNode
from llama_index.core.vector_stores import (
    FilterCondition,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
)
from llama_index.core.vector_stores.types import VectorStoreQueryMode
from llama_index.vector_stores.qdrant import QdrantVectorStore
from qdrant_client import AsyncQdrantClient, QdrantClient

from letters import TAGS, TEXTS, dense, sparse


class Dense(BaseEmbedding):
    def _get_text_embedding(self, text):
        return dense(text)

    def _get_query_embedding(self, query):
        return dense(query)

    async def _aget_query_embedding(self, query):
        return dense(query)


def sparse_of(texts):
    pairs = [sparse(text) for text in texts]
    return [indices for indices, _ in pairs], [values for _, values in pairs]


def nodes():
    """The texts, the first two of document "d0", the others of "d1"."""
    return [
        TextNode(
            id_=str(uuid.UUID(int=i + 1)),
            text=TEXTS[i],
            metadata={"tag": TAGS[i], "n": i, "half": i / 2},
            embedding=dense(TEXTS[i]),
            relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id=f"d{i // 2}")},
        )
        for i in range(len(TEXTS))
    ]


def made(url, **options):
    """An empty vector store in a collection of its own."""
    return QdrantVectorStore(
        uuid.uuid4().hex,
        client=QdrantClient(url=url),
        aclient=AsyncQdrantClient(url=url),
        **options,
    )


@pytest.fixture
def store(url):
    store = made(url)
    store.add(nodes())
    return store


@pytest.fixture
def hybrid(url):
    store = made(url, enable_hybrid=True, sparse_doc_fn=sparse_of, sparse_query_fn=sparse_of)
    store.add(nodes())
    return store


def query(text, **options):
    return VectorStoreQuery(
        query_embedding=dense(text), query_str=text, similarity_top_k=4, **options
    )


def texts(found):
    return [node.text for node in found.nodes]


def test_a_text_finds_itself(store):
    found = store.query(query(TEXTS[1]))
    assert texts(found)[0] == TEXTS[1]
    assert found.similarities[0] == pytest.approx(1.0)
    assert found.ids[0] == str(uuid.UUID(int=2))


def test_an_index(store):
    index = VectorStoreIndex(
        nodes=[TextNode(text="zzz")],
        storage_context=StorageContext.from_defaults(vector_store=store),
        embed_model=Dense(),
    )
    (found,) = index.as_retriever(similarity_top_k=1).retrieve("zz")
    assert found.text == "zzz"
    (again,) = asyncio.run(index.as_retriever(similarity_top_k=1).aretrieve(TEXTS[0]))
    assert again.text == TEXTS[0]


FILTERS = [
    (FilterOperator.EQ, "tag", "sheep", [1, 3]),
    (FilterOperator.EQ, "n", 2, [2]),
    (FilterOperator.EQ, "half", 1.5, [3]),
    (FilterOperator.NE, "tag", "sheep", [0, 2]),
    (FilterOperator.GT, "n", 1, [2, 3]),
    (FilterOperator.GTE, "n", 1, [1, 2, 3]),
    (FilterOperator.LT, "half", 0.5, [0]),
    (FilterOperator.LTE, "half", 0.5, [0, 1]),
    (FilterOperator.IN, "tag", ["cars", "games"], [0, 2]),
    (FilterOperator.NIN, "tag", ["cars", "games"], [1, 3]),
    (FilterOperator.TEXT_MATCH, "tag", "hee", [1, 3]),
    (FilterOperator.IS_EMPTY, "nothing", None, [0, 1, 2, 3]),
]


@pytest.mark.parametrize(("operator", "key", "value", "numbers"), FILTERS)
def test_filters(store, operator, key, value, numbers):
    filters = MetadataFilters(filters=[MetadataFilter(key=key, value=value, operator=operator)])
    found = store.query(query(TEXTS[0], filters=filters))
    assert sorted(texts(found)) == sorted(TEXTS[i] for i in numbers)
    assert sorted(n.text for n in store.get_nodes(filters=filters)) == sorted(texts(found))


def test_nested_filters(store):
    either = MetadataFilters(
        filters=[MetadataFilter(key="n", value=0), MetadataFilter(key="n", value=3)],
        condition=FilterCondition.OR,
    )
    both = MetadataFilters(filters=[either, MetadataFilter(key="tag", value="sheep")])
    assert texts(store.query(query(TEXTS[0], filters=both))) == [TEXTS[3]]


def test_nodes_and_documents_are_deleted(store):
    ids = [node.node_id for node in nodes()]
    assert [node.text for node in store.get_nodes(ids[2:3])] == [TEXTS[2]]
    store.delete_nodes(ids[2:3])
    assert sorted(texts(store.query(query(TEXTS[0])))) == sorted([*TEXTS[:2], TEXTS[3]])
    store.delete("d0")
    assert texts(store.query(query(TEXTS[0]))) == [TEXTS[3]]
    store.clear()
    assert not store.client.collection_exists(store.collection_name)


MODES = [
    VectorStoreQueryMode.DEFAULT,
    VectorStoreQueryMode.SPARSE,
    VectorStoreQueryMode.HYBRID,
]


@pytest.mark.parametrize("mode", MODES)
def test_modes(hybrid, mode):
    found = hybrid.query(query(TEXTS[2], mode=mode, sparse_top_k=4))
    assert texts(found)[0] == TEXTS[2]
    again = asyncio.run(hybrid.aquery(query(TEXTS[2], mode=mode, sparse_top_k=4)))
    assert again.ids == found.ids


def test_all_of_it_asynchronously(url):
    async def flow():
        store = made(url)
        await store.async_add(nodes())
        assert texts(await store.aquery(query(TEXTS[3])))[0] == TEXTS[3]
        await store.adelete("d1")
        assert sorted(node.text for node in await store.aget_nodes()) == sorted(TEXTS[:2])
        await store.adelete_nodes([nodes()[0].node_id])
        assert [node.text for node in await store.aget_nodes()] == [TEXTS[1]]
        await store.aclear()

    asyncio.run(flow())
