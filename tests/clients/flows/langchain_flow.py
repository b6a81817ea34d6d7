"""langchain-qdrant: texts are added, searched, filtered and deleted, in all modes of retrieval."""

import asyncio
import uuid

import pytest
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_qdrant import (
    QdrantVectorStore,
    RetrievalMode,
    SparseEmbeddings,
    SparseVector,
)
from qdrant_client import QdrantClient, models

from letters import DIM, TAGS, TEXTS, dense, sparse

IDS = [str(uuid.UUID(int=i)) for i in range(len(TEXTS))]
SHEEP = models.Filter(
    must=[models.FieldCondition(key="metadata.tag", match=models.MatchValue(value="sheep"))]
)


class Dense(Embeddings):
    def embed_documents(self, texts):
        return [dense(text) for text in texts]

    def embed_query(self, text):
        return dense(text)


class Sparse(SparseEmbeddings):
    def embed_documents(self, texts):
        return [self.embed_query(text) for text in texts]

    def embed_query(self, text):
        indices, values = sparse(text)
        return SparseVector(indices=indices, values=values)


@pytest.fixture(params=list(RetrievalMode), ids=str)
def store(request, url):
    """The texts in a new collection."""
    return QdrantVectorStore.from_texts(
        TEXTS,
        Dense(),
        metadatas=[{"tag": tag} for tag in TAGS],
        ids=IDS,
        collection_name=uuid.uuid4().hex,
        url=url,
        retrieval_mode=request.param,
        sparse_embedding=Sparse(),
    )


def texts(documents):
    return [document.page_content for document in documents]


@pytest.mark.parametrize("number", range(len(TEXTS)))
def test_a_text_finds_itself(store, number):
    (found,) = store.similarity_search(TEXTS[number], k=1)
    assert found.page_content == TEXTS[number]
    assert found.metadata["tag"] == TAGS[number]
    assert found.metadata["_id"] == IDS[number]


def test_filters(store):
    found = store.similarity_search(TEXTS[0], k=4, filter=SHEEP)
    assert sorted(texts(found)) == sorted([TEXTS[1], TEXTS[3]])


def test_scores(store):
    (_, best), *others = store.similarity_search_with_score(TEXTS[2], k=4)
    if store.retrieval_mode is RetrievalMode.DENSE:
        assert best == pytest.approx(1.0)
    assert all(score < best for _, score in others)


def test_documents_come_and_go(store):
    added = store.add_documents([Document(page_content="zzz", metadata={"tag": "sleep"})])
    assert texts(store.get_by_ids(added)) == ["zzz"]
    assert texts(store.similarity_search("zz", k=1)) == ["zzz"]
    assert store.delete(added)
    assert store.get_by_ids(added) == []
    assert "zzz" not in texts(store.similarity_search("zz", k=9))


def test_a_retriever(store):
    retriever = store.as_retriever(search_kwargs={"k": 1})
    assert texts(retriever.invoke(TEXTS[3])) == [TEXTS[3]]
    assert texts(asyncio.run(retriever.ainvoke(TEXTS[3]))) == [TEXTS[3]]


@pytest.mark.parametrize("mode", [RetrievalMode.DENSE, RetrievalMode.HYBRID])
def test_results_that_differ(url, mode):
    twice = [TEXTS[0], TEXTS[0] + " " + TEXTS[0], TEXTS[1]]
    store = QdrantVectorStore.from_texts(
        twice,
        Dense(),
        url=url,
        collection_name=uuid.uuid4().hex,
        retrieval_mode=mode,
        sparse_embedding=Sparse(),
    )
    found = store.max_marginal_relevance_search(TEXTS[0], k=2, fetch_k=3, lambda_mult=0.9)
    assert TEXTS[1] in texts(found)
    retriever = store.as_retriever(search_type="mmr", search_kwargs={"k": 1, "fetch_k": 2})
    assert len(retriever.invoke(TEXTS[0])) == 1


def test_a_collection_that_is_there(url):
    client, name = QdrantClient(url=url), uuid.uuid4().hex
    client.create_collection(
        name, vectors_config=models.VectorParams(size=DIM, distance=models.Distance.COSINE)
    )
    QdrantVectorStore(client, name, Dense()).add_texts(TEXTS)
    again = QdrantVectorStore.from_existing_collection(name, Dense(), url=url)
    assert texts(again.similarity_search(TEXTS[1], k=1)) == [TEXTS[1]]
    QdrantVectorStore.from_texts(
        TEXTS[:1], Dense(), url=url, collection_name=name, force_recreate=True
    )
    assert client.count(name).count == 1
