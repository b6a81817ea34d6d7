"""A store from its opening to its end: locks, formats, folders, forks, cancellation."""

import os
import signal
import sys
from pathlib import Path

import anyio
import anyio.lowlevel
import numpy as np
import pytest

import asyncstore
from asyncstore import (
    AlreadyExistsError,
    AsyncStoreError,
    InvalidArgumentError,
    StorageIOError,
    StoreClosedError,
    StoreLockedError,
    UnsupportedError,
)
from asyncstore import models as m

pytestmark = pytest.mark.asyncio

DIM = 64
INT8 = m.ScalarQuantization(
    scalar=m.ScalarQuantizationConfig(type=m.ScalarType.INT8, quantile=0.99, always_ram=True)
)
PARAMS = m.VectorParams(size=DIM, distance=m.Distance.DOT)


def vectors_of(rows, seed=1):
    return np.random.default_rng(seed).standard_normal((rows, DIM)).astype(np.float32)


async def filled(store, rows=2000):
    collection = await store.create_collection("docs", vectors=PARAMS, quantization_config=INT8)
    await collection.upsert_arrays(np.arange(rows), vectors_of(rows))
    return collection


async def test_everything_is_there_after_a_reopen(open_store):
    query = vectors_of(1, seed=2)[0]
    settings = {"optimizers": {"indexing_threshold": 100}}
    async with open_store(**settings) as store:
        collection = await filled(store)
        await collection.delete(points=range(0, 2000, 7))
        first = await collection.search(query, limit=50, params=m.SearchParams(exact=True))
        await collection.optimize()
        before = await collection.search(query, limit=50, params=m.SearchParams(exact=True))
        assert [hit.id for hit in before] == [hit.id for hit in first]
        count = await collection.count()
    for _ in range(2):
        async with open_store(**settings) as store:
            collection = await store.get_collection("docs")
            assert await collection.count() == count
            again = await collection.search(query, limit=50, params=m.SearchParams(exact=True))
            assert again == before
            assert collection.statistics().rebuilt == []
            records = await collection.retrieve([1, 7], with_vectors=True)
            assert [record.vector for record in records] == [vectors_of(2000)[1].tolist()]


async def test_a_second_open_is_refused(open_store, tmp_path):
    async with open_store() as store:
        await filled(store, 10)
        with pytest.raises(StoreLockedError):
            async with asyncstore.open_store(tmp_path / "store"):
                pytest.fail("the store is open already")
        script = (
            "import anyio, asyncstore, sys\n"
            "async def main():\n"
            "    async with asyncstore.open_store(sys.argv[1]): pass\n"
            "try:\n"
            "    anyio.run(main)\n"
            "except asyncstore.StoreLockedError as error:\n"
            "    print(error); sys.exit(7)\n"
        )
        other = await anyio.run_process(
            [sys.executable, "-c", script, str(tmp_path / "store")], check=False
        )
        assert other.returncode == 7, other.stderr.decode()
        assert "store" in other.stdout.decode()
        assert len(await (await store.get_collection("docs")).search(vectors_of(1)[0])) == 10
    async with open_store() as store:  # and once it is closed it can be opened
        assert await store.list_collections() == ["docs"]


async def test_closing_with_searches_in_flight(open_store):
    outcomes = []

    async def search(collection, query):
        try:
            while True:
                outcomes.append(len(await collection.search(query)))
        except StoreClosedError:
            outcomes.append("closed")

    async with anyio.create_task_group() as group:
        async with open_store() as store:
            collection = await filled(store)
            for query in vectors_of(64, seed=3):
                group.start_soon(search, collection, query)
            while len(outcomes) < 100:
                await anyio.lowlevel.checkpoint()
    assert outcomes.count("closed") == 64
    assert set(outcomes) == {10, "closed"}


async def test_closing_finishes_the_writes_that_were_taken(open_store):
    acknowledged = []

    async def write(collection, start):
        try:
            for number in range(start, start + 1000):
                await collection.upsert_arrays([number], vectors_of(1))
                acknowledged.append(number)
        except StoreClosedError:
            pass

    async with anyio.create_task_group() as group:
        async with open_store() as store:
            collection = await store.create_collection("docs", vectors=PARAMS)
            for start in range(0, 8000, 1000):
                group.start_soon(write, collection, start)
            while len(acknowledged) < 50:
                await anyio.lowlevel.checkpoint()
    async with open_store() as store:
        collection = await store.get_collection("docs")
        found = {record.id for record in await collection.retrieve(acknowledged)}
        assert found == set(acknowledged)


async def test_cancelled_searches_leave_nothing_behind(open_store):
    async with open_store(direct_io=True) as store:
        collection = await filled(store)
        queries = vectors_of(200, seed=4)
        for query in queries:
            with anyio.move_on_after(0):
                await collection.search(query, limit=100)
        async with anyio.create_task_group() as group:
            for query in queries:
                group.start_soon(collection.search, query)
            await anyio.lowlevel.checkpoint()
            group.cancel_scope.cancel()
        assert store._engine._pending == {}
        assert len(await collection.search(queries[0])) == 10


async def test_a_cancelled_write_is_whole_or_not_there(open_store):
    async with open_store() as store:
        collection = await store.create_collection("docs", vectors=PARAMS)
        for number in range(30):
            batch = vectors_of(100, seed=number)
            with anyio.move_on_after(0.0001 * number):
                await collection.upsert_arrays(np.arange(100) + 100 * number, batch)
        await collection.upsert_arrays([10**6], vectors_of(1))  # whatever went before is done now
        records, _ = await collection.scroll(limit=10**5, with_vectors=True)
        by_batch: dict[int, int] = {}
        for record in records:
            by_batch[record.id // 100] = by_batch.get(record.id // 100, 0) + 1
        del by_batch[10**4]
        assert set(by_batch.values()) <= {100}
    async with open_store() as store:
        assert await (await store.get_collection("docs")).count() == len(records)


async def test_a_forked_child_is_refused_and_the_parent_goes_on(open_store):
    async with open_store() as store:
        collection = await filled(store)
        child = os.fork()
        if child == 0:
            signal.alarm(20)  # a child that hangs must not hang the tests
            code = 1
            try:
                collection.search(vectors_of(1)[0]).send(None)
            except StoreClosedError as error:
                code = 0 if "another process" in str(error) else 2
            os._exit(code)
        status = os.waitpid(child, 0)[1]  # noqa: ASYNC222 - the child ends by itself or its alarm
        assert os.waitstatus_to_exitcode(status) == 0
        assert len(await collection.search(vectors_of(1)[0])) == 10
        await collection.upsert_arrays([10**6], vectors_of(1))


async def test_a_folder_that_is_not_a_store(tmp_path):
    (tmp_path / "photo.jpg").write_bytes(b"not a store")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(AsyncStoreError, match=str(tmp_path)):
        async with asyncstore.open_store(tmp_path):
            pytest.fail("this is no store")
    assert sorted(tmp_path.rglob("*")) == before


async def test_a_file_in_place_of_the_folder(tmp_path):
    path = tmp_path / "file"
    path.write_text("text")
    with pytest.raises(AsyncStoreError, match="file"):
        async with asyncstore.open_store(path):
            pytest.fail("this is a file")
    assert path.read_text() == "text"


async def test_missing_parents(tmp_path):
    path = tmp_path / "a" / "b" / "store"
    try:
        async with asyncstore.open_store(path) as store:
            await filled(store, 1)
    except StorageIOError as error:  # either is defined: made, or said to be missing
        if "a/b" not in str(error):
            raise


async def test_an_empty_existing_folder_becomes_a_store(tmp_path):
    async with asyncstore.open_store(tmp_path) as store:
        assert await store.list_collections() == []


async def test_statistics_say_which_reader_serves_and_why(tmp_path):
    config = {"storage": {"async_scorer": False}}
    async with asyncstore.open_store(tmp_path, config=config) as store:
        statistics = store.statistics()
        assert statistics.reader == "mmap"
        assert statistics.reader_reason


async def test_io_uring_or_an_error_that_helps(tmp_path, uring_refusal):
    config = {"storage": {"async_scorer": True}}
    if uring_refusal is None:
        async with asyncstore.open_store(tmp_path, config=config) as store:
            assert store.statistics().reader == "io_uring"
    else:
        with pytest.raises(UnsupportedError, match="async_scorer"):
            async with asyncstore.open_store(tmp_path, config=config):
                pytest.fail("io_uring does not work here")


async def test_configuration_from_a_file_and_the_environment(tmp_path, monkeypatch):
    path = tmp_path / "config.yaml"
    path.write_text("storage: {async_scorer: auto, performance: {workers: 1}}")
    monkeypatch.setenv("ASYNCSTORE__STORAGE__ASYNC_SCORER", "false")
    async with asyncstore.open_store(tmp_path / "store", config=path) as store:
        assert store.statistics().reader == "mmap"
        assert store.statistics().workers == 1
        assert store.config.storage.async_scorer.value == "false"
    monkeypatch.setenv("ASYNCSTORE__STORAGE__DURABILITY", "sometimes")
    with pytest.raises(InvalidArgumentError, match=r"storage\.durability"):
        asyncstore.open_store(tmp_path / "store", config=path)


@pytest.mark.parametrize("durability", ["fsync", "flush", "none"])
async def test_every_durability_survives_a_proper_close(tmp_path, durability):
    config = {"storage": {"durability": durability}}
    async with asyncstore.open_store(tmp_path / "store", config=config) as store:
        await filled(store, 500)
    async with asyncstore.open_store(tmp_path / "store", config=config) as store:
        assert await (await store.get_collection("docs")).count() == 500


async def test_a_killed_process_loses_nothing_that_was_acknowledged(tmp_path):
    script = """
import sys, anyio, numpy as np, asyncstore
from asyncstore import models as m
async def main(path):
    async with asyncstore.open_store(path) as store:
        docs = await store.create_collection("docs", vectors=m.VectorParams(size=4, distance="Dot"))
        number = 0
        while True:
            await docs.upsert_arrays([number], np.full((1, 4), number, np.float32))
            print(number, flush=True)
            number += 1
anyio.run(main, sys.argv[1])
"""
    command = [sys.executable, "-c", script, str(tmp_path / "store")]
    printed = b""
    async with await anyio.open_process(command) as process:
        async for part in process.stdout:
            printed += part
            if printed.count(b"\n") > 200:
                process.send_signal(signal.SIGKILL)
    last = int(printed.split(b"\n")[-2])  # the last line that is whole
    async with asyncstore.open_store(tmp_path / "store") as store:
        collection = await store.get_collection("docs")
        records, _ = await collection.scroll(limit=10**6, with_vectors=True)
        assert len(records) in (last + 1, last + 2)  # the one after was perhaps not acknowledged
        for number, record in enumerate(records):
            assert (record.id, record.vector) == (number, [number] * 4)


async def test_a_damaged_collection_spares_the_others(tmp_path):
    path = tmp_path / "store"
    async with asyncstore.open_store(path) as store:
        for name in ("good", "bad"):
            collection = await store.create_collection(name, vectors=PARAMS)
            await collection.upsert_arrays([1], vectors_of(1))
    damaged = manifest_of(path, b"bad")
    content = bytearray(damaged.read_bytes())
    content[len(content) // 2] ^= 0xFF
    damaged.write_bytes(content)
    async with asyncstore.open_store(path) as store:
        assert len(await store.list_collections()) == 2
        assert await (await store.get_collection("good")).count() == 1
        (broken,) = set(await store.list_collections()) - {"good"}
        with pytest.raises(AsyncStoreError):
            await store.get_collection(broken)
        assert await store.collection_exists(broken)
        with pytest.raises(AlreadyExistsError):
            await store.create_collection(broken, vectors=PARAMS)
        assert await store.delete_collection(broken)
        assert not await store.delete_collection(broken)
        assert await store.list_collections() == ["good"]
        await store.create_collection(broken, vectors=PARAMS)
    async with asyncstore.open_store(path) as store:
        assert set(await store.list_collections()) == {broken, "good"}
        assert await (await store.get_collection(broken)).count() == 0


def manifest_of(path: Path, name: bytes) -> Path:
    """The file that says what a collection is: the smallest one that holds its name."""
    holding = [
        file for file in path.rglob("*") if file.is_file() and name in file.read_bytes()[:65536]
    ]
    return min(holding, key=lambda file: file.stat().st_size)


async def test_the_loop_goes_on_while_much_is_written_and_searched(open_store):
    """Not a measurement: a ticker must tick many times while long work is under way."""
    ticks = 0

    async def tick():
        nonlocal ticks
        while True:
            await anyio.lowlevel.checkpoint()
            ticks += 1

    async with open_store(optimizers={"indexing_threshold": 1000}) as store:
        collection = await store.create_collection("docs", vectors=PARAMS, quantization_config=INT8)
        async with anyio.create_task_group() as group:
            group.start_soon(tick)
            for work in (
                lambda: collection.upsert_arrays(range(100_000), vectors_of(100_000)),
                lambda: collection.upsert_arrays(range(50_000), vectors_of(50_000).tolist()),
                lambda: collection.optimize(),
                lambda: collection.search_batch(vectors_of(100), params=m.SearchParams(exact=True)),
                lambda: collection.scroll(limit=20_000, with_vectors=True),
            ):
                ticks = 0
                await work()
                assert ticks >= 10
            group.cancel_scope.cancel()
