"""Writes by a filter, on a core that can be stopped between its reading and its writing."""

import uuid

import anyio
import numpy as np
import pytest

from asyncstore import InvalidArgumentError, open_store
from asyncstore import models as m

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("native")]

ONE = m.VectorParams(size=1, distance=m.Distance.DOT)
RED = m.Filter(must=m.FieldCondition(key="color", match=m.MatchValue(value="red")))
NAMES = [str(uuid.UUID(int=number)) for number in range(1500)]


@pytest.fixture
def anyio_backend():
    return "asyncio"


async def colored(store, ids, colors=("red", "blue")):
    """Points by turns of these colors."""
    collection = await store.create_collection("docs", vectors=ONE)
    payloads = [{"color": colors[row % len(colors)]} for row in range(len(ids))]
    await collection.upsert_arrays(ids, np.ones((len(ids), 1), np.float32), payloads)
    return collection


async def ids_of(collection, **arguments):
    records, _ = await collection.scroll(limit=10_000, **arguments)
    return [record.id for record in records]


async def test_reads_pass_the_filter_on():
    async with open_store("/fake") as store:
        collection = await colored(store, [1, 2, 3, 4])
        assert await ids_of(collection, filter=RED) == [1, 3]
        assert await collection.count(filter=RED) == 2
        assert await collection.count(filter={}) == await collection.count() == 4
        assert [hit.id for hit in await collection.search([1], filter=RED)] == [1, 3]
        batch = await collection.search_batch([[1], [2]], filter=RED, limit=2)
        assert batch.ids.tolist() == [[1, 3], [1, 3]]


async def test_a_count_without_conditions_costs_no_trip(native):
    async with open_store("/fake") as store:
        collection = await colored(store, [1])
        engine = native.Engine.opened[0]
        engine.taken.clear()
        assert await collection.count(filter=m.Filter(must=[])) == 1
        assert engine.taken == []


async def test_a_write_by_filter_asks_for_ids_first(native):
    async with open_store("/fake") as store:
        collection = await colored(store, [1, 2, 3])
        engine = native.Engine.opened[0]
        engine.taken.clear()
        result = await collection.set_payload({"n": 1}, filter=RED)
        assert engine.taken == ["matching_ids", "change_payload"]
        assert result.operation_id == collection.statistics().operation_id
        records, _ = await collection.scroll()
        assert [record.payload.get("n") for record in records] == [1, None, 1]
        await collection.delete(filter=RED)
        assert await ids_of(collection) == [2]


async def test_a_filter_that_nothing_matches_writes_nothing(native):
    async with open_store("/fake") as store:
        collection = await colored(store, [1, 2])
        engine = native.Engine.opened[0]
        engine.taken.clear()
        none = {"must": [{"has_id": []}]}
        result = await collection.delete(filter=none)
        assert result == m.UpdateResult(operation_id=None, status=m.UpdateStatus.COMPLETED)
        result = await collection.clear_payload(filter=none, wait=False)
        assert result == m.UpdateResult(operation_id=None, status=m.UpdateStatus.ACKNOWLEDGED)
        assert engine.taken == ["matching_ids"] * 2


async def test_points_that_changed_meanwhile_are_left_alone(native, wait_until):
    """Between reading the ids and writing, one stops matching and one is deleted."""
    async with open_store("/fake") as store:
        collection = await colored(store, [1, 2, 3, 4], colors=["red"])
        core = native.Engine.opened[0]
        core.hold()
        async with anyio.create_task_group() as group:
            group.start_soon(lambda: collection.set_payload({"n": 1}, filter=RED))
            await wait_until(lambda: core.waiting == 1)  # which ones match
            group.start_soon(lambda: collection.set_payload({"color": "blue"}, points=[2]))
            group.start_soon(lambda: collection.delete(points=[3]))
            await wait_until(lambda: core.waiting == 3)
            core.release()
        records, _ = await collection.scroll()
        assert {record.id: record.payload for record in records} == {
            1: {"color": "red", "n": 1},
            2: {"color": "blue"},
            4: {"color": "red", "n": 1},
        }


async def test_many_points_are_written_in_pieces(native):
    async with open_store("/fake") as store:
        ids = np.arange(70_000, dtype=np.uint64)
        collection = await colored(store, ids, colors=["red"])
        written = native.Engine.opened[0].collections()[0].writes
        written.clear()
        await collection.clear_payload(filter={"must_not": [{"has_id": [0]}]})
        assert sum(written) == 69_999
        assert max(written) == 1024
        written.clear()
        await collection.delete(filter={})
        assert written == [65_536, 4464]
        assert await collection.count() == 0


async def test_many_uuids_are_written_in_pieces(native):
    async with open_store("/fake") as store:
        collection = await colored(store, NAMES, colors=["red"])
        written = native.Engine.opened[0].collections()[0].writes
        written.clear()
        await collection.delete(filter=RED)
        assert written == [1024, 476]


async def test_update_filters_reach_the_core():
    async with open_store("/fake") as store:
        collection = await colored(store, [1, 2])
        points = [
            m.PointStruct(id=number, vector=[9], payload={"color": "new"}) for number in (1, 2, 3)
        ]
        await collection.upsert(points, update_filter=RED)
        records, _ = await collection.scroll()
        assert [record.payload["color"] for record in records] == ["new", "blue", "new"]
        operation = m.UpsertOperation(
            upsert=m.PointsList(points=points, update_filter={"must": [{"has_id": [7]}]})
        )
        await collection.batch_update([operation])
        records, _ = await collection.scroll()
        assert [record.payload["color"] for record in records] == ["new", "blue", "new"]


async def test_operations_of_a_batch_see_what_those_before_them_did():
    async with open_store("/fake") as store:
        collection = await colored(store, [1, 2, 3])
        selector = m.FilterSelector(filter=RED)
        results = await collection.batch_update(
            [
                m.SetPayloadOperation(
                    set_payload=m.SetPayload(payload={"color": "red"}, filter={"must": []})
                ),
                m.DeletePayloadOperation(
                    delete_payload=m.DeletePayload(keys=["x"], filter={"must": [{"has_id": [9]}]})
                ),
                m.DeleteOperation(delete=selector),
                m.ClearPayloadOperation(clear_payload=selector),
            ]
        )
        assert await collection.count() == 0
        assert [result.operation_id is None for result in results] == [False, True, False, True]


async def test_points_or_a_filter(native):
    async with open_store("/fake") as store:
        collection = await colored(store, [1])
        for call in (
            collection.delete,
            collection.clear_payload,
            lambda **which: collection.set_payload({}, **which),
            lambda **which: collection.overwrite_payload({}, **which),
            lambda **which: collection.delete_payload(["a"], **which),
            lambda **which: collection.delete_vectors([""], **which),
        ):
            with pytest.raises(InvalidArgumentError, match="only one of them may be given"):
                await call(points=[1], filter=RED)
            with pytest.raises(InvalidArgumentError, match="points: the ids of the points are mis"):
                await call()
            with pytest.raises(InvalidArgumentError, match="filter: must be a Filter"):
                await call(filter=[])
        operation = m.DeleteOperation(delete=m.FilterSelector(filter=None))
        with pytest.raises(InvalidArgumentError, match=r"operations\[0\]: points: "):
            await collection.batch_update([operation])
        assert await collection.count() == 1
