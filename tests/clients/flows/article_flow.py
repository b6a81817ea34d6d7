"""The requests that the article on Qdrant 1.3 prints, one a test, by a client of those days.

They stand here as printed, but for what was never taken by any server or client: ``...`` where
readers are to put something of theirs, a comma that is missing, a quotation mark that is missing,
and ``WithLookup(collection_name=…)``, where clients have called it ``collection`` ever since.
"""

import json
import os
import random
import re
from urllib.parse import quote, urlsplit

import httpx
import pytest
from qdrant_client import QdrantClient
from qdrant_client.http import models

# The article's placeholder is a name like any other.
NAME = "{collection_name}"
QUERY = [0.2, 0.1, 0.9, 0.7]
SEARCH = """
{
  "params": {
    "quantization": {
      "ignore": false,
      "rescore": true,
      "oversampling": 2.4
    }
  },
  "vector": [0.2, 0.1, 0.9, 0.7],
  "limit": 100
}
"""
SEARCH_GROUPS = """
{
    // Same as in the regular search API
    "vector": [1.1],

    // Grouping parameters
    "group_by": "document_id",
    "limit": 2,
    "group_size": 2,

    // Lookup parameters
    "with_lookup": {
        // Name of the collection to look up points in
        "collection_name": "documents",

        // Options for specifying what to bring from the payload
        // of the looked up point, true by default
        "with_payload": ["title", "text"],

        // Options for specifying what to bring from the vector(s)
        // of the looked up point, true by default
        "with_vectors": false
    }
}
"""
DOCUMENTS = {1: ("Rings", "On queues"), 2: ("Maps", "On pages"), 3: ("Disks", "On blocks")}


@pytest.fixture(scope="module")
def client(url):
    made = QdrantClient("localhost", port=urlsplit(url).port)
    fill(made)
    return made


def fill(client):
    """What the article takes for given: a quantized collection, documents, and their chunks."""
    codes = models.ScalarQuantization(
        scalar=models.ScalarQuantizationConfig(
            type=models.ScalarType.INT8, quantile=0.99, always_ram=True
        )
    )
    client.create_collection(
        NAME,
        vectors_config=models.VectorParams(size=4, distance=models.Distance.DOT, on_disk=True),
        quantization_config=codes,
    )
    client.upload_collection(NAME, vectors(), [{"n": i} for i in range(300)], ids=range(300))
    one = models.VectorParams(size=1, distance=models.Distance.DOT)
    client.create_collection("documents", vectors_config=one)
    client.create_collection("chunks", vectors_config=one)
    client.upsert(
        "documents",
        [
            models.PointStruct(id=i, vector=[1], payload={"title": a, "text": b, "pages": 7})
            for i, (a, b) in DOCUMENTS.items()
        ],
    )
    # Chunk n of document d: the nearest are those of documents 3 and 2.
    client.upsert(
        "chunks",
        [
            models.PointStruct(id=10 * d + n, vector=[d - n / 10], payload={"document_id": d})
            for d in DOCUMENTS
            for n in range(4)
        ],
    )


def vectors():
    numbers = random.Random(13)
    return [[round(numbers.gauss(0, 1), 3) for _ in range(4)] for _ in range(300)]


def nearest(count):
    """The ids that a search has to find, by all the vectors."""
    scores = [sum(a * b for a, b in zip(QUERY, vector, strict=True)) for vector in vectors()]
    return sorted(range(300), key=lambda i: -scores[i])[:count]


def asked(url, path, text):
    """What comes for a body as it is printed: with comments."""
    body = json.loads(re.sub(r"^ *//.*$", "", text, flags=re.MULTILINE))
    reply = httpx.post(url + path, json=body)
    assert reply.status_code == 200, reply.text
    assert reply.json()["status"] == "ok"
    return reply.json()["result"]


def test_oversampling_by_http(client, url):
    found = asked(url, f"/collections/{quote(NAME)}/points/search", SEARCH)
    assert [point["id"] for point in found] == nearest(100)


def test_oversampling_by_the_client(client):
    found = client.search(
        collection_name="{collection_name}",
        query_vector=[0.2, 0.1, 0.9, 0.7],
        search_params=models.SearchParams(
            quantization=models.QuantizationSearchParams(
                ignore=False, rescore=True, oversampling=2.4
            )
        ),
    )
    assert [point.id for point in found] == nearest(10)


def test_groups_with_lookup_by_http(client, url):
    groups = asked(url, "/collections/chunks/points/search/groups", SEARCH_GROUPS)["groups"]
    assert [group["id"] for group in groups] == [3, 2]
    assert [[hit["id"] for hit in group["hits"]] for group in groups] == [[30, 31], [20, 21]]
    for group in groups:
        title, text = DOCUMENTS[group["id"]]
        looked_up = {"id": group["id"], "payload": {"title": title, "text": text}}
        assert group["lookup"] == looked_up  # no vector


def test_groups_with_lookup_by_the_client(client):
    found = client.search_groups(
        collection_name="chunks",
        # Same as in the regular search() API
        query_vector=[1.1],
        # Grouping parameters
        group_by="document_id",  # Path of the field to group by
        limit=2,  # Max amount of groups
        group_size=2,  # Max amount of points per group
        # Lookup parameters
        with_lookup=models.WithLookup(
            # Name of the collection to look up points in
            collection="documents",
            # Options for specifying what to bring from the payload
            # of the looked up point, True by default
            with_payload=["title", "text"],
            # Options for specifying what to bring from the vector(s)
            # of the looked up point, True by default
            with_vectors=False,
        ),
    )
    assert [group.id for group in found.groups] == [3, 2]
    assert [[hit.id for hit in group.hits] for group in found.groups] == [[30, 31], [20, 21]]
    for group in found.groups:
        title, text = DOCUMENTS[group.id]
        assert group.lookup.payload == {"title": title, "text": text}
        assert group.lookup.vector is None


def test_snapshots_are_put_together_in_the_temp_path(client, temp_path):
    os.utime(temp_path, (0, 0))
    made = client.create_snapshot("documents")
    assert temp_path.stat().st_mtime > 0  # a file came and went
    assert list(temp_path.iterdir()) == []
    assert [one.name for one in client.list_snapshots("documents")] == [made.name]


def test_what_else_the_old_client_has(client):
    info = client.get_collection(NAME)
    assert info.points_count == 300
    assert info.config.params.vectors.size == 4
    assert info.config.quantization_config.scalar.quantile == 0.99
    assert client.count(NAME).count == 300
    first, following = client.scroll(NAME, limit=2, with_vectors=True)
    assert [(point.id, point.vector) for point in first] == list(enumerate(vectors()[:2]))
    assert following == 2
    batch = client.search_batch(NAME, [models.SearchRequest(vector=QUERY, limit=3)] * 2)
    assert [[point.id for point in found] for found in batch] == [nearest(3)] * 2
    liked = client.recommend(NAME, positive=[1], negative=[2], limit=3)
    assert len(liked) == 3
    assert not {1, 2} & {point.id for point in liked}
    pair = models.ContextExamplePair(positive=1, negative=2)
    assert len(client.discover(NAME, target=3, context=[pair], limit=3)) == 3
    few = models.Filter(must=[models.FieldCondition(key="n", range=models.Range(lt=5))])
    client.create_payload_index(NAME, "n", "integer")
    client.set_payload(NAME, {"few": True}, points=few)
    assert client.count(NAME, few).count == 5
    client.delete(NAME, points_selector=models.FilterSelector(filter=few))
    assert client.count(NAME).count == 295
