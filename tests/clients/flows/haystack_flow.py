"""qdrant-haystack: documents are written, retrieved, filtered, deleted; dense, sparse, both."""

import pytest
from haystack import Document
from haystack.dataclasses import SparseEmbedding
from haystack.document_stores.errors import DuplicateDocumentError
from haystack.document_stores.types import DuplicatePolicy
from haystack_integrations.components.retrievers.qdrant import (
    QdrantEmbeddingRetriever,
    QdrantHybridRetriever,
    QdrantSparseEmbeddingRetriever,
)
from haystack_integrations.document_stores.qdrant import QdrantDocumentStore
from qdrant_client import QdrantClient

from letters import DIM, TAGS, TEXTS, dense, sparse


def sparse_of(text):
    indices, values = sparse(text)
    return SparseEmbedding(indices=indices, values=values)


def documents(has_sparse):
    return [
        Document(
            id=f"document {i}",
            content=TEXTS[i],
            meta={"tag": TAGS[i], "n": i},
            embedding=dense(TEXTS[i]),
            sparse_embedding=sparse_of(TEXTS[i]) if has_sparse else None,
        )
        for i in range(len(TEXTS))
    ]


def made(url, **options):
    """A document store with the texts."""
    options = {"index": "documents", "recreate_index": True} | options
    store = QdrantDocumentStore(url=url, embedding_dim=DIM, progress_bar=False, **options)
    assert store.write_documents(documents(store.use_sparse_embeddings)) == len(TEXTS)
    return store


@pytest.fixture
def store(url):
    return made(url)


@pytest.fixture(params=[False, True], ids=["plain", "idf"])
def hybrid(request, url):
    return made(url, use_sparse_embeddings=True, sparse_idf=request.param)


def texts(found):
    return [document.content for document in found]


def test_a_text_finds_itself(store):
    retriever = QdrantEmbeddingRetriever(store, return_embedding=True)
    found = retriever.run(query_embedding=dense(TEXTS[2]), top_k=1)["documents"]
    assert texts(found) == [TEXTS[2]]
    assert found[0].id == "document 2"
    assert found[0].meta == {"tag": TAGS[2], "n": 2}
    assert found[0].embedding == pytest.approx(dense(TEXTS[2]), abs=1e-6)


def condition(field, operator, value):
    return {"field": field, "operator": operator, "value": value}


FILTERS = [
    (condition("meta.tag", "==", "sheep"), [1, 3]),
    (condition("meta.tag", "!=", "sheep"), [0, 2]),
    (condition("meta.n", ">", 1), [2, 3]),
    (condition("meta.n", "<=", 1), [0, 1]),
    (condition("meta.tag", "in", ["cars", "games"]), [0, 2]),
    (condition("meta.tag", "not in", ["cars", "games"]), [1, 3]),
    (
        {
            "operator": "OR",
            "conditions": [condition("meta.n", "==", 0), condition("meta.n", "==", 3)],
        },
        [0, 3],
    ),
    ({"operator": "NOT", "conditions": [condition("meta.n", "==", 0)]}, [1, 2, 3]),
]


@pytest.mark.parametrize(("filters", "numbers"), FILTERS)
def test_filters(store, filters, numbers):
    wanted = sorted(TEXTS[i] for i in numbers)
    assert sorted(texts(store.filter_documents(filters))) == wanted
    found = QdrantEmbeddingRetriever(store).run(query_embedding=dense(TEXTS[0]), filters=filters)
    assert sorted(texts(found["documents"])) == wanted


def test_documents_that_are_there_already(store):
    again = documents(has_sparse=False)[:1]
    with pytest.raises(DuplicateDocumentError):
        store.write_documents(again)
    assert store.write_documents(again, DuplicatePolicy.SKIP) == 0
    assert store.write_documents(again, DuplicatePolicy.OVERWRITE) == 1
    assert store.count_documents() == len(TEXTS)


def test_documents_are_deleted(store):
    store.delete_documents(["document 1", "not there"])
    assert sorted(texts(store.filter_documents())) == sorted([TEXTS[0], *TEXTS[2:]])
    assert store.count_documents() == 3


def test_a_store_is_opened_again(store, url):
    again = QdrantDocumentStore(url=url, index="documents", embedding_dim=DIM)
    assert again.count_documents() == len(TEXTS)


def test_sparse_and_hybrid(hybrid):
    by_words = QdrantSparseEmbeddingRetriever(hybrid)
    found = by_words.run(query_sparse_embedding=sparse_of(TEXTS[3]), top_k=1)["documents"]
    assert texts(found) == [TEXTS[3]]
    by_both = QdrantHybridRetriever(hybrid)
    found = by_both.run(
        query_sparse_embedding=sparse_of(TEXTS[1]), query_embedding=dense(TEXTS[1]), top_k=2
    )["documents"]
    assert texts(found)[0] == TEXTS[1]


def test_indexes_of_fields(url):
    fields = [{"field_name": "meta.tag", "field_schema": "keyword"}]
    made(url, index="indexed", payload_fields_to_index=fields)
    assert "meta.tag" in QdrantClient(url=url).get_collection("indexed").payload_schema
