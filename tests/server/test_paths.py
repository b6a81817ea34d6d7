"""Which endpoint a path leads to, and what becomes of those that lead nowhere."""

import pytest

from asyncstore.server.app import ENDPOINTS
from asyncstore.server.endpoint import Endpoint
from asyncstore.server.paths import Paths, path_of


async def answer(call):
    """Nothing is asked."""


TABLE = [
    Endpoint("GET", "/", answer),
    Endpoint("GET", "/a/{x}", answer),
    Endpoint("DELETE", "/a/{x}", answer),
    Endpoint("POST", "/a/fixed", answer),
    Endpoint("GET", "/a/{x}/b", answer),
    Endpoint("PUT", "/a/fixed/c", answer),
    Endpoint("GET", "/a/{one}/{two}", answer),
    Endpoint("PATCH", "/a/{whole}/{other}/c", answer),
]
PATHS = Paths(TABLE)


def found(method, path):
    """The path of the endpoint and the variable parts."""
    leading = PATHS.find(method, path)
    return None if leading is None else (leading[0].path, leading[1])


@pytest.mark.parametrize(
    ("method", "path", "leads_to"),
    [
        ("GET", "/", ("/", {})),
        ("GET", "/a/1", ("/a/{x}", {"x": "1"})),
        ("HEAD", "/a/1", ("/a/{x}", {"x": "1"})),
        ("DELETE", "/a/1", ("/a/{x}", {"x": "1"})),
        ("POST", "/a/fixed", ("/a/fixed", {})),
        # What is written out has not the method, or does not go on: then it is a variable part.
        ("GET", "/a/fixed", ("/a/{x}", {"x": "fixed"})),
        ("GET", "/a/fixed/b", ("/a/{x}/b", {"x": "fixed"})),
        ("PUT", "/a/fixed/c", ("/a/fixed/c", {})),
        ("GET", "/a/fixed/c", ("/a/{one}/{two}", {"one": "fixed", "two": "c"})),
        ("GET", "/a/1/2", ("/a/{one}/{two}", {"one": "1", "two": "2"})),
        ("PATCH", "/a/1/b/c", ("/a/{whole}/{other}/c", {"whole": "1", "other": "b"})),
        ("POST", "/a/1", None),
        ("get", "/a/1", None),
        ("GET", "/a", None),
        ("GET", "/b", None),
        ("GET", "/a/1/2/3", None),
        ("GET", "/a//b", None),
        ("GET", "//a/1", None),
        ("GET", "/a/{x}", ("/a/{x}", {"x": "{x}"})),
        # Of the server as a whole, or of none.
        ("GET", "*", None),
        ("GET", "", None),
        ("GET", "x/a/1", None),
    ],
)
def test_where_a_path_leads(method, path, leads_to):
    assert found(method, path) == leads_to


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/", ["GET", "HEAD"]),
        ("/a/1", ["DELETE", "GET", "HEAD"]),
        ("/a/fixed", ["DELETE", "GET", "HEAD", "POST"]),
        ("/a/fixed/c", ["GET", "HEAD", "PUT"]),
        ("/a/1/b/c", ["PATCH"]),
        ("/b", []),
        ("*", []),
    ],
)
def test_the_methods_of_a_path(path, methods):
    assert PATHS.methods(path) == methods


def test_a_path_and_a_method_have_one_endpoint():
    with pytest.raises(AssertionError):
        Paths([Endpoint("GET", "/a/{x}", answer), Endpoint("GET", "/a/{y}", answer)])


def test_every_endpoint_is_found_by_its_own_path():
    """Names in the place of variable parts; none of them is another endpoint's word."""
    paths = Paths(ENDPOINTS)
    for endpoint in ENDPOINTS:
        path = endpoint.path.replace("{", "x-").replace("}", "")
        leading, values = paths.find(endpoint.method, path)
        assert leading is endpoint
        assert all(value == f"x-{name}" for name, value in values.items())


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (b"/", "/"),
        (b"//", "/"),
        (b"/a", "/a"),
        (b"/a/", "/a"),
        (b"/a//", "/a"),
        (b"/a%20b", "/a b"),
        (b"/a%252Fb", "/a%2Fb"),
    ],
)
def test_a_slash_at_the_end_is_none(raw, path):
    from urllib.parse import unquote

    assert path_of({"path": unquote(raw.decode()), "raw_path": raw}) == path


def test_servers_need_not_tell_the_raw_path():
    assert path_of({"path": "/a/b/"}) == "/a/b"
    assert path_of({"path": "/a/b", "raw_path": None}) == "/a/b"


@pytest.mark.parametrize("slash", [b"%2F", b"%2f"])
@pytest.mark.parametrize("rest", [b"", b"%20", b"%FF", b"%C3%A9"])
def test_an_encoded_slash_is_part_of_a_name(slash, rest):
    from urllib.parse import unquote

    raw = b"/a/" + rest + slash + b"y" + slash + b"/b"
    path = path_of({"path": unquote(raw.decode()), "raw_path": raw})
    told = unquote(rest.decode())
    assert found("GET", path) == ("/a/{x}/b", {"x": f"{told}/y/"})


@pytest.mark.asyncio
async def test_over_http(served):
    async with served() as s:
        # "aliases" is written out for POST alone.
        assert (await s.http.put("/collections/aliases", json={})).status_code == 200
        assert (await s.http.get("/collections/aliases")).json()["result"]["status"] == "green"
        assert (await s.http.get("/collections/aliases/")).status_code == 200
        reply = await s.http.put("/collections/aliases/aliases", json={})
        assert reply.status_code == 405
        assert reply.headers["allow"] == "GET, HEAD"
        for path in ("/nowhere", "/collections//points", "/collections/c/points/1/2"):
            status, text = await s.refused("GET", path)
            assert (status, text) == (404, f"GET {path} is not served here")


@pytest.mark.asyncio
async def test_the_life_of_a_server_around_requests(served):
    """Nothing is to be done when it starts and stops, and both are answered."""
    async with served() as s:
        app, told = s.http._transport.app, []
        asked = iter(["startup", "shutdown"])

        async def receive():
            return {"type": f"lifespan.{next(asked)}"}

        async def send(message):
            told.append(message["type"])

        await app({"type": "lifespan"}, receive, send)
        assert told == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
        assert (await s.http.get("/collections")).status_code == 200
