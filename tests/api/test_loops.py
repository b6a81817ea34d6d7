"""The public behaviours on asyncio, uvloop and trio alike."""

import anyio
import numpy as np
import pytest

from asyncstore import StoreClosedError
from asyncstore import models as m

pytestmark = pytest.mark.anyio

PARAMS = m.VectorParams(size=8, distance=m.Distance.COSINE)


def vectors_of(rows, seed=1):
    return np.random.default_rng(seed).standard_normal((rows, 8)).astype(np.float32)


async def filled(store, rows=1000):
    collection = await store.create_collection("docs", vectors=PARAMS)
    await collection.upsert_arrays(np.arange(rows), vectors_of(rows))
    return collection


async def test_the_whole_of_it(open_store):
    async with open_store() as store:
        collection = await filled(store)
        await collection.upsert([m.PointStruct(id=5000, vector=[1] * 8)])
        hits = await collection.search([1] * 8, limit=3, with_vectors=True)
        assert hits[0].id == 5000
        assert hits[0].score == pytest.approx(1)
        batch = await collection.search_batch(vectors_of(5), limit=4)
        assert batch.counts.tolist() == [4] * 5
        await collection.delete(points=[5000])
        await collection.optimize()
        await collection.prewarm()
        assert await collection.count() == 1000
        records, following = await collection.scroll(limit=2)
        assert ([record.id for record in records], following) == ([0, 1], 2)
        assert [record.id for record in await collection.retrieve([3])] == [3]
        assert (await collection.info()).points_count == 1000
        assert await store.list_collections() == ["docs"]
        assert await store.delete_collection("docs")


async def test_many_at_once(open_store):
    async with open_store() as store:
        collection = await filled(store)
        expected = [await collection.search(query) for query in vectors_of(100, seed=2)]
        found = {}

        async def search(number, query):
            found[number] = await collection.search(query)

        async def write(number):
            await collection.upsert_arrays([10_000 + number], -vectors_of(1))
            await collection.delete(points=[10_000 + number])

        async with anyio.create_task_group() as group:
            for number, query in enumerate(vectors_of(100, seed=2)):
                group.start_soon(search, number, query)
                group.start_soon(write, number)
        for number, hits in found.items():
            stable = [hit.id for hit in hits if hit.id < 10_000]
            assert stable == [hit.id for hit in expected[number]][: len(stable)]
        assert len(found) == 100
        assert await collection.count() == 1000


async def test_more_searches_than_the_inbox_holds(open_store):
    async with open_store(workers=1) as store:
        collection = await filled(store)
        done = 0

        async def search(query):
            nonlocal done
            await collection.search(query, params=m.SearchParams(exact=True))
            done += 1

        async with anyio.create_task_group() as group:
            for query in np.resize(vectors_of(100), (6000, 8)):
                group.start_soon(search, query)
        assert done == 6000


async def test_queries_of_several_steps(open_store):
    """Prefetches, a formula, a choice on a thread, groups: as they are, and cut off."""
    async with open_store() as store:
        collection = await filled(store)
        for number in range(10):
            await collection.set_payload({"n": number % 3}, points=[number, number + 10])
        vector = vectors_of(1, seed=3)[0]
        near = [m.Prefetch(query=vector, limit=50), m.Prefetch(limit=20)]
        formula = {"sum": ["$score", {"mult": [10, {"key": "n", "match": {"value": 2}}]}]}
        mmr = m.NearestQuery(nearest=vector, mmr=m.Mmr(candidates_limit=200))
        everyone = {"sample": 1000, "filter": {"must": {"has_id": list(range(300))}}}
        calls = [
            lambda: collection.query({"fusion": "rrf"}, prefetch=near),
            lambda: collection.query({"formula": formula}, prefetch=near),
            lambda: collection.query(mmr, limit=100),
            lambda: collection.query_groups(vector, group_by="n", group_size=2),
            lambda: matrix_of(collection, **everyone),
        ]
        expected = [await call() for call in calls]
        assert [len(found) for found in expected] == [10, 10, 100, 3, 900]
        for call, found in zip(calls, expected, strict=True):
            with anyio.move_on_after(0.0005):
                await call()
            assert await call() == found


async def matrix_of(collection, **how):
    return (await collection.search_matrix_pairs(**how)).pairs


async def test_cancellation(open_store):
    async with open_store() as store:
        collection = await filled(store)
        with anyio.CancelScope() as scope:
            scope.cancel()
            await collection.search(vectors_of(1)[0])
        assert scope.cancelled_caught
        with anyio.CancelScope() as scope:
            scope.cancel()
            await collection.upsert_arrays([9999], vectors_of(1))
        assert await collection.count() == 1000
        assert len(await collection.search(vectors_of(1)[0])) == 10


async def test_a_cancelled_store_closes(open_store):
    with anyio.CancelScope() as scope:
        async with open_store() as store:
            collection = await filled(store)
            scope.cancel()
            await collection.search(vectors_of(1)[0])
    assert scope.cancelled_caught
    with pytest.raises(StoreClosedError):
        await collection.search(vectors_of(1)[0])
    async with open_store() as store:
        assert await (await store.get_collection("docs")).count() == 1000


async def test_an_exception_in_the_body_is_raised_as_it_is(open_store):
    with pytest.raises(ZeroDivisionError):
        async with open_store():
            raise ZeroDivisionError
    async with open_store() as store:
        assert await store.list_collections() == []


async def test_payload(open_store):
    async with open_store() as store:
        collection = await filled(store)
        await collection.set_payload({"a": 1}, points=[1, 2])
        await collection.set_payload({"b": 2}, points=[2], key="a")
        await collection.update_vectors([m.PointVectors(id=2, vector=[1] * 8)])
        (hit,) = await collection.search([1] * 8, limit=1, with_payload=True)
        assert (hit.id, hit.payload) == (2, {"a": {"b": 2}})
        with anyio.CancelScope() as scope:
            scope.cancel()
            await collection.clear_payload(points=[1])
        records = await collection.retrieve([1, 2], with_payload=["a.b"])
        assert [record.payload for record in records] == [{}, {"a": {"b": 2}}]
        assert (await collection.retrieve([1]))[0].payload == {"a": 1}


async def test_changes_of_one_payload_by_many_tasks(open_store):
    async with open_store() as store:
        collection = await filled(store, 3)

        async def change(number):
            await collection.set_payload({str(number): number}, points=[1])
            await collection.set_payload({"k": {str(number): 1}}, points=[2])
            await collection.set_payload({str(number): number}, points=[1, 2], key="all")
            if number % 2:
                await collection.delete_payload([str(number)], points=[1])

        async with anyio.create_task_group() as group:
            for number in range(100):
                group.start_soon(change, number)
        first, second = await collection.retrieve([1, 2])
        all_of_them = {str(number): number for number in range(100)}
        assert first.payload.pop("all") == all_of_them
        assert first.payload == {str(number): number for number in range(0, 100, 2)}
        assert second.payload["all"] == all_of_them
        assert len(second.payload["k"]) == 1


async def test_writes_begun_one_after_the_other_are_done_in_that_order(open_store):
    async with open_store() as store:
        collection = await filled(store, 3)
        order = []

        async def write(number):
            calls = [
                lambda: collection.set_payload({"n": number}, points=[1]),
                lambda: collection.overwrite_payload({"n": number, "o": number}, points=[1]),
                lambda: collection.upsert(
                    [m.PointStruct(id=1, vector=[1] * 8, payload={"n": number})]
                ),
            ]
            result = await calls[number % 3]()
            order.append((result.operation_id, number))

        async with anyio.create_task_group() as group:
            for number in range(99):
                group.start_soon(write, number)
        _, last = max(order)
        (record,) = await collection.retrieve([1])
        assert record.payload["n"] == last
