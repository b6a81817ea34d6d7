"""A full disk: an error that names the file, nothing lost, and writing goes on with room."""

import asyncio
import errno
import os

import numpy as np
import pytest

import asyncstore
from asyncstore import models as m
from asyncstore.testing import open_test_store
from mounting import ext4, tmpfs

pytestmark = pytest.mark.asyncio

DIM = 64
BATCH = 1000
DISK_MB = 48
WAL_CAPACITY_BYTES = 1 << 20
FILE_SYSTEMS = [pytest.param(ext4, id="ext4"), pytest.param(tmpfs, id="tmpfs")]
REOPEN = "open the store again to write"


@pytest.fixture(params=FILE_SYSTEMS)
def disk(request, tmp_path):
    with request.param(tmp_path / "disk", DISK_MB) as mounted:
        yield mounted


def opening(disk, *, flush_interval_s=3600, indexing_threshold_kb=0):
    """By default nothing happens in the background but what a test asks for."""
    optimizers = {
        "flush_interval_sec": flush_interval_s,
        "indexing_threshold": indexing_threshold_kb,
        "default_segment_number": 1,
        "vacuum_min_vector_number": 100,
    }
    performance = {"workers": 1, "prewarm": False}
    config = {"storage": {"optimizers": optimizers, "performance": performance}}
    return open_test_store(disk / "store", config=config, wal_capacity_bytes=WAL_CAPACITY_BYTES)


async def make_docs(store):
    int8 = m.ScalarQuantization(scalar=m.ScalarQuantizationConfig(type=m.ScalarType.INT8))
    return await store.create_collection(
        "docs",
        vectors=m.VectorParams(size=DIM, distance=m.Distance.DOT, quantization_config=int8),
    )


def batch_ids(number):
    return np.arange(number * BATCH, (number + 1) * BATCH, dtype=np.uint64)


def batch_vectors(number, version=0):
    rng = np.random.default_rng([number, version])
    return rng.standard_normal((BATCH, DIM)).astype(np.float32)


class Batches:
    """The batches that were acknowledged, by number with their version."""

    def __init__(self):
        self.versions = {}

    async def write(self, docs, number, version=0):
        await docs.upsert_arrays(batch_ids(number), batch_vectors(number, version))
        self.versions[number] = version

    async def write_until_full(self, docs):
        """Returns the error of the first batch that did not go in."""
        for number in range(len(self.versions), 10_000):
            try:
                await self.write(docs, number)
            except asyncstore.StorageIOError as error:
                return error
        pytest.fail("the disk never was full")

    async def assert_all_there(self, docs, *, maybe=()):
        """Every acknowledged value, and no point of a batch that was refused."""
        await self.assert_readable(docs)
        count = await docs.count()
        assert count in {BATCH * (len(self.versions) + more) for more in range(len(maybe) + 1)}
        for number in maybe:
            found = await docs.retrieve(batch_ids(number))
            assert len(found) in (0, BATCH), "a refused batch is there by half"

    async def assert_readable(self, docs):
        for number, version in self.versions.items():
            records = await docs.retrieve(batch_ids(number), with_vectors=True)
            found = np.array([record.vector for record in records], np.float32)
            assert np.array_equal(found, batch_vectors(number, version)), f"batch {number}"
        number = next(iter(self.versions))
        hits = await docs.search(batch_vectors(number, self.versions[number])[0], limit=1)
        assert hits[0].id == number * BATCH


def fill(disk):
    """Takes all the space that is left; removing the file gives it back."""
    path = disk / "filler"
    with path.open("ab", buffering=0) as file:
        for size in (1 << 20, 4096, 1):
            while True:
                try:
                    file.write(bytes(size))
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    break
    return path


def assert_says_full(error, disk):
    assert isinstance(error, asyncstore.StorageIOError)
    assert error.errno == errno.ENOSPC
    assert error.filename.startswith(str(disk))
    assert error.filename in str(error)
    assert "No space left on device" in str(error)


async def test_writing_until_the_disk_is_full(disk):
    """With a reserve that is removed then, writing goes on without opening the store again."""
    reserve = disk / "reserve"
    reserve.write_bytes(bytes(12 << 20))
    batches = Batches()
    async with opening(disk) as store:
        docs = await make_docs(store)
        for _ in range(4):  # what a refusal gives back may let another batch in
            assert_says_full(await batches.write_until_full(docs), disk)
        refused = len(batches.versions)
        assert refused > 5
        await batches.assert_all_there(docs)
        reserve.unlink()
        await batches.write(docs, refused)
        await docs.delete(points=batch_ids(0))
        del batches.versions[0]
        await batches.write(docs, 1, version=1)
        await batches.assert_all_there(docs)
    async with opening(disk) as store:
        await batches.assert_all_there(await store.get_collection("docs"))


async def test_many_writers_meet_a_full_disk(disk):
    """Of a group that is committed together each write is there as a whole or not at all."""
    batches = Batches()
    refused = []

    async def writer(numbers):
        for number in numbers:
            try:
                await batches.write(docs, number)
            except asyncstore.StorageIOError as error:
                assert_says_full(error, disk)
                refused.append(number)
                return

    async with opening(disk) as store:
        docs = await make_docs(store)
        async with asyncio.TaskGroup() as group:
            for lane in range(4):
                group.create_task(writer(range(lane, 10_000, 4)))
        assert len(refused) == 4
        await batches.assert_all_there(docs)
    async with opening(disk) as store:
        await batches.assert_all_there(await store.get_collection("docs"), maybe=refused)


async def test_closing_and_opening_on_a_full_disk(disk):
    """The checkpoint at the end fails, the log has everything; opening takes no space."""
    batches = Batches()
    async with opening(disk) as store:
        docs = await make_docs(store)
        for number in range(5):
            await batches.write(docs, number)
        filler = fill(disk)
    async with opening(disk) as store:
        docs = await store.get_collection("docs")
        await batches.assert_all_there(docs)
        filler.unlink()
        await batches.write(docs, 5)
    async with opening(disk) as store:
        await batches.assert_all_there(await store.get_collection("docs"))


async def test_optimizing_on_a_full_disk(disk):
    """Sealing, merging and checkpoints fail with an error, leave no litter, and work later."""
    batches = Batches()
    async with opening(disk) as store:
        docs = await make_docs(store)
        for number in range(3):
            await batches.write(docs, number)
            await docs.optimize()
        await batches.write(docs, 3)
        filler = fill(disk)
        free = []
        for _ in range(3):
            with pytest.raises(asyncstore.StorageIOError) as caught:
                await docs.optimize()
            assert_says_full(caught.value, disk)
            await batches.assert_all_there(docs)
            free.append(os.statvfs(disk).f_bavail)
        assert len(set(free)) == 1, f"each attempt takes space and keeps it: {free}"
        filler.unlink()
        await batches.write(docs, 4)
        await docs.optimize()
        await batches.assert_all_there(docs)
        assert docs.statistics().indexed_vectors == 5 * BATCH
    async with opening(disk) as store:
        docs = await store.get_collection("docs")
        await batches.assert_all_there(docs)
        assert docs.statistics().rebuilt == []
        assert await docs.check() == []


async def test_the_background_on_a_full_disk(disk, wait_until):
    """What nobody asked for fails visibly, and takes nothing with it."""
    batches = Batches()
    async with opening(disk, flush_interval_s=0, indexing_threshold_kb=512) as store:
        docs = await make_docs(store)
        for number in range(8):
            await batches.write(docs, number)
    async with opening(disk) as store:
        await batches.write(await store.get_collection("docs"), 0, version=1)
        fill(disk)  # so that closing cannot make a checkpoint of this
    filler = fill(disk)
    async with opening(disk, flush_interval_s=0, indexing_threshold_kb=512) as store:
        docs = await store.get_collection("docs")
        await wait_until(lambda: docs.statistics().optimizer.state == "failed")
        assert "No space left on device" in docs.statistics().optimizer.what
        await batches.assert_readable(docs)
        filler.unlink()
        await batches.write(docs, 0, version=2)
        await docs.optimize()
        await wait_until(lambda: docs.statistics().optimizer.state == "idle")
    async with opening(disk) as store:
        await batches.assert_readable(await store.get_collection("docs"))


async def test_writing_while_the_background_fills_the_disk(disk):
    """Sealing and merging compete with the writes for the last space."""
    batches = Batches()
    async with opening(disk, flush_interval_s=0, indexing_threshold_kb=512) as store:
        docs = await make_docs(store)
        assert_says_full(await batches.write_until_full(docs), disk)
        await batches.assert_all_there(docs)
    async with opening(disk) as store:
        await batches.assert_all_there(await store.get_collection("docs"))


async def test_a_collection_that_does_not_fit(disk):
    """Making one on a full disk leaves all of it or nothing."""
    pair = m.VectorParams(size=2, distance=m.Distance.DOT)
    batches = Batches()
    async with opening(disk) as store:
        docs = await make_docs(store)
        await batches.write(docs, 0)
        filler = fill(disk)
        made = ["docs"]
        with pytest.raises(asyncstore.StorageIOError) as caught:  # noqa: PT012
            while len(made) < 1000:  # there may be room for some
                await store.create_collection(f"more-{len(made)}", vectors=pair)
                made.append(f"more-{len(made)}")
        assert_says_full(caught.value, disk)
        assert await store.list_collections() == sorted(made)
        filler.unlink()
        await store.create_collection("last", vectors=pair)
    async with opening(disk) as store:
        assert await store.list_collections() == sorted([*made, "last"])
        await batches.assert_all_there(await store.get_collection("docs"))
