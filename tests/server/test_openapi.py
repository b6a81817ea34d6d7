"""What the server says of itself: all that it answers, and nothing else."""

import itertools

import anyio
import httpx
import jsonschema_rs
import pytest
from anyio.from_thread import start_blocking_portal

import asyncstore
from api_fuzzer import KEYS, Fuzzer, operations, spoiled, whole
from asyncstore.server import create_app
from asyncstore.server.access import Need
from asyncstore.server.app import ENDPOINTS
from described import DOCUMENT

REQUESTS = 8


def every(tree):
    """All objects of a tree."""
    if isinstance(tree, dict):
        yield tree
        tree = list(tree.values())
    if isinstance(tree, list):
        yield from itertools.chain.from_iterable(map(every, tree))


def schema_of(path, method="post"):
    operation = DOCUMENT["paths"]["/collections/{collection_name}" + path][method]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    return jsonschema_rs.validator_for({**schema, "components": DOCUMENT["components"]})


def test_every_endpoint_is_described():
    described = {
        (method.upper(), path) for path, one in DOCUMENT["paths"].items() for method in one
    }
    assert described == {(endpoint.method, endpoint.path) for endpoint in ENDPOINTS}
    for path, method, operation in (
        (path, method, operation)
        for path, one in DOCUMENT["paths"].items()
        for method, operation in one.items()
    ):
        assert operation["summary"], (method, path)
        named = {one["name"] for one in operation["parameters"] if one["in"] == "path"}
        assert all("{" + name + "}" in path for name in named)
        assert path.count("{") == len(named)
        (endpoint,) = (e for e in ENDPOINTS if (e.method, e.path) == (method.upper(), path))
        is_empty = endpoint.body is None and endpoint.form is None
        assert ("requestBody" in operation) == (not is_empty)
    ids = [
        operation["operationId"] for one in DOCUMENT["paths"].values() for operation in one.values()
    ]
    assert len(ids) == len(set(ids))


def test_every_reference_leads_somewhere_and_every_schema_is_one():
    for one in every(DOCUMENT):
        if "$ref" in one:
            place = DOCUMENT
            for step in one["$ref"].removeprefix("#/").split("/"):
                place = place[step]
    for schema in DOCUMENT["components"]["schemas"].values():
        jsonschema_rs.meta.validate(
            {**schema, "$schema": "https://json-schema.org/draft/2020-12/schema"}
        )


GOOD = [
    ("/points/query", {"query": [0.5], "filter": {"must": [{"key": "a", "match": {"value": 1}}]}}),
    ("/points/query", {"query": {"nearest": 7, "mmr": {"diversity": 0.5}}, "limit": 2**64 - 1}),
    ("/points/query", {"query": {"fusion": "rrf"}, "prefetch": [{"query": [[1]], "limit": 2}]}),
    ("/points/query", {"query": {"formula": {"sum": ["$score", {"mult": [2, "n"]}]}}}),
    ("/points/query", {"query": {"indices": [1], "values": [0.5]}, "using": "s"}),
    ("/points/query/groups", {"group_by": "a", "with_lookup": "other"}),
    ("/points/search", {"vector": {"name": "a", "vector": [1]}, "limit": 1}),
    ("/points/scroll", {"filter": {"should": {"has_id": [1, "x"]}}, "order_by": "n"}),
    ("/points/scroll", {"filter": {"must": {"nested": {"key": "a", "filter": {}}}}}),
    ("/points/batch", {"operations": [{"clear_payload": {"points": [1]}}]}),
]
BAD = [
    ("/points/query", {"query": {"near": 7}}),
    ("/points/query", {"limit": 0}),
    ("/points/query", {"limit": "1"}),
    ("/points/query", {"query": -1}),
    ("/points/query", {"filter": {"must": [{"key": 7}]}}),
    ("/points/query", {"filter": []}),
    ("/points/query", {"query": {"fusion": "sum"}}),
    ("/points/query", {"params": {"hnsw_ef": 0}}),
    ("/points/query/groups", {}),
    ("/points/search", {"limit": 1}),
    ("/points/scroll", {"filter": {"should": {"has_id": [-1]}}}),
    ("/points/batch", {"operations": [{"do": {}}]}),
]


@pytest.mark.parametrize(("path", "body"), GOOD)
def test_what_is_right_is_told_to_be(path, body):
    schema_of(path).validate(body)


@pytest.mark.parametrize(("path", "body"), BAD)
def test_what_is_wrong_is_told_to_be(path, body):
    assert not schema_of(path).is_valid(body)


@pytest.fixture(scope="module")
def fuzzer(tmp_path_factory):
    """The server of a store within this process, whose loop is another thread's."""
    with start_blocking_portal() as portal:
        folder = tmp_path_factory.mktemp("fuzzed") / "store"
        opening = asyncstore.open_store(folder, config={"service": KEYS})
        with portal.wrap_async_context_manager(opening) as store:
            transport = httpx.ASGITransport(app=create_app(store))
            client = httpx.AsyncClient(transport=transport, base_url="http://store")

            def send(method, url, **rest):
                async def request():
                    with anyio.fail_after(60):
                        return await client.send(whole(client.build_request(method, url, **rest)))

                return portal.call(request)

            yield Fuzzer(send)
            portal.call(client.aclose)


@pytest.mark.parametrize("operation", operations(DOCUMENT), ids=lambda one: one.label)
def test_no_reply_is_another_than_what_is_said(fuzzer, operation):
    fuzzer.run(operation, REQUESTS, seed=20261123)


def test_requests_are_spoiled_at_one_place():
    import random

    body = {"a": [1, {"b": 2}], "c": 3}
    for seed in range(100):
        copy = spoiled(body, random.Random(seed))
        assert copy is not body
        assert body == {"a": [1, {"b": 2}], "c": 3}


def responses_of(path, method="get"):
    return DOCUMENT["paths"][path][method]["responses"]


def test_what_is_accepted_is_said_where_it_may_be():
    """By the parameter that asks for it."""
    for path, one in DOCUMENT["paths"].items():
        for method, operation in one.items():
            waits = {"wait"} <= {parameter["name"] for parameter in operation["parameters"]}
            is_later = waits and "snapshots" in path
            assert ("202" in operation["responses"]) == is_later, (method, path)


def test_files_and_texts_are_told_from_json():
    binary, text = "application/octet-stream", "text/plain"
    for path in (
        "/snapshots/{snapshot_name}",
        "/collections/{collection_name}/snapshots/{snapshot_name}",
    ):
        assert list(responses_of(path)["200"]["content"]) == [binary]
        assert set(responses_of(path)["206"]["content"]) == {binary, "multipart/byteranges"}
        assert "416" in responses_of(path)
    for path in ("/healthz", "/livez", "/readyz", "/metrics"):
        assert list(responses_of(path)["200"]["content"]) == [text]
    assert set(responses_of("/readyz")["503"]["content"]) == {text, "application/json"}
    upload = DOCUMENT["paths"]["/collections/{collection_name}/snapshots/upload"]["post"]
    (form,) = upload["requestBody"]["content"].values()
    assert "multipart/form-data" in upload["requestBody"]["content"]
    fields = DOCUMENT["components"]["schemas"][form["schema"]["$ref"].rsplit("/", 1)[1]]
    assert fields["properties"] == {"snapshot": {"type": "string", "format": "binary"}}


def test_refusals_follow_from_what_is_asked():
    of_any = {"400", "408", "431", "500", "503"}
    refused = {
        ("/healthz", "get"): set(),
        ("/collections", "get"): {"401", "422"},
        ("/issues", "delete"): {"401", "403"},
        ("/collections/{collection_name}", "put"): {"401", "403", "409", "413", "422"},
        ("/collections/{collection_name}", "delete"): {"401", "403", "422"},
        ("/collections/{collection_name}", "patch"): {"401", "403", "404", "413", "422"},
        ("/collections/{collection_name}/exists", "get"): {"401", "422"},
        ("/collections/aliases", "post"): {"401", "403", "404", "409", "413", "422"},
        ("/snapshots/{snapshot_name}", "delete"): {"401", "403", "404"},
    }
    for (path, method), wanted in refused.items():
        told = {status for status in responses_of(path, method) if status >= "4"}
        assert told == of_any | wanted, path


def test_who_needs_no_key_is_told():
    for endpoint in ENDPOINTS:
        operation = DOCUMENT["paths"][endpoint.path][endpoint.method.lower()]
        assert (operation.get("security") == []) == (endpoint.need is Need.NOTHING)


ALIASES = [
    ({"create_alias": {"collection_name": "c", "alias_name": "a"}}, True),
    ({"delete_alias": {"alias_name": "a"}}, True),
    ({"rename_alias": {"old_alias_name": "a", "new_alias_name": "b"}}, True),
    ({"create_alias": {"alias_name": "a"}}, False),
    ({"make_alias": {}}, False),
    (1, False),
]


@pytest.mark.parametrize(("action", "is_right"), ALIASES)
def test_actions_on_aliases(action, is_right):
    operation = DOCUMENT["paths"]["/collections/aliases"]["post"]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    validator = jsonschema_rs.validator_for({**schema, "components": DOCUMENT["components"]})
    assert validator.is_valid({"actions": [action]}) is is_right
