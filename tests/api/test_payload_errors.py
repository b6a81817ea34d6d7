"""Bad payloads, points that are not there, empty lists: an error, and nothing changed."""

import math

import msgspec
import numpy as np
import pytest

from asyncstore import InvalidArgumentError, PointNotFoundError
from asyncstore import models as m
from cities import CITY, payload, payloads, vectors

pytestmark = pytest.mark.asyncio

A_UUID = "550e8400-e29b-41d4-a716-446655440000"


def deep(levels):
    value = {}
    for _ in range(levels - 1):
        value = {"a": value}
    return value


def cyclic():
    value = {}
    value["a"] = [value]
    return value


BAD_PAYLOADS = [
    ({"a": [1, {"b": math.nan}]}, "nan"),
    ({"a": math.inf, "b": None}, "inf"),
    ({"a": np.float32("-inf")}, "inf"),
    ({"a": "\ud800"}, "surrogates"),
    ({"\udfff": 1}, "surrogates"),
    ({"a": object()}, "a key or value of type object"),
    ({"a": np.arange(3)}, "a key or value of type ndarray"),
    ({"a": 1j}, "a key or value of type complex"),
    ({(1, 2): 1}, "a key or value of type tuple"),
    ({None: 1}, "a key or value of type NoneType"),
    ({"a": 10**5000}, "4300 digits"),
    (deep(65), "64"),
    (deep(5000), "nested too deeply"),
    (cyclic(), "nested too deeply"),
    ({"a": "x" * (16 << 20)}, "16777216"),
    ({"a": msgspec.Raw(b"{")}, "payload"),
    ([1], "must be a dict"),
    ("text", "must be a dict"),
    (5, "must be a dict"),
]


@pytest.mark.parametrize(("bad", "reason"), BAD_PAYLOADS, ids=[str(n) for n in range(19)])
async def test_a_bad_payload_changes_nothing_and_is_named(docs_with_payload, bad, reason):
    good = m.PointStruct(id=8, vector=[1, 1], payload={"a": 1})
    async with docs_with_payload as collection:
        for where, call in (
            (
                "points[1].payload: ",
                lambda: collection.upsert([good, m.PointStruct(id=9, vector=[1, 1], payload=bad)]),
            ),
            (
                "payloads[1]: ",
                lambda: collection.upsert_arrays([8, 9], np.ones((2, 2)), [{"a": 1}, bad]),
            ),
            ("payload: ", lambda: collection.set_payload(bad, points=[1])),
            ("payload: ", lambda: collection.overwrite_payload(bad, points=[1], key="a")),
        ):
            with pytest.raises(InvalidArgumentError) as caught:
                await call()
            assert str(caught.value).startswith(where)
            assert reason in str(caught.value)
        assert await payloads(collection) == [CITY, {"name": "Bern", "n": 2}, {}]


async def test_the_deepest_payload(docs_with_payload):
    async with docs_with_payload as collection:
        await collection.upsert([m.PointStruct(id=1, vector=[1, 1], payload=deep(64))])
        assert await payload(collection, 1) == deep(64)
        with pytest.raises(InvalidArgumentError, match="64"):
            await collection.set_payload(deep(63), points=[1], key="x.y")
        await collection.set_payload(deep(62), points=[1], key="x.y")
        assert await payload(collection, 1) == {**deep(64), "x": {"y": deep(62)}}


async def test_wrong_numbers_of_payloads(docs_with_payload):
    async with docs_with_payload as collection:
        for given in ([], [{}], [{}] * 3, "ab", 5, {"a": 1}):
            with pytest.raises(InvalidArgumentError, match="payloads: "):
                await collection.upsert_arrays([8, 9], np.ones((2, 2)), given)
        assert await collection.count() == 3


@pytest.mark.parametrize("missing", [[9], [1, 9, 2], [1, 1, 9], np.array([1, 9]), [1, A_UUID]])
async def test_points_that_are_not_there(docs_with_payload, missing):
    name = A_UUID if A_UUID in list(missing) else "9"
    async with docs_with_payload as collection:
        for call in (
            lambda: collection.set_payload({"n": 9}, points=missing),
            lambda: collection.overwrite_payload({"n": 9}, points=missing),
            lambda: collection.delete_payload(["name"], points=missing),
            lambda: collection.clear_payload(points=missing),
            lambda: collection.delete_vectors([""], points=missing),
            lambda: collection.update_vectors(
                [m.PointVectors(id=one, vector=[7, 7]) for one in missing]
            ),
        ):
            with pytest.raises(PointNotFoundError, match=f"No point with id {name} found"):
                await call()
        assert await payloads(collection) == [CITY, {"name": "Bern", "n": 2}, {}]
        assert await vectors(collection, [1, 2, 3]) == [[1, 0], [2, 0], [3, 0]]


async def test_one_missing_point_of_very_many(open_store, unnamed):
    rows = 5000
    async with open_store() as store:
        collection = await store.create_collection("many", vectors=unnamed(size=1))
        await collection.upsert_arrays(np.arange(rows), np.ones((rows, 1)))
        for call in (
            lambda: collection.set_payload({"n": 9}, points=np.arange(rows + 1)),
            lambda: collection.delete_payload(["n"], points=np.arange(rows + 1)),
        ):
            with pytest.raises(PointNotFoundError, match=f"No point with id {rows} found"):
                await call()
        assert await payloads(collection) == [{}] * rows


async def test_empty_lists_and_missing_arguments(docs_with_payload):
    async with docs_with_payload as collection:
        for call in (
            lambda: collection.set_payload({"n": 9}, points=[]),
            lambda: collection.overwrite_payload({"n": 9}, points=[]),
            lambda: collection.delete_payload(["n"], points=[]),
            lambda: collection.delete_payload([], points=[1]),
            lambda: collection.clear_payload(points=[]),
            lambda: collection.delete_vectors([""], points=[]),
            lambda: collection.delete_vectors([], points=[1]),
            lambda: collection.update_vectors([]),
            lambda: collection.update_vectors([m.PointVectors(id=1, vector={})]),
            lambda: collection.set_payload({"n": 9}),
            lambda: collection.clear_payload(),
            lambda: collection.delete_payload(["n"]),
            lambda: collection.delete_vectors([""]),
            lambda: collection.delete_payload("n", points=[1]),
            lambda: collection.delete_vectors("", points=[1]),
            lambda: collection.update_vectors([m.PointStruct(id=1, vector=[1, 1])]),
        ):
            with pytest.raises(InvalidArgumentError, match=r"empty|must|missing"):
                await call()
        for call in (
            lambda: collection.delete_vectors(["image"], points=[1]),
            lambda: collection.update_vectors([m.PointVectors(id=1, vector={"image": [1, 1]})]),
        ):
            with pytest.raises(InvalidArgumentError, match="Not existing vector name error: image"):
                await call()
        assert await payloads(collection) == [CITY, {"name": "Bern", "n": 2}, {}]
