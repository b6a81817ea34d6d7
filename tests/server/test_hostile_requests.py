"""Requests that are wrong in every way: each is refused in the envelope, and nothing is changed."""

import json

import jsonschema_rs
import pytest

from api_fuzzer import WRONG
from asyncstore.server.app import ENDPOINTS
from asyncstore.server.nesting import NESTING_MAX, is_too_deep
from described import DOCUMENT

WITH_BODY = [endpoint for endpoint in ENDPOINTS if endpoint.body is not None]
OF_COLLECTION = [endpoint for endpoint in ENDPOINTS if "{collection_name}" in endpoint.path]
SEARCHES = [endpoint for endpoint in WITH_BODY if endpoint.path.endswith("/batch")]
SEARCHES = [endpoint for endpoint in SEARCHES if not endpoint.path.endswith("points/batch")]

# What a body must have; by the end of the path, and the method where that is not enough.
REQUIRED = {
    "/index": {"field_name": "n"},
    "PUT /points": {"points": [{"id": 1, "vector": [1, 2]}]},
    "POST /points": {"ids": [1]},
    "/points/delete": {"points": [77]},
    "/points/vectors": {"points": [{"id": 1, "vector": [1, 2]}]},
    "/points/vectors/delete": {"points": [1], "vector": [""]},
    "/points/payload": {"payload": {"a": 1}, "points": [1]},
    "/points/payload/delete": {"keys": ["a"], "points": [1]},
    "/points/payload/clear": {"points": [1]},
    "/points/batch": {"operations": []},
    "/facet": {"key": "n"},
    "/batch": {"searches": []},
    "/query/groups": {"group_by": "n"},
    "/search/groups": {"vector": [1, 2], "limit": 1, "group_by": "n"},
    "/recommend/groups": {"positive": [1], "limit": 1, "group_by": "n"},
    "/points/search": {"vector": [1, 2], "limit": 1},
    "/points/recommend": {"positive": [1], "limit": 1},
    "/points/discover": {"target": 1, "limit": 1},
    "/collections/aliases": {"actions": []},
    "/snapshots/recover": {"location": "file:///nowhere"},
}


def named(endpoints):
    return pytest.mark.parametrize(
        "endpoint", endpoints, ids=[f"{one.method} {one.path}" for one in endpoints]
    )


def path_of(endpoint, collection="c"):
    path = endpoint.path.replace("{collection_name}", collection)
    return (
        path.replace("{point_id}", "1").replace("{field_name}", "n").replace("{snapshot_name}", "s")
    )


def required_of(endpoint):
    for end, body in REQUIRED.items():
        method, _, tail = end.rpartition(" ")
        if endpoint.path.endswith(tail) and method in ("", endpoint.method):
            return body
    return {}


class Watched:
    """A server, and what its store holds."""

    def __init__(self, served):
        self.http, self.store = served.http, served.store

    async def fill(self):
        await self.http.put("/collections/c", json={"vectors": {"size": 2, "distance": "Dot"}})
        points = [{"id": i, "vector": [i, 1], "payload": {"n": i, "a": {}}} for i in range(5)]
        await self.http.put("/collections/c/points", json={"points": points})
        await self.http.put("/collections/c/index?wait=true", json={"field_name": "n"})
        self.before = await self.contents()

    async def contents(self):
        everything = {"limit": 100, "with_vector": True}
        page = await self.http.post("/collections/c/points/scroll", json=everything)
        info = (await self.http.get("/collections/c")).json()["result"]
        names = (await self.http.get("/collections")).json()["result"]
        return page.json()["result"], info["payload_schema"], info["config"], names

    async def refused(self, method, path, content, statuses):
        """The text of a refusal by one of these statuses."""
        if not isinstance(content, bytes | type(None)):
            content = json.dumps(content).encode()
        reply = await self.http.request(method, path, content=content)
        shown = (method, path, (content or b"")[:200], reply.text[:300])
        assert reply.status_code in statuses, shown
        assert reply.headers["content-type"] == "application/json"
        told = reply.json()
        assert set(told) == {"status", "time"}, shown
        assert set(told["status"]) == {"error"}
        return told["status"]["error"]

    async def check_unchanged(self):
        assert await self.contents() == self.before


@pytest.fixture
def watched(served):
    from contextlib import asynccontextmanager

    @asynccontextmanager
    async def opening(**service):
        async with served(**service) as s:
            one = Watched(s)
            await one.fill()
            yield one

    return opening


DEEP = NESTING_MAX + 1
NO_JSON = [b"", b" ", b"{", b'{"a"', b'{"a":1', b'{"a":1}}', b"{}{}", b"\xff", b'"\xed\xa0\x80"']
NO_JSON += [b'{"limit": NaN}', b'{"limit": 01}', b"{'a': 1}", b"null", b"1", b'"x"', b"[]", b"[{}]"]
NO_JSON += [b"\xef\xbb\xbf{}", b"{}\x00", b"{\x00}"]
TOO_DEEP = [
    b"[" * DEEP + b"]" * DEEP,
    b'{"unknown":' * DEEP + b"1" + b"}" * DEEP,
    b'{"filter":' + b'{"must":[' * 100 + b"{}" + b"]}" * 100 + b"}",
    b'{"a": "\\"]]]", "b": ' + b"[" * DEEP + b"]" * DEEP + b"}",
    b"[" * 1_000_000,
    b'{"a":' * 1_000_000,
]


@pytest.mark.asyncio
@named(WITH_BODY)
async def test_bodies_that_are_no_json(watched, endpoint):
    async with watched() as w:
        whole = json.dumps(required_of(endpoint)).encode()
        for body in [*NO_JSON, *(whole[:end] for end in range(len(whole)))]:
            text = await w.refused(endpoint.method, path_of(endpoint), body, {400})
            assert text.startswith("Format error in JSON body: "), text
        for body in TOO_DEEP:
            text = await w.refused(endpoint.method, path_of(endpoint), body, {400})
            assert text.endswith(f"nested too deeply, at most {NESTING_MAX} levels")
        await w.check_unchanged()


@pytest.mark.asyncio
@named(WITH_BODY)
async def test_wrong_types_and_values_out_of_bounds(watched, endpoint):
    """Whatever the description does not allow for a member of a body is refused."""
    operation = DOCUMENT["paths"][endpoint.path][endpoint.method.lower()]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    body_schema = DOCUMENT["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    required = required_of(endpoint)
    asked = 0
    # What makes a collection is asked of one that is not there yet.
    path = path_of(endpoint, "d" if endpoint.path.endswith("{collection_name}") else "c")
    async with watched() as w:
        for key, of_key in body_schema["properties"].items():
            validator = jsonschema_rs.validator_for(
                {**of_key, "components": DOCUMENT["components"]}
            )
            for wrong in WRONG:
                if not validator.is_valid(wrong):
                    await w.refused(endpoint.method, path, {**required, key: wrong}, {400, 422})
                    asked += 1
        await w.check_unchanged()
    assert asked > 0


@pytest.mark.asyncio
@named(WITH_BODY)
async def test_members_that_are_missing(watched, endpoint):
    async with watched() as w:
        hints = endpoint.body.__struct_fields__[: -len(endpoint.body.__struct_defaults__) or None]
        for key in required_of(endpoint).keys() & set(hints):
            rest = {name: one for name, one in required_of(endpoint).items() if name != key}
            await w.refused(endpoint.method, path_of(endpoint), rest, {400, 422})
        await w.check_unchanged()


# Of names that lead out of a folder, or into another one.
NO_NAMES = [
    ("..%2F..%2Fetc", 'collection_name: collection name cannot contain "/" char'),
    ("%2Fetc%2Fpasswd", 'cannot contain "/" char'),
    ("a%2fb", 'cannot contain "/" char'),
    ("a%00b", r'collection_name: collection name cannot contain "\x00" char'),
    ("x" * 256, "must be from 1 to 255 characters"),
]


@pytest.mark.asyncio
@named(OF_COLLECTION)
async def test_names_that_no_collection_has(watched, endpoint):
    async with watched() as w:
        body = required_of(endpoint) if endpoint.body is not None else None
        for name, said in NO_NAMES:
            text = await w.refused(endpoint.method, path_of(endpoint, name), body, {422})
            assert text.startswith("Validation error in path parameters: ["), text
            assert said in text
        await w.check_unchanged()


@pytest.mark.asyncio
async def test_names_that_no_new_collection_gets(watched, tmp_path):
    async with watched() as w:
        for character in '<>:"\\|?*\x1f':
            name = f"a%{ord(character):02X}b"
            text = await w.refused("PUT", f"/collections/{name}", {}, {422})
            assert "collection name cannot contain" in text
        await w.check_unchanged()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["store"]


@pytest.mark.asyncio
async def test_names_of_dots_stay_inside(watched, tmp_path):
    async with watched() as w:
        for name in ("%2e%2e", "%2E", "...", "~", "-rf", "con"):
            reply = await w.http.put(f"/collections/{name}", json={})
            assert reply.status_code in {200, 404, 422}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["store"]


@pytest.mark.asyncio
async def test_an_encoded_slash_is_a_part_of_a_name(watched):
    async with watched() as w:
        field = '"x/y"'
        body = {"field_name": field, "field_schema": "keyword"}
        await w.http.put("/collections/c/index", json=body)
        assert field in (await w.contents())[1]
        reply = await w.http.delete("/collections/c/index/%22x%2Fy%22")
        assert reply.status_code == 200
        await w.check_unchanged()


NO_PARAMETERS = [
    ("timeout=-1", 422),
    ("timeout=0", 422),
    ("timeout=1.5", 400),
    ("timeout=", 400),
    ("timeout=1e3", 400),
    ("timeout=" + "9" * 5000, 400),
    ("timeout=%00", 400),
    ("timeout=%FF", 400),
]


@pytest.mark.asyncio
@named(OF_COLLECTION)
async def test_parameters_of_no_value(watched, endpoint):
    async with watched() as w:
        body = required_of(endpoint) if endpoint.body is not None else None
        words = {"wait": "yes", "ordering": "strongest", "consistency": "0.5"}
        known = [one.name for one in endpoint.parameters]
        wrong = NO_PARAMETERS + [(f"{name}={words[name]}", 400) for name in known if name in words]
        for query, status in wrong:
            path = f"{path_of(endpoint)}?{query}"
            text = await w.refused(endpoint.method, path, body, {status})
            assert "query parameters: " in text
        await w.check_unchanged()


HUGE = [2**31, 2**32, 2**63 - 1, 2**63, 2**64 - 1]


@pytest.mark.asyncio
async def test_limits_that_nothing_reaches_take_no_memory(watched):
    oversampling = {"quantization": {"oversampling": 1e300}}
    async with watched() as w:
        for huge in HUGE:
            for path, body in (
                ("query", {"query": [1, 1], "limit": huge}),
                ("query", {"query": [1, 1], "limit": huge, "params": oversampling}),
                ("query", {"limit": huge, "offset": 0}),
                ("query", {"prefetch": {"query": [1, 1], "limit": huge}, "query": [1, 2]}),
                ("scroll", {"limit": huge}),
                ("search", {"vector": [1, 1], "limit": huge}),
                ("search/matrix/pairs", {"limit": huge}),
                ("query/groups", {"query": [1, 1], "group_by": "n", "limit": huge}),
                (
                    "query/groups",
                    {"query": [1, 1], "group_by": "n", "limit": huge, "group_size": huge},
                ),
            ):
                reply = await w.http.post(f"/collections/c/points/{path}", json=body)
                assert reply.status_code == 200, (path, body, reply.text)
                assert len(reply.content) < 10_000
            beyond = {"query": [1, 1], "offset": huge}
            reply = await w.http.post("/collections/c/points/query", json=beyond)
            assert reply.json()["result"] == {"points": []}
            reply = await w.http.post("/collections/c/facet", json={"key": "n", "limit": huge})
            assert len(reply.json()["result"]["hits"]) == 5


@pytest.mark.asyncio
@named(SEARCHES)
async def test_batches_of_too_many_searches(watched, endpoint):
    one = {"limit": 1, "vector": [1, 2], "positive": [1], "target": 1}
    async with watched(max_searches_per_batch=3) as w:
        reply = await w.http.post(path_of(endpoint), json={"searches": [one] * 3})
        assert reply.status_code == 200
        assert len(reply.json()["result"]) == 3
        text = await w.refused("POST", path_of(endpoint), {"searches": [one] * 4}, {422})
        assert "[searches: value 4 invalid, must be from 0 to 3]" in text


@pytest.mark.asyncio
@named(SEARCHES)
async def test_one_search_of_a_batch_that_is_wrong(watched, endpoint):
    """The error of one search is that of them all."""
    one = {"limit": 1, "vector": [1, 2], "positive": [1], "target": 1}
    async with watched() as w:
        other = {"using": "none"}
        if "search/" in endpoint.path:
            other = {"vector": {"name": "none", "vector": [1, 2]}}
        wrong = [one, {**one, **other}, {**one, **other}]
        text = await w.refused("POST", path_of(endpoint), {"searches": wrong}, {400})
        assert "Not existing vector name error: " in text


@pytest.mark.asyncio
async def test_codes_that_there_are_not(watched):
    async with watched() as w:
        for codes in ({}, {"scalar": {}, "binary": {}}, {"scalar": 1}, {"new": {}}, [], 1, "much"):
            for key in ("quantization_config", "quantization"):
                await w.refused("PUT", "/collections/d", {key: codes}, {400, 422})
        await w.check_unchanged()


@pytest.mark.parametrize(
    ("text", "is_deep"),
    [
        (b"[" * NESTING_MAX + b"]" * NESTING_MAX, False),
        (b"[" * DEEP + b"]" * DEEP, True),
        (b"[" + b"[]," * 500 + b"[]]", False),
        (b'["' + b"[" * 500 + b'"]', False),
        (b'["\\"' + b"[" * 500 + b'\\\\"]', False),
        (b'["\\\\", ' + b"[" * DEEP + b"]" * DEEP + b"]", True),
        (b'{"a": ' * DEEP + b"1" + b"}" * DEEP, True),
        (b'{"a": ' + b'{"b": [' * 64 + b"]}" * 64 + b"}", True),
        (b'{"b": [' * 64 + b"]}" * 64, False),
    ],
)
def test_how_deep_is_told_before_decoding(text, is_deep):
    assert is_too_deep(text) is is_deep
