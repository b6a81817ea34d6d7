"""What of a body is decoded late: as the rest of it would be, but for flat lists of numbers."""

import json

import msgspec
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from asyncstore.server.failures import RequestError
from asyncstore.server.values import value_of, vectors_of

FLOAT_MAX = float(np.finfo(np.float32).max)
SPACE = st.sampled_from(["", " ", "\n", "\t\r ", "  "])
# Numbers of every spelling that JSON has.
INTEGERS = st.integers(-(2**70), 2**70).map(str)
FLOATS = st.floats(-FLOAT_MAX, FLOAT_MAX).map(repr)
SPELLED = st.from_regex(
    r"-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1})?", fullmatch=True
)
NUMBERS = INTEGERS | FLOATS | SPELLED
OTHERS = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text() | st.floats(-10, 10),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def raw(text):
    return msgspec.Raw(text if isinstance(text, bytes) else text.encode())


def flat(text):
    """What a flat list of numbers is, by way of Python's floats."""
    return np.asarray(json.loads(text, parse_int=float), np.float64).astype(np.float32)


@given(st.lists(st.tuples(SPACE, NUMBERS, SPACE).map("".join), min_size=1))
@example(["-0.0", "0", "-0"])
@example(["1e38", "3.4028234663852886e38", "-1E+2", "16777217", "1.00000005960464477539"])
def test_a_flat_list_of_numbers_is_an_array(members):
    text = f"[{','.join(members)}]"
    value = value_of(raw(text))
    assert isinstance(value, np.ndarray)
    assert (value.dtype, value.ndim) == (np.float32, 1)
    assert value.tobytes() == flat(text).tobytes()


@given(OTHERS)
@example([])
@example([1, None])
@example([1, True])
@example([[1.5]])
@example(["1"])
@example({"indices": [2**32 - 1], "values": [1]})
def test_all_else_is_what_it_is_elsewhere(given):
    text = json.dumps(given)
    value, wanted = value_of(raw(text)), json.loads(text)
    if isinstance(value, np.ndarray):
        assert all(type(one) in (int, float) for one in wanted)
        assert value.tobytes() == flat(text).tobytes()
    else:
        assert value == wanted


@pytest.mark.parametrize("given", [None, 1, [1.0], {"a": 1}, "[1]"])
def test_what_is_decoded_already_stays(given):
    assert value_of(given) is given


@pytest.mark.parametrize("text", ["[3.5e38]", "[1, -1e300]", "[1e-400]", "[123456789012345678901]"])
def test_numbers_that_are_no_float32_are_left_to_the_collection(text):
    value = value_of(raw(text))
    if isinstance(value, np.ndarray):
        assert np.isfinite(value).all()
    assert list(value) == pytest.approx(json.loads(text))


@pytest.mark.parametrize(
    "text",
    [b"[1e999]", b"[-1e999, 1]", b"1e400", b'["\xff"]', b'"\xff"', b'{"a": "\xed\xa0\x80"}'],
)
def test_what_is_no_value_is_refused(text):
    for decoded in (value_of, vectors_of):
        with pytest.raises(RequestError) as error:
            decoded(raw(text))
        assert error.value.failure.status == 400
        assert error.value.failure.text.startswith("Format error in JSON body: ")


def test_vectors_by_name():
    told = vectors_of(raw('{"a": [1, 2.5], "m": [[1], [2]], "s": {"indices": [1], "values": [2]}}'))
    assert told["a"].tolist() == [1.0, 2.5]
    assert told["a"].dtype == np.float32
    assert told["m"] == [[1], [2]]
    assert told["s"] == {"indices": [1], "values": [2]}
    sparse = '{"indices": [4294967295, 0], "values": [0.5, 1]}'
    assert vectors_of(raw(sparse)) == json.loads(sparse)
    assert vectors_of(raw("{}")) == {}
    assert vectors_of(raw("null")) is None


# A place for a vector in each request that carries one: of the vector's name and the text.
PLACES = {
    "query": ("POST", "/points/query", b'{"query": %(vector)s, "using": "%(name)s"}'),
    "query batch": (
        "POST",
        "/points/query/batch",
        b'{"searches": [{"query": %(vector)s, "using": "%(name)s"}]}',
    ),
    "nearest": (
        "POST",
        "/points/query",
        b'{"query": {"nearest": %(vector)s}, "using": "%(name)s"}',
    ),
    "prefetch": (
        "POST",
        "/points/query",
        b'{"prefetch": {"query": %(vector)s, "using": "%(name)s"}, "query": {"fusion": "rrf"}}',
    ),
    "search": (
        "POST",
        "/points/search",
        b'{"vector": {"name": "%(name)s", "vector": %(vector)s}, "limit": 3}',
    ),
    "upsert": ("PUT", "/points", b'{"points": [{"id": 9, "vector": {"%(name)s": %(vector)s}}]}'),
    "columns": (
        "PUT",
        "/points",
        b'{"batch": {"ids": [9], "vectors": {"%(name)s": [%(vector)s]}}}',
    ),
    "vectors": (
        "PUT",
        "/points/vectors",
        b'{"points": [{"id": 1, "vector": {"%(name)s": %(vector)s}}]}',
    ),
    "operations": (
        "POST",
        "/points/batch",
        b'{"operations": ['
        b'{"upsert": {"batch": {"ids": [9], "vectors": {"%(name)s": [%(vector)s]}}}},'
        b'{"update_vectors": {"points": [{"id": 1, "vector": {"%(name)s": %(vector)s}}]}}]}',
    ),
}
GOOD = {
    b"": b"[0.5, 2]",
    b"d": b"[1, 2, 3]",
    b"m": b"[[1, 2], [3, 4.5]]",
    b"s": b'{"indices": [4294967295, 7], "values": [0.25, 1]}',
}
# What stands in the place of one number.
NO_NUMBERS = [b"1e999", b"-1e999", b'"\xff"', b'{"\xff": 1}', b'"\\ud800"']


async def filled(served):
    vectors = {
        "": {"size": 2, "distance": "Dot"},
        "d": {"size": 3, "distance": "Dot"},
        "m": {"size": 2, "distance": "Dot", "multivector_config": {"comparator": "max_sim"}},
    }
    body = {"vectors": vectors, "sparse_vectors": {"s": {}}}
    assert (await served.http.put("/collections/c", json=body)).status_code == 200
    vector = {name.decode(): json.loads(vector) for name, vector in GOOD.items()}
    reply = await served.http.put(
        "/collections/c/points", json={"points": [{"id": 1, "vector": vector}]}
    )
    assert reply.status_code == 200, reply.text


@pytest.mark.asyncio
@pytest.mark.parametrize("place", PLACES)
async def test_vectors_of_every_kind_at_every_place(served, place):
    method, path, body = PLACES[place]
    async with served() as s:
        await filled(s)
        for name, vector in GOOD.items():
            if place == "search" and name == b"m":
                continue  # older clients knew none
            content = body % {b"name": name, b"vector": vector}
            reply = await s.http.request(method, "/collections/c" + path, content=content)
            assert reply.status_code == 200, (place, name, reply.text)
        point = (await s.http.get("/collections/c/points/1")).json()["result"]["vector"]
        assert point["s"] == {"indices": [7, 2**32 - 1], "values": [1.0, 0.25]}
        assert (point[""], point["m"]) == ([0.5, 2.0], [[1.0, 2.0], [3.0, 4.5]])
        reply = await s.http.get("/collections/c/points/9")
        if reply.status_code == 200:  # it was written; each time with another vector
            assert reply.json()["result"]["vector"]["s"] == point["s"]


@pytest.mark.asyncio
@pytest.mark.parametrize("place", PLACES)
async def test_what_is_no_number_is_refused_at_every_place(served, place):
    method, path, body = PLACES[place]
    async with served() as s:
        await filled(s)
        for name, vector in GOOD.items():
            for wrong in NO_NUMBERS:
                spoiled = vector.replace(b"2]", wrong + b"]").replace(b"4.5", wrong)
                spoiled = spoiled.replace(b", 3]", b", " + wrong + b"]").replace(b"0.25", wrong)
                assert spoiled != vector
                content = body % {b"name": name, b"vector": spoiled}
                reply = await s.http.request(method, "/collections/c" + path, content=content)
                assert reply.status_code == 400, (place, content, reply.text)
        assert (await s.http.post("/collections/c/points/count", json={})).json()["result"] == {
            "count": 1
        }


@pytest.mark.asyncio
async def test_names_that_are_no_text_are_refused(served):
    async with served() as s:
        await filled(s)
        for body in (
            b'{"operations": [{"set_payload": {"payload": {"a": "\xff"}, "points": [1]}}]}',
            b'{"operations": [{"delete_vectors": {"vector": ["\xff"], "points": [1]}}]}',
            b'{"operations": [{"\xff": {}}]}',
            b'{"operations": [{"upsert": {"points": [{"id": 9, "vector": {"\xff": [1]}}]}}]}',
        ):
            reply = await s.http.post("/collections/c/points/batch", content=body)
            assert reply.status_code == 400, (body, reply.text)
            assert reply.json()["status"]["error"].startswith("Format error in JSON body: ")
