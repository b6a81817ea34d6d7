"""What goes over the wire: envelopes, numbers, statuses and texts; the endpoints of old clients."""

import time

import anyio
import anyio.lowlevel
import numpy as np
import pytest

from asyncstore.server import replies

pytestmark = pytest.mark.asyncio


async def filled(s):
    reply = await s.http.put("/collections/c", json={"vectors": {"size": 3, "distance": "Dot"}})
    assert reply.json()["result"] is True
    body = {
        "points": [{"id": i, "vector": [0.1, i, 0.7], "payload": {"k": i % 2}} for i in range(9)]
    }
    reply = await s.http.put("/collections/c/points", json=body)
    assert reply.json()["result"]["status"] == "acknowledged"


async def test_the_envelope_and_the_shortest_numbers(served):
    async with served() as s:
        await filled(s)
        reply = await s.http.post(
            "/collections/c/points/query",
            json={"query": [1, 0, 0], "limit": 2, "with_vector": True, "unknown": 1},
        )
        assert reply.status_code == 200
        assert reply.headers["content-type"] == "application/json"
        told = reply.json()
        assert told["status"] == "ok"
        assert told["time"] > 0
        assert told["result"]["points"][0] == {
            "id": 0, "version": 1, "score": 0.1, "vector": [0.1, 0.0, 0.7]
        }  # fmt: skip
        assert b"0.1000000" not in reply.content


async def test_large_ids_survive(served):
    async with served() as s:
        await filled(s)
        largest = 2**64 - 1
        body = {"points": [{"id": largest, "vector": [1, 1, 1]}]}
        assert (await s.http.put("/collections/c/points?wait=true", json=body)).status_code == 200
        reply = await s.http.get(f"/collections/c/points/{largest}/")
        assert reply.json()["result"] == {"id": largest, "payload": {}, "vector": [1.0, 1.0, 1.0]}


REFUSED = [
    ("GET", "/collections/d", None, 404, "Not found: Collection `d` doesn't exist!"),
    ("GET", "/collections/c/points/77", None, 404, "Not found: Point with id 77 does not exists!"),
    ("GET", "/collections/c/points/abc", None, 400, 'Can not recognize "abc" as point id'),
    ("PUT", "/collections/c", {}, 409, "Wrong input: Collection `c` already exists!"),
    ("PUT", "/collections/a%3Cb", {}, 422, 'collection name cannot contain "<" char'),
    ("PUT", "/collections/" + "x" * 256, {}, 422, "Validation error in path parameters"),
    (
        "PUT",
        "/collections/e",
        {"vectors": {"size": 65537, "distance": "Dot"}},
        422,
        "[vectors.size: value 65537 invalid, must be from 1 to 65536]",
    ),
    ("PUT", "/collections/e", {"vectors": {"size": 3, "distance": "Dott"}}, 400, "Dott"),
    (
        "POST",
        "/collections/c/points/query",
        {"query": [1, 2]},
        400,
        "Wrong input: Vector dimension error: expected dim: 3, got 2",
    ),
    ("POST", "/collections/c/points/query", {"query": [1, 2, 3], "limit": 0}, 422, "limit"),
    ("POST", "/collections/c/points/query", {"limit": "x"}, 400, "Format error in JSON body"),
    ("POST", "/collections/c/points/query", [], 400, "Format error in JSON body"),
    ("POST", "/collections/c/points/query?timeout=0", {}, 422, "timeout: value 0 invalid"),
    ("POST", "/collections/c/points/query?timeout=x", {}, 400, "Deserialize error in query"),
    ("PUT", "/collections/c/points?wait=yes", {"points": []}, 400, "wait: must be true or false"),
    ("POST", "/collections/c/points/query", {"query": 77}, 404, "No point with id 77 found"),
    ("POST", "/collections/c/points/delete", {}, 400, "points or filter"),
    ("PUT", "/collections/c/points", {}, 400, "points or batch"),
    ("POST", "/collections/c/points/batch", {"operations": [{"do": 1}]}, 400, "operations[0]"),
    (
        "POST",
        "/collections/c/points/payload",
        {"payload": {"a": 1}, "points": [77]},
        404,
        "No point with id 77 found",
    ),
    # Of the right types, but out of bounds: 422, wherever the bound is checked.
    (
        "PUT",
        "/collections/c/points",
        {"points": [{"id": 1, "vector": []}]},
        422,
        "Validation error in JSON body: [points[0]: dense vector must not be empty]",
    ),
    (
        "PUT",
        "/collections/c/points/vectors",
        {"points": [{"id": 1, "vector": {}}]},
        422,
        "[points[0].vector: must specify vectors to update for point]",
    ),
    (
        "POST",
        "/collections/c/points/batch",
        {"operations": [{"update_vectors": {"points": [{"id": 1, "vector": {}}]}}]},
        422,
        "[operations[0]: points[0].vector: must specify",
    ),
    (
        "POST",
        "/collections/c/points/batch",
        {"operations": [{"upsert": {"points": [{"id": 1, "vector": [1]}]}}]},
        400,
        "Wrong input: Vector dimension error: expected dim: 3, got 1",
    ),
    (
        "POST",
        "/collections/c/points/count",
        {"filter": {"must": {"key": "a"}}},
        422,
        "filter.must: At least one field condition must be specified",
    ),
    (
        "POST",
        "/collections/c/points/query",
        {"query": {"recommend": {}}},
        422,
        "Validation error in JSON body: [query.recommend: ",
    ),
    (
        "PUT",
        "/collections/c/index",
        {
            "field_name": "a",
            "field_schema": {"type": "integer", "lookup": False, "range": False},
        },
        422,
        "Validation error: the 'lookup' and 'range' capabilities can't be both disabled",
    ),
    (
        "POST",
        "/collections/aliases",
        {"actions": [{"create_alias": {"collection_name": "d", "alias_name": "a"}}]},
        404,
        "Not found: Collection `d` doesn't exist!",
    ),
    (
        "POST",
        "/collections/aliases",
        {"actions": [{"create_alias": {"collection_name": "c", "alias_name": "c"}}]},
        409,
        "Wrong input: Collection `c` already exists!",
    ),
    (
        "POST",
        "/collections/aliases",
        {"actions": [{"rename_alias": {"old_alias_name": "a", "new_alias_name": "b"}}]},
        404,
        "Not found: Alias a does not exists!",
    ),
    (
        "POST",
        "/collections/aliases",
        {"actions": [{"create_alias": {"collection_name": "c", "alias_name": "x" * 256}}]},
        422,
        "Validation error in JSON body: [actions[0].create_alias.alias_name: value",
    ),
    ("POST", "/collections/aliases", {"actions": [{"alias": {}}]}, 400, "actions[0]: must be one"),
    ("POST", "/collections/aliases", {}, 400, "Format error in JSON body"),
    ("GET", "/collections/d/aliases", None, 404, "Not found: Collection `d` doesn't exist!"),
    ("POST", "/nothing", None, 404, "is not served here"),
    ("PATCH", "/collections/d", {}, 404, "Not found: Collection `d` doesn't exist!"),
    (
        "PATCH",
        "/collections/c",
        {"vectors": {"x": {}}},
        400,
        "Wrong input: Not existing vector name error: x",
    ),
    ("PATCH", "/collections/c", {"hnsw_config": {"m": 4}}, 400, "not supported yet"),
    ("PATCH", "/collections/c", {"strict_mode_config": {}}, 400, "strict_mode_config is not"),
    (
        "PATCH",
        "/collections/c",
        {"vectors": {"": {"hnsw_config": {"ef_construct": 1}}}},
        422,
        "ef_construct: value 1 invalid, must be 4 or larger",
    ),
    ("PATCH", "/collections", None, 405, "is not served here"),
]


@pytest.mark.parametrize(("method", "path", "body", "status", "text"), REFUSED)
async def test_what_is_refused(served, method, path, body, status, text):
    async with served() as s:
        await filled(s)
        got, told = await s.refused(method, path, body)
        assert (got, text in told) == (status, True), told
        assert (await s.http.post("/collections/c/points/count", json={})).json()["result"] == {
            "count": 9
        }


@pytest.mark.parametrize(
    "body", [b"", b"{", b'{"limit": 1', b'{"query": [NaN]}', b"\xff", b"[" * 9999]
)
async def test_bodies_that_are_no_json(served, body):
    async with served() as s:
        await filled(s)
        reply = await s.http.post("/collections/c/points/query", content=body)
        assert reply.status_code == 400
        assert reply.json()["status"]["error"].startswith("Format error in JSON body: ")


async def test_a_body_that_is_too_large(served):
    async with served() as s:
        await filled(s)
        reply = await s.http.post("/collections/c/points/query", content=b" " * ((32 << 20) + 1))
        assert reply.status_code == 413


async def test_service(served):
    async with served() as s:
        assert set((await s.http.get("/")).json()) == {"title", "version", "commit"}
        for path in ("/healthz", "/livez", "/readyz"):
            reply = await s.http.get(path)
            assert reply.status_code == 200
            assert reply.headers["content-type"].startswith("text/plain")
        assert (await s.http.get("/cluster")).json()["result"] == {"status": "disabled"}


LEGACY = [
    ("search", {"vector": [0, 1, 0]}, {"query": [0, 1, 0]}),
    ("search", {"vector": {"name": "", "vector": [0, 1, 0]}}, {"query": [0, 1, 0]}),
    (
        "recommend",
        {"positive": [5], "negative": [1]},
        {"query": {"recommend": {"positive": [5], "negative": [1]}}},
    ),
    (
        "discover",
        {"target": 5, "context": [{"positive": 1, "negative": 2}]},
        {"query": {"discover": {"target": 5, "context": [{"positive": 1, "negative": 2}]}}},
    ),
    (
        "discover",
        {"context": [{"positive": 1, "negative": 2}]},
        {"query": {"context": [{"positive": 1, "negative": 2}]}},
    ),
]


@pytest.mark.parametrize(("name", "old", "new"), LEGACY)
async def test_old_endpoints_are_queries(served, name, old, new):
    async with served() as s:
        await filled(s)
        base = "/collections/c/points/"
        rest = {"limit": 4, "with_payload": True}
        wanted = (await s.http.post(base + "query", json={**new, **rest})).json()["result"][
            "points"
        ]
        assert len(wanted) == 4
        found = await s.http.post(base + name, json={**old, **rest})
        assert found.json()["result"] == wanted
        batch = await s.http.post(f"{base}{name}/batch", json={"searches": [{**old, **rest}] * 2})
        assert batch.json()["result"] == [wanted, wanted]
        if name != "discover":
            grouped = {**old, "limit": 2, "group_by": "k", "group_size": 2}
            groups = (await s.http.post(f"{base}{name}/groups", json=grouped)).json()["result"]
            assert {group["id"] for group in groups["groups"]} == {0, 1}


async def test_a_request_that_takes_too_long_is_given_up(served):
    async with served() as s:
        await filled(s)
        collection = await s.store.get_collection("c")
        block = {"query": [1, 0, 0], "limit": 1}
        ended = anyio.Event()

        async def never(*_, **__):
            try:
                await anyio.sleep_forever()
            finally:
                ended.set()

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(type(collection), "query", never)
            reply = await s.http.post("/collections/c/points/query?timeout=1", json=block)
        assert ended.is_set()
        assert reply.status_code == 408
        assert reply.json()["status"]["error"].startswith("Timeout: not done after 1.")
        reply = await s.http.post("/collections/c/points/query?timeout=60", json=block)
        assert reply.status_code == 200
        longest = "9" * 20
        reply = await s.http.post(f"/collections/c/points/query?timeout={longest}", json=block)
        assert reply.status_code == 200


async def test_a_path_served_by_other_methods_names_them(served):
    async with served() as s:
        reply = await s.http.patch("/collections/c/points")
        assert reply.status_code == 405
        assert reply.headers["allow"] == "POST, PUT"


async def test_a_long_reply_is_made_in_slices(served):
    """It is the same as a short one, and other tasks run meanwhile."""
    async with served() as s:
        body = {"vectors": {"size": 64, "distance": "Dot"}}
        await s.http.put("/collections/c", json=body)
        collection = await s.store.get_collection("c")
        vectors = np.random.default_rng(1).standard_normal((6000, 64)).astype(np.float32)
        await collection.upsert_arrays(np.arange(6000, dtype=np.uint64), vectors)
        wanted = {"query": [1.0] * 64, "with_vector": True, "with_payload": True}
        turns = []

        async def watch():
            while True:
                turns.append(time.perf_counter())
                await anyio.lowlevel.checkpoint()

        found = await collection.query(wanted["query"], limit=6000, with_vectors=True)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watch)
            await replies.scored(found)
            tasks.cancel_scope.cancel()
        assert len(turns) > 20
        long = await s.http.post("/collections/c/points/query", json={**wanted, "limit": 6000})
        short = await s.http.post("/collections/c/points/query", json={**wanted, "limit": 20})
        points = long.json()["result"]["points"]
        assert len(points) == 6000
        assert points[:20] == short.json()["result"]["points"]
        page = {"limit": 6000, "with_vector": True}
        scrolled = await s.http.post("/collections/c/points/scroll", json=page)
        assert len(scrolled.json()["result"]["points"]) == 6000


async def test_a_collection_named_like_an_alias(served):
    async with served() as s:
        await filled(s)
        actions = [{"create_alias": {"collection_name": "c", "alias_name": "a"}}]
        reply = await s.http.post("/collections/aliases?timeout=1", json={"actions": actions})
        assert reply.json()["result"] is True
        assert await s.refused("PUT", "/collections/a", {}) == (
            400,
            "Wrong input: Can't create collection with name a. Alias with the same name already "
            "exists",
        )
        listed = {"aliases": [{"alias_name": "a", "collection_name": "c"}]}
        for path in ("/aliases", "/collections/c/aliases"):
            assert (await s.http.get(path)).json()["result"] == listed
        assert (await s.http.get("/collections/a/exists")).json()["result"] == {"exists": True}
        assert (await s.http.get("/collections/a")).json()["result"]["points_count"] == 9
