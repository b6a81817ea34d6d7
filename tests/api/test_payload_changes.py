"""Payload and vectors of points that are there, changed; errors leave nothing behind."""

import numpy as np
import pytest

from asyncstore import InvalidArgumentError
from asyncstore import models as m
from cities import CITY, payload, payloads, vectors

pytestmark = pytest.mark.asyncio

A_UUID = "550e8400-e29b-41d4-a716-446655440000"
NAMED = {name: m.VectorParams(size=2, distance=m.Distance.DOT) for name in ("text", "image")}


async def test_set_payload_merges(docs_with_payload):
    async with docs_with_payload as collection:
        result = await collection.set_payload({"n": {"x": 1}, "new": [1]}, points=[2, 3])
        assert result.status is m.UpdateStatus.COMPLETED
        assert await payload(collection, 2) == {"name": "Bern", "n": {"x": 1}, "new": [1]}
        assert await payload(collection, 3) == {"n": {"x": 1}, "new": [1]}
        assert await payload(collection, 1) == CITY
        result = await collection.set_payload({"n": {"y": 2}}, points=[2], wait=False)
        assert result.status is m.UpdateStatus.ACKNOWLEDGED
        assert await payload(collection, 2) == {"name": "Bern", "n": {"y": 2}, "new": [1]}
        (hit,) = await collection.search([2, 0], limit=1, with_payload=["n"])
        assert (hit.id, hit.payload) == (3, {"n": {"x": 1}})
        await collection.set_payload({}, points=m.PointIdsList(points=[2]))
        assert (await payload(collection, 2))["name"] == "Bern"


async def test_set_payload_inside(docs_with_payload):
    async with docs_with_payload as collection:
        for _ in range(2):  # repeating it changes nothing
            await collection.set_payload({"x": 1}, points=[1, 3], key="size.more")
            await collection.set_payload({"y": 2}, points=[1], key="districts[0]")
            await collection.set_payload({"z": 3}, points=[1], key="size.people[].at")
            assert await payload(collection, 3) == {"size": {"more": {"x": 1}}}
            found = await payload(collection, 1)
            assert found["size"]["more"] == {"x": 1}
            assert found["districts"][0] == {"name": "Mitte", "code": 1, "y": 2}
            assert found["districts"][1:] == CITY["districts"][1:]
            assert found["size"]["people"] == [
                {"at": {"z": 3}},
                {"year": 2020, "count": 126_329, "at": {"z": 3}},
            ]
            assert found["big"] == 10**40


async def test_overwrite_payload(docs_with_payload):
    async with docs_with_payload as collection:
        await collection.overwrite_payload({"a": 1}, points=[1, 3])
        await collection.overwrite_payload({"b": 2}, points=[2], key="n")
        assert await payloads(collection) == [{"a": 1}, {"name": "Bern", "n": {"b": 2}}, {"a": 1}]
        await collection.overwrite_payload({}, points=[1])
        assert await payload(collection, 1) == {}


async def test_delete_and_clear_payload(docs_with_payload):
    async with docs_with_payload as collection:
        keys = ["name", "absent", "size.km2", "districts[].code", '"a.b"']
        await collection.delete_payload(keys, points=[1, 2, 3])
        assert await payloads(collection) == [
            {
                "big": 10**40,
                "size": {"people": CITY["size"]["people"]},
                "districts": [{"name": "Mitte"}, {"name": "Söflingen"}, 7],
                "nothing": None,
            },
            {"n": 2},
            {},
        ]
        await collection.clear_payload(points=[1, 3])
        assert await payloads(collection) == [{}, {"n": 2}, {}]
        await collection.clear_payload(points=np.array([2], np.uint64))
        assert await payloads(collection) == [{}, {}, {}]
        assert [hit.id for hit in await collection.search([1, 0])] == [3, 2, 1]


async def test_a_change_of_payload_is_a_new_version_and_leaves_the_vectors(docs_with_payload):
    async with docs_with_payload as collection:
        before = {hit.id: hit for hit in await collection.search([1, 0], with_vectors=True)}
        result = await collection.set_payload({"a": 1}, points=[2])
        after = {hit.id: hit for hit in await collection.search([1, 0], with_vectors=True)}
        assert after[2].version == result.operation_id
        assert after[2].vector == before[2].vector
        assert [after[1], after[3]] == [before[1], before[3]]


async def test_update_modes(docs_with_payload):
    insert, update = m.UpdateMode.INSERT_ONLY, m.UpdateMode.UPDATE_ONLY
    async with docs_with_payload as collection:

        def points(*ids):
            return [m.PointStruct(id=one, vector=[9, 9], payload={"new": one}) for one in ids]

        await collection.upsert(points(2, 4), update_mode=insert)
        assert await payload(collection, 2) == {"name": "Bern", "n": 2}
        assert await payload(collection, 4) == {"new": 4}
        await collection.upsert(points(2, 5), update_mode=update)
        assert await payload(collection, 2) == {"new": 2}
        assert await collection.retrieve([5]) == []
        (record,) = await collection.retrieve([2], with_vectors=True)
        assert record.vector == [9, 9]
        await collection.upsert(points(5), update_mode=update)
        await collection.upsert(points(1), update_mode="insert_only")
        assert await payload(collection, 1) == CITY
        assert await collection.count() == 4
        with pytest.raises(InvalidArgumentError, match="update_mode: 'replace' invalid"):
            await collection.upsert(points(6), update_mode="replace")


async def test_update_vectors_leaves_the_rest(open_store):
    async with open_store() as store:
        collection = await store.create_collection("docs", vectors=NAMED)
        both = {"text": [1, 1], "image": [2, 2]}
        await collection.upsert(
            [
                m.PointStruct(id=1, vector=both, payload={"a": 1}),
                m.PointStruct(id=2, vector={"image": [3, 3]}),
                m.PointStruct(id=A_UUID, vector={}),
            ]
        )
        await collection.update_vectors(
            [
                m.PointVectors(id=1, vector={"text": [5, 5]}),
                m.PointVectors(id=A_UUID, vector={"image": [7, 7], "text": [8, 8]}),
                m.PointVectors(id=2, vector={"text": [1, 0]}),
                m.PointVectors(id=2, vector={"text": [6, 6], "image": [4, 4]}),
                m.PointVectors(id=2, vector={"image": [9, 9]}),
            ]
        )
        expected = [
            {"text": [5, 5], "image": [2, 2]},
            {"text": [6, 6], "image": [9, 9]},
            {"text": [8, 8], "image": [7, 7]},
        ]
        assert await vectors(collection, [1, 2, A_UUID]) == expected
        assert await payload(collection, 1) == {"a": 1}
        assert [hit.id for hit in await collection.search([1, 1], using="text")] == [A_UUID, 2, 1]

        await collection.delete_vectors(["text"], points=[1, 2])
        await collection.delete_vectors(["text", "image", "text"], points=[A_UUID, 1])
        await collection.delete_vectors(["text"], points=[1])
        expected = [{}, {"image": [9, 9]}, {}]
        assert await vectors(collection, [1, 2, A_UUID]) == expected
        assert await collection.search([1, 1], using="text") == []
        assert [hit.id for hit in await collection.search([1, 1], using="image")] == [2]
        assert await payload(collection, 1) == {"a": 1}
        await collection.optimize()
    async with open_store() as store:
        collection = await store.get_collection("docs")
        assert await vectors(collection, [1, 2, A_UUID]) == expected
        assert await collection.count() == 3


async def test_the_unnamed_vector(docs_with_payload):
    async with docs_with_payload as collection:
        await collection.update_vectors(
            [
                m.PointVectors(id=1, vector=[7, 7]),
                m.PointVectors(id=2, vector={"": np.array([8, 8])}),
            ]
        )
        assert await vectors(collection, [1, 2, 3]) == [[7, 7], [8, 8], [3, 0]]
        await collection.delete_vectors([""], points=[1])
        assert await vectors(collection, [1]) == [{}]
        assert await payload(collection, 1) == CITY
        assert [hit.id for hit in await collection.search([1, 1])] == [2, 3]
