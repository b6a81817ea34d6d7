"""The bridge between ``await`` and the core, on a core that can be stopped; on every loop."""

import asyncio
import gc
import os
import signal

import anyio
import anyio.lowlevel
import numpy as np
import pytest

from asyncstore import (
    InvalidArgumentError,
    StorageIOError,
    StoreClosedError,
    StoreFailedError,
    StoreLockedError,
    open_store,
)
from asyncstore import models as m

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("native")]

TWO = m.VectorParams(size=2, distance=m.Distance.DOT)
QUERY = np.ones(2, np.float32)


async def points_store(store):
    collection = await store.create_collection("docs", vectors=TWO)
    await collection.upsert_arrays([1, 2, 3], np.array([[1, 0], [2, 0], [3, 0]], np.float32))
    return collection


async def test_a_write_is_read_back(native):
    async with open_store("/fake") as store:
        collection = await points_store(store)
        assert [hit.id for hit in await collection.search(QUERY)] == [3, 2, 1]
        assert await collection.count() == 3
    assert native.Engine.opened[0].is_closed


async def test_configuration_reaches_the_core(native):
    async with open_store("/fake", config={"storage": {"async_scorer": False}}):
        options = native.Engine.opened[0].options
        assert options["async_scorer"] == "false"
        assert options["durability"] == "fsync"
        assert options["indexing_threshold_kb"] == 10000
        assert options["max_segment_kb"] == 0


async def test_an_error_at_open_is_translated_and_leaves_nothing(native):
    native.Engine.open_error = native.NativeError("locked", "store /fake is open in process 7")
    with pytest.raises(StoreLockedError, match="open in process 7") as caught:
        async with open_store("/fake"):
            pytest.fail("the store is locked")
    assert isinstance(caught.value.__cause__, native.NativeError)
    assert native.Engine.opened == []


async def test_a_failed_job_raises_for_its_caller_alone(native):
    async with open_store("/fake") as store:
        collection = await points_store(store)
        native.Engine.opened[0].fail_next(native.NativeError("io", "disk full", "/wal", 0, 28))
        with pytest.raises(StorageIOError, match="disk full") as caught:
            await collection.upsert_arrays([4], np.ones((1, 2), np.float32))
        assert (caught.value.errno, caught.value.filename) == (28, "/wal")
        assert len(await collection.search(QUERY)) == 3


async def test_many_searches_at_once_each_get_their_own_answer():
    async with open_store("/fake") as store:
        collection = await points_store(store)
        answers = {}

        async def search(limit):
            answers[limit] = await collection.search(QUERY, limit=limit)

        async with anyio.create_task_group() as group:
            for limit in range(1, 101):
                group.start_soon(search, limit)
        assert {limit: len(hits) for limit, hits in answers.items()} == {
            limit: min(limit, 3) for limit in range(1, 101)
        }


# ---- cancellation


async def test_a_cancelled_search_is_dropped_and_others_go_on(native, wait_until):
    async with open_store("/fake") as store:
        collection = await points_store(store)
        core = native.Engine.opened[0]
        core.hold()
        hits = []

        async def search():
            hits.append(await collection.search(QUERY))

        async with anyio.create_task_group() as group:
            with anyio.CancelScope() as scope:
                async with anyio.create_task_group() as cancelled:
                    cancelled.start_soon(search)
                    await wait_until(lambda: core.waiting == 1)
                    scope.cancel()
            assert scope.cancelled_caught
            group.start_soon(search)
            await wait_until(lambda: core.waiting == 2)
            core.release()
        assert [len(found) for found in hits] == [3]
        assert len(core.dropped) == 1
        assert store._engine._pending == {}


async def test_a_cancelled_write_that_the_core_has_taken_is_done(native, wait_until):
    async with open_store("/fake") as store:
        collection = await points_store(store)
        core = native.Engine.opened[0]
        core.hold()
        async with anyio.create_task_group() as group:
            group.start_soon(collection.upsert_arrays, [9], np.ones((1, 2), np.float32))
            await wait_until(lambda: core.waiting == 1)
            group.cancel_scope.cancel()
        assert await collection.count() == 3
        core.release()
        await wait_until(lambda: collection._native.count() == 4)


async def test_a_write_whose_scope_is_cancelled_already_is_not_begun(native):
    async with open_store("/fake") as store:
        collection = await points_store(store)
        taken = len(native.Engine.opened[0].taken)
        with anyio.CancelScope() as scope:
            scope.cancel()
            await collection.upsert_arrays([9], np.ones((1, 2), np.float32))
        assert scope.cancelled_caught
        assert len(native.Engine.opened[0].taken) == taken


async def test_arrays_live_until_the_core_is_done_with_them(native, wait_until):
    """The core keeps them; the bridge must not be what keeps them alive, nor what drops them."""
    async with open_store("/fake") as store:
        collection = await points_store(store)
        core = native.Engine.opened[0]
        core.hold()
        async with anyio.create_task_group() as group:
            group.start_soon(collection.upsert_arrays, [9], np.full((1, 2), 7, np.float32))
            await wait_until(lambda: core.waiting == 1)
            group.cancel_scope.cancel()
        gc.collect()
        core.release()
        await wait_until(lambda: collection._native.count() == 4)
        (record,) = await collection.retrieve([9], with_vectors=True)
        assert record.vector == [7, 7]


# ---- back-pressure


async def test_a_full_inbox_makes_callers_wait_in_their_order(native, wait_until):
    async with open_store("/fake") as store:
        collection = await points_store(store)
        core = native.Engine.opened[0]
        core.inbox_max = 2
        core.hold()
        one = np.ones((1, 2), np.float32)
        async with anyio.create_task_group() as group:
            for number in range(20):
                group.start_soon(collection.upsert_arrays, [number], one)
                # The order of the tasks is what is tested, so each is begun before the next.
                expected = min(number + 1, 2), max(0, number - 1)
                await wait_until(
                    lambda expected=expected: (
                        (core.waiting, len(store._engine.writes.queue)) == expected
                    )
                )
            core.release()
        versions = collection._native.versions
        assert sorted(range(20), key=versions.__getitem__) == list(range(20))
        assert collection._native.writes == [3] + [1] * 20


async def test_a_cancelled_caller_in_the_queue_is_passed_over(native, wait_until):
    async with open_store("/fake") as store:
        collection = await points_store(store)
        core = native.Engine.opened[0]
        core.inbox_max = 1
        core.hold()
        queue = store._engine.writes.queue
        async with anyio.create_task_group() as group:
            group.start_soon(lambda: collection.delete(points=[1]))
            await wait_until(lambda: core.waiting == 1)
            async with anyio.create_task_group() as cancelled:
                cancelled.start_soon(lambda: collection.delete(points=[2]))
                await wait_until(lambda: len(queue) == 1)
                cancelled.cancel_scope.cancel()
            group.start_soon(lambda: collection.delete(points=[3]))
            await wait_until(lambda: len(queue) == 2)
            core.release()
        assert [record.id for record in (await collection.scroll())[0]] == [2]


async def test_searches_pass_writes_that_wait(native, wait_until):
    """Reads and writes have a lane each: a queued write must not hold up a search."""
    async with open_store("/fake") as store:
        collection = await points_store(store)
        store._engine.writes.queue.append(store._engine.start(store._engine.reads, lambda: 1 << 60))
        assert len(await collection.search(QUERY)) == 3
        store._engine.writes.queue.clear()


async def test_a_large_batch_keeps_at_most_eight_chunks_in_flight(native, wait_until):
    async with open_store("/fake") as store:
        collection = await store.create_collection(
            "large", vectors=m.VectorParams(size=65536, distance=m.Distance.DOT)
        )
        core = native.Engine.opened[0]
        vectors = np.zeros((12 * 32, 65536), np.float16)  # 12 chunks of 8 MiB as float32
        core.hold()
        async with anyio.create_task_group() as group:
            group.start_soon(collection.upsert_arrays, np.arange(len(vectors)), vectors)
            await wait_until(lambda: core.waiting == 8)
            for _ in range(20):
                await anyio.lowlevel.checkpoint()
            assert core.waiting == 8
            core.release()
        assert collection._native.writes == [32] * 12


async def test_bad_input_in_a_late_chunk_changes_nothing(native):
    async with open_store("/fake") as store:
        collection = await store.create_collection(
            "large", vectors=m.VectorParams(size=65536, distance=m.Distance.DOT)
        )
        for dtype in (np.float32, np.float64):
            vectors = np.zeros((40, 65536), dtype)
            vectors[39, 65535] = np.nan
            with pytest.raises(InvalidArgumentError):
                await collection.upsert_arrays(np.arange(40), vectors)
        assert collection._native.writes == []


# ---- the end


async def test_closing_answers_searches_in_flight(native, wait_until):
    outcomes = []

    async def search(collection):
        try:
            await collection.search(QUERY)
        except StoreClosedError as error:
            outcomes.append(str(error))

    async with anyio.create_task_group() as group:
        async with open_store("/fake") as store:
            collection = await points_store(store)
            core = native.Engine.opened[0]
            core.inbox_max = 2
            core.hold()
            for _ in range(5):  # two in the inbox, three in the queue
                group.start_soon(search, collection)
            await wait_until(lambda: len(store._engine.reads.queue) == 3)
    assert len(outcomes) == 5
    assert all("closed" in outcome for outcome in outcomes)


async def test_a_closed_store_refuses_every_call():
    async with open_store("/fake") as store:
        collection = await points_store(store)
    calls = [
        lambda: collection.search(QUERY),
        lambda: collection.search_batch(QUERY[None]),
        lambda: collection.upsert([m.PointStruct(id=1, vector=[1, 2])]),
        lambda: collection.upsert_arrays([1], np.ones((1, 2), np.float32)),
        lambda: collection.delete(points=[1]),
        lambda: collection.retrieve([1]),
        lambda: collection.scroll(),
        lambda: collection.count(),
        lambda: collection.optimize(),
        lambda: collection.prewarm(),
        lambda: collection.info(),
        lambda: store.create_collection("x"),
        lambda: store.get_collection("docs"),
        lambda: store.list_collections(),
        lambda: store.collection_exists("docs"),
        lambda: store.delete_collection("docs"),
    ]
    for call in calls:
        with pytest.raises(StoreClosedError, match="/fake is closed"):
            await call()
    for plain in (store.statistics, collection.statistics):
        with pytest.raises(StoreClosedError):
            plain()


async def test_the_bodys_exception_is_raised_as_it_is(native):
    with pytest.raises(KeyError, match="mine"):
        async with open_store("/fake"):
            raise KeyError("mine")
    assert native.Engine.opened[0].is_closed


async def test_a_cancelled_body_closes_the_store(native):
    with anyio.CancelScope() as scope:
        async with open_store("/fake") as store:
            collection = await points_store(store)
            native.Engine.opened[0].hold()
            scope.cancel()
            await collection.search(QUERY)
    assert scope.cancelled_caught
    assert native.Engine.opened[0].is_closed


async def test_a_shielded_write_in_a_cancelled_scope_is_done(native):
    """The bridge must outlive the cancellation of the scope around the store."""
    with anyio.CancelScope() as scope:
        async with open_store("/fake") as store:
            collection = await points_store(store)
            scope.cancel()
            with anyio.CancelScope(shield=True):
                await collection.upsert_arrays([9], np.ones((1, 2), np.float32))
            assert collection._native.count() == 4
    assert native.Engine.opened[0].is_closed


async def test_a_failing_bridge_wakes_everyone(native, wait_until):
    async with open_store("/fake") as store:
        collection = await points_store(store)
        core = native.Engine.opened[0]
        errors = []

        async def search():
            try:
                await collection.search(QUERY)
            except StoreFailedError as error:
                errors.append(error)

        core.drain_error = RuntimeError("a bug")
        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(search)
        assert len(errors) == 3
        assert all(isinstance(error.__cause__, RuntimeError) for error in errors)
        with pytest.raises(StoreFailedError, match="a bug"):
            await collection.search(QUERY)
        core.drain_error = None
    assert core.is_closed


async def test_two_stores_side_by_side(native):
    async with open_store("/one") as one, open_store("/two") as two:
        first, second = await points_store(one), await points_store(two)
        await first.delete(points=[1])
        assert (await first.count(), await second.count()) == (2, 3)
    assert [core.is_closed for core in native.Engine.opened] == [True, True]


async def test_a_store_can_be_opened_again():
    opening = open_store("/fake")
    for _ in range(2):
        async with opening as store:
            assert len(await (await points_store(store)).search(QUERY)) == 3


async def test_a_cancelled_creation_is_known_once_it_is_done(native, wait_until):
    async with open_store("/fake") as store:
        assert await store.list_collections() == ["broken"]
        core = native.Engine.opened[0]
        core.hold()
        async with anyio.create_task_group() as group:
            group.start_soon(store.create_collection, "late")
            await wait_until(lambda: core.waiting == 1)
            group.cancel_scope.cancel()
        assert not await store.collection_exists("late")
        core.release()
        await wait_until(lambda: core.collections())
        assert await store.collection_exists("late")
        assert await store.list_collections() == ["broken", "late"]


# ---- progress


async def test_progress_is_reported_and_ends_with_all_done(native, wait_until):
    async with open_store("/fake") as store:
        collection = await points_store(store)
        core = native.Engine.opened[0]
        collection._native.progress = {"state": "working", "done": 3, "total": 8, "what": "seal"}
        reports = []

        def report(done, total, what):
            reports.append((done, total, what))
            core.release()

        core.hold()
        await collection.optimize(progress=report)
        assert reports[0] == (3, 8, "seal")
        assert reports[-1][0] == reports[-1][1] == 8


async def test_what_progress_raises_is_raised(native):
    async with open_store("/fake") as store:
        collection = await points_store(store)
        collection._native.progress = {"state": "working", "done": 3, "total": 8, "what": "seal"}
        native.Engine.opened[0].hold()

        def report(done, total, what):
            raise KeyError(what)

        with pytest.raises(KeyError, match="seal"):
            await collection.optimize(progress=report)
        assert store._engine._pending == {}
        native.Engine.opened[0].release()


# ---- fork


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
async def test_a_forked_child_is_refused_and_the_parent_goes_on(native):
    async with open_store("/fake") as store:
        collection = await points_store(store)
        child = os.fork()
        if child == 0:
            os._exit(_child_is_refused(store, collection))
        status = os.waitpid(child, 0)[1]  # noqa: ASYNC222 - the child ends by itself or its alarm
        assert os.waitstatus_to_exitcode(status) == 0
        assert len(await collection.search(QUERY)) == 3
    assert native.Engine.opened[0].is_closed


def _child_is_refused(store, collection) -> int:
    """0 when every call in the child says that the store is another process's."""
    signal.alarm(20)  # a child that hangs must not hang the tests
    for call in (
        lambda: collection.search(QUERY),
        lambda: collection.upsert_arrays([1], np.ones((1, 2), np.float32)),
        lambda: store.list_collections(),
        lambda: store.create_collection("x"),
    ):
        try:
            call().send(None)
        except StoreClosedError as error:
            if "another process" not in str(error):
                return 2
        except BaseException:
            return 3
        else:
            return 1
    try:
        store.statistics()
    except StoreClosedError:
        return 0
    return 4


# ---- asyncio's own cancellation


@pytest.mark.parametrize("anyio_backend", [("asyncio", {})], indirect=True, ids=["asyncio"])
async def test_asyncios_own_timeouts_and_cancellation_work(native, wait_until):
    async with open_store("/fake") as store:
        collection = await points_store(store)
        core = native.Engine.opened[0]
        core.hold()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(collection.search(QUERY), 0.001)
        task = asyncio.create_task(collection.search(QUERY))
        await wait_until(lambda: core.waiting == 2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        core.release()
        assert len(await collection.search(QUERY)) == 3


@pytest.mark.parametrize("anyio_backend", [("asyncio", {})], indirect=True, ids=["asyncio"])
async def test_a_cancelled_task_closes_its_store(native, wait_until):
    async def body():
        async with open_store("/fake") as store:
            collection = await points_store(store)
            native.Engine.opened[0].hold()
            await collection.search(QUERY)

    task = asyncio.create_task(body())
    await wait_until(lambda: native.Engine.opened and native.Engine.opened[0].waiting)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert native.Engine.opened[0].is_closed
