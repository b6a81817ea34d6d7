"""Requests that HTTP has and no client of ours sends; over sockets, as only these have them all."""

import json

import anyio
import pytest

from asyncstore.models import Distance, PointStruct, VectorParams
from asyncstore.server.app import ENDPOINTS
from described import operation_of, reply_of
from serving import listening

pytestmark = pytest.mark.asyncio


async def fill(store):
    collection = await store.create_collection(
        "c", vectors=VectorParams(size=2, distance=Distance.DOT)
    )
    await collection.upsert([PointStruct(id=1, vector=[1, 2])])
    await collection.create_snapshot()


async def exchange(port, request):
    """The head and the body that come back, until the connection is closed."""
    with anyio.fail_after(20):
        async with await anyio.connect_tcp("127.0.0.1", port) as stream:
            await stream.send(request)
            received = b""
            try:
                while True:
                    received += await stream.receive()
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                pass
    head, _, body = received.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines[1:])
    return int(lines[0].split()[1]), headers, body


def asked(method, path, body=b"", **headers):
    headers = {"host": "x", "connection": "close", **headers}
    if body and "transfer-encoding" not in headers:
        headers["content-length"] = str(len(body))
    told = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"{method} {path} HTTP/1.1\r\n{told}\r\n".encode("latin-1") + body


def path_of(endpoint):
    path = endpoint.path.replace("{collection_name}", "c").replace("{point_id}", "1")
    return path.replace("{field_name}", "n").replace("{snapshot_name}", "s.snapshot")


async def test_head_is_get_without_the_body(tmp_path):
    async with listening(tmp_path, fill) as port:
        name = next((tmp_path / "store/snapshots/c").glob("*.snapshot")).name
        for endpoint in ENDPOINTS:
            path = path_of(endpoint)
            if "snapshots/" in path:
                path = f"/collections/c/snapshots/{name}"
            if endpoint.method == "GET":
                status, headers, body = await exchange(port, asked("HEAD", path))
                told, full, content = await exchange(port, asked("GET", path))
                assert (status, body, told) == (200, b"", 200), path
                assert headers["content-type"] == full["content-type"]
                assert int(full["content-length"]) == len(content)


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE", "PROPFIND", "HEAD", "PATCH", "PUT"])
async def test_methods_that_a_path_has_not(tmp_path, method):
    served = {}
    for endpoint in ENDPOINTS:
        served.setdefault(path_of(endpoint), set()).add(endpoint.method)
    async with listening(tmp_path, fill) as port:
        for path in [*served, "/nowhere", "*"]:
            if operation_of(method, path) is not None:
                continue
            status, headers, body = await exchange(port, asked(method, path))
            if path in served:
                assert status == 405, path
                assert served[path] <= set(headers["allow"].upper().split(", "))
            else:
                assert status in (400, 404), path
            assert headers["content-type"] == "application/json"
            if method != "HEAD":
                assert set(json.loads(body)) == {"status", "time"}


@pytest.mark.parametrize(
    "line",
    [
        "CONNECT x:443 HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        "GET * HTTP/1.1",
        "GET collections HTTP/1.1",
        "GET http://x HTTP/1.1",
        "GET /collections HTTP/1.0",
        "GET /collections HTTP/9.9",
        "GET /\xe9 HTTP/1.1",
        "GET /%C3%28%00%FF HTTP/1.1",
        "GET /collections/%ED%A0%80/exists HTTP/1.1",
        "GET /collections?timeout=%FF&&=&a HTTP/1.1",
        "GET /../../etc/passwd HTTP/1.1",
        "get /collections HTTP/1.1",
        "NONE /collections HTTP/1.1",
        "PRI * HTTP/2.0",
    ],
)
async def test_lines_that_hardly_are_requests(tmp_path, line):
    async with listening(tmp_path) as port:
        request = line.encode("latin-1") + b"\r\nhost: x\r\nconnection: close\r\n\r\n"
        status, headers, body = await exchange(port, request)
        assert status < 500, body
        assert headers["content-type"] == "application/json"
        assert isinstance(json.loads(body), dict)


COUNT = "/collections/c/points/count"


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/xml", "application/json; charset=utf-16", "", "\xff", "a/b/c; ="],
)
async def test_what_a_body_calls_itself_does_not_count(tmp_path, kind):
    """Clients leave it out, or set what their library has; JSON is what a body is taken for."""
    async with listening(tmp_path, fill) as port:
        request = asked("POST", COUNT, b"{}", **{"content-type": kind})
        status, _, body = await exchange(port, request)
        assert (status, json.loads(body)["result"]) == (200, {"count": 1})
        upload = asked("POST", "/collections/c/snapshots/upload", b"{}", **{"content-type": kind})
        status, _, body = await exchange(port, upload)
        assert status == 400
        assert "multipart/form-data" in json.loads(body)["status"]["error"]


CHUNKED = {"transfer-encoding": "chunked"}


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (b"2\r\n{}\r\n0\r\n\r\n", 200),
        (b"1\r\n{\r\n1;note=x\r\n}\r\n0\r\n\r\n", 200),
        (b"2\r\n{}\r\n0\r\nafter: x\r\n\r\n", 200),
        (b"0\r\n\r\n", 400),
        (b"2\r\n{]\r\n0\r\n\r\n", 400),
        (b"x\r\n{}\r\n0\r\n\r\n", 400),
        (b"-2\r\n{}\r\n0\r\n\r\n", 400),
        (b"ffffffffffffffffff\r\n{}\r\n0\r\n\r\n", 400),
    ],
)
async def test_bodies_in_chunks(tmp_path, body, wanted):
    async with listening(tmp_path, fill) as port:
        status, headers, text = await exchange(port, asked("POST", COUNT, body, **CHUNKED))
        assert status == wanted, text
        assert headers["content-type"] == "application/json"


async def test_chunks_that_are_too_many(tmp_path):
    part = b"40000\r\n" + b" " * 0x40000 + b"\r\n"
    async with listening(tmp_path, fill, max_request_size_mb=1) as port:
        body = part * 5 + b"0\r\n\r\n"
        status, headers, _ = await exchange(port, asked("POST", COUNT, body, **CHUNKED))
        assert (status, headers["connection"]) == (413, "close")


@pytest.mark.parametrize("headers", [{}, CHUNKED])
async def test_bodies_where_none_is_asked_for_are_passed_over(tmp_path, headers):
    body = b"2\r\n{}\r\n0\r\n\r\n" if headers else b"GET /nowhere HTTP/1.1\r\n\r\n"
    async with listening(tmp_path, fill) as port:
        for endpoint in ENDPOINTS:
            if endpoint.body is not None or endpoint.form is not None:
                continue
            operation = operation_of(endpoint.method, path_of(endpoint))
            status, told, _ = await exchange(
                port, asked(endpoint.method, path_of(endpoint), body, **headers)
            )
            assert status < 500, path_of(endpoint)
            assert told["content-type"].split(";")[0] in reply_of(operation, status)["content"]


async def test_the_next_request_is_not_in_the_body_of_one_that_asks_for_none(tmp_path):
    async with listening(tmp_path, fill) as port:
        hidden = b"GET /nowhere HTTP/1.1\r\nhost: x\r\n\r\n"
        first = asked("GET", "/healthz", hidden, connection="keep-alive")
        status, _, rest = await exchange(port, first + asked("GET", "/livez"))
        assert status == 200
        assert rest.count(b"HTTP/1.1 200") == 1
        assert b"404" not in rest
