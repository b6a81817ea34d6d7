"""Payload: what goes in comes out, whatever it is and however much of it."""

import collections
import datetime
import enum
import math
import types
import uuid

import msgspec
import numpy as np
import pytest

from asyncstore import InvalidArgumentError, PointNotFoundError
from asyncstore import models as m
from cities import CITY, payload, payloads

pytestmark = pytest.mark.asyncio

A_UUID = "550e8400-e29b-41d4-a716-446655440000"


@pytest.mark.parametrize(
    "value",
    [
        {"a": 0, "b": -1, "c": 2**63, "d": 2**64 - 1, "e": 2**64, "f": -(10**4000)},
        {"a": 0.1, "b": 1e-320, "c": -0.0, "d": 1.7976931348623157e308, "e": 1.0},
        {"a": True, "b": False, "c": None, "": {}, "d": [[], [[]], {}]},
        {"ключ": "значение", "鍵": "値", "😀": "👩‍👩‍👧", "\x00": '\x00\x1f"\\/\u2028', "a b": "é"},
        {str(number): {"n": [number] * 5} for number in range(300)},
    ],
    ids=["integers", "floats", "others", "texts", "many"],
)
async def test_values_of_every_kind_come_back(docs_with_payload, value):
    async with docs_with_payload as collection:
        await collection.upsert([m.PointStruct(id=9, vector=[9, 9], payload=value)])
        found = await payload(collection, 9)
        assert found == value
        assert repr(found) == repr(value)  # 1.0 is not 1, True is not 1, and the order is kept
        (hit,) = await collection.search([1, 1], limit=1, with_payload=True)
        assert hit.payload == value


async def test_what_json_has_no_type_for_becomes_what_json_has(docs_with_payload):
    class Color(enum.Enum):
        RED = "red"

    given = {
        "date": datetime.datetime(2024, 5, 17, 8, 30, tzinfo=datetime.UTC),
        "uuid": uuid.UUID(A_UUID),
        "tuple": (1, (2,)),
        "enum": Color.RED,
        "numpy": [np.float64(0.5), np.float32(0.5), np.int64(-1), np.uint8(7), np.bool_(True)],
        "mapping": types.MappingProxyType({"a": collections.OrderedDict(b=1)}),
        7: {8: "keys"},
    }
    async with docs_with_payload as collection:
        await collection.upsert([m.PointStruct(id=9, vector=[9, 9], payload=given)])
        assert await payload(collection, 9) == {
            "date": "2024-05-17T08:30:00Z",
            "uuid": A_UUID,
            "tuple": [1, [2]],
            "enum": "red",
            "numpy": [0.5, 0.5, -1, 7, True],
            "mapping": {"a": {"b": 1}},
            "7": {"8": "keys"},
        }
        mapping = types.MappingProxyType({"a": 1})
        await collection.upsert([m.PointStruct(id=9, vector=[9, 9], payload=mapping)])
        assert await payload(collection, 9) == {"a": 1}


async def test_a_number_too_large_for_a_float_does_not_make_a_point_unreadable(docs_with_payload):
    async with docs_with_payload as collection:
        given = {"a": msgspec.Raw(b"1e400")}
        await collection.upsert([m.PointStruct(id=9, vector=[9, 9], payload=given)])
        assert await payload(collection, 9) == {"a": math.inf}


async def test_no_payload_is_an_empty_one(docs_with_payload):
    async with docs_with_payload as collection:
        assert await payload(collection, 3) == {}
        assert await payload(collection, 3, False) is None
        assert await payload(collection, 1, False) is None
        await collection.upsert(
            [
                m.PointStruct(id=1, vector=[1, 0]),
                m.PointStruct(id=2, vector=[1, 0], payload={}),
                m.PointStruct(id=3, vector=[1, 0], payload={"a": 1}),
            ]
        )
        assert await payloads(collection) == [{}, {}, {"a": 1}]
        await collection.upsert_arrays([3], [[1, 1]], [None])
        await collection.upsert_arrays([2, 1], [[1, 1]] * 2, [{}, {"b": 1}])
        assert await payloads(collection) == [{"b": 1}, {}, {}]
        assert [hit.payload for hit in await collection.search([1, 1])] == [None] * 3
        hits = await collection.search([1, 1], with_payload=True)
        assert {hit.id: hit.payload for hit in hits} == {1: {"b": 1}, 2: {}, 3: {}}
        await collection.upsert_arrays([1], [[1, 1]])
        assert await payloads(collection) == [{}, {}, {}]


async def test_the_last_of_equal_ids_wins(docs_with_payload):
    async with docs_with_payload as collection:
        given = [{"n": number} if number % 3 else None for number in range(10)]
        await collection.upsert_arrays([7] * 10, np.ones((10, 2)), given)
        assert await payload(collection, 7) == {}
        await collection.upsert_arrays([7] * 9, np.ones((9, 2)), given[:9])
        assert await payload(collection, 7) == {"n": 8}


async def test_a_deleted_point_leaves_no_payload_behind(docs_with_payload):
    async with docs_with_payload as collection:
        await collection.delete(points=[1])
        assert await collection.retrieve([1]) == []
        await collection.upsert([m.PointStruct(id=1, vector=[1, 1])])
        assert await payload(collection, 1) == {}


async def test_it_survives_optimizing_and_reopening(open_store, docs_with_payload):
    async with docs_with_payload as collection:
        await collection.set_payload({"n": 3}, points=[2, 3])
        expected = await payloads(collection)
        await collection.optimize()
        assert await payloads(collection) == expected
    for _ in range(2):
        async with open_store() as store:
            collection = await store.get_collection("docs")
            assert await payloads(collection) == expected
            assert expected == [CITY, {"name": "Bern", "n": 3}, {"n": 3}]
            assert collection.statistics().rebuilt == []
            assert [finding.text for finding in await collection.check()] == []


async def test_ids_of_both_kinds(docs_with_payload):
    async with docs_with_payload as collection:
        ids = [5, A_UUID, 2**64 - 1]
        await collection.upsert_arrays(ids, np.ones((3, 2)), [{"id": str(given)} for given in ids])
        await collection.set_payload({"seen": True}, points=ids)
        for given in ids:
            assert await payload(collection, given) == {"id": str(given), "seen": True}
        with pytest.raises(PointNotFoundError, match="44665544ffff"):
            await collection.set_payload({"a": 1}, points=["550e8400-e29b-41d4-a716-44665544ffff"])


async def test_fifty_thousand_payloads(open_store, unnamed):
    rows = 50_000
    given = [{"n": number, "text": f"row {number} " * (number % 20)} for number in range(rows)]
    given[7] = None
    async with open_store() as store:
        collection = await store.create_collection("many", vectors=unnamed(size=1))
        await collection.upsert_arrays(np.arange(rows), np.ones((rows, 1), np.float32), given)
        assert collection.statistics().disk_bytes["payload"] > 0
        assert collection.statistics().ram_bytes["payload"] > 0
    async with open_store() as store:
        collection = await store.get_collection("many")
        found, following = await collection.scroll(limit=rows)
        assert following is None
        assert [record.payload for record in found] == [one or {} for one in given]
        await collection.set_payload({"even": True}, points=np.arange(0, rows, 2))
        some = np.random.default_rng(1).integers(0, rows, 3000)
        for record in await collection.retrieve(some):
            even = {} if record.id % 2 else {"even": True}
            assert record.payload == {**(given[record.id] or {}), **even}


async def test_payloads_of_megabytes(open_store, unnamed):
    large = {"text": "ä" * 2_500_000, "list": [{"n": number} for number in range(10_000)]}
    async with open_store() as store:
        collection = await store.create_collection("large", vectors=unnamed(size=1))
        await collection.upsert_arrays([1, 2, 3], np.ones((3, 1)), [large, None, large])
        await collection.upsert_arrays([4], [[1]], [{"text": "x" * 12_000_000}])
        await collection.set_payload({"n": 1}, points=[1, 2, 3])
        await collection.set_payload(large, points=[2])
    async with open_store() as store:
        collection = await store.get_collection("large")
        assert await payloads(collection) == [
            {**large, "n": 1},
            {"n": 1, **large},
            {**large, "n": 1},
            {"text": "x" * 12_000_000},
        ]
        assert await payload(collection, 1, ["n", "list[5].n"]) == {"n": 1, "list": [{"n": 5}]}
        with pytest.raises(InvalidArgumentError, match="larger than 16777216 bytes"):
            await collection.set_payload({"more": "x" * 6_000_000}, points=[2, 4])
        assert await payload(collection, 4, ["more"]) == {}
