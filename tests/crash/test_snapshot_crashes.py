"""Snapshots on other disks, on full ones, and in processes that are killed."""

import asyncio
import errno
import fcntl
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import asyncstore
from asyncstore import models as m
from asyncstore.errors import CorruptionError, StorageIOError
from mounting import tmpfs

POINTS = 300
KILLS = 12


def opening(folder, **storage):
    config = {"storage": {"performance": {"workers": 1, "prewarm": False}, **storage}}
    return asyncstore.open_store(folder, config=config)


async def make(store):
    return await store.create_collection(
        "docs", vectors=m.VectorParams(size=4, distance=m.Distance.DOT)
    )


async def write(docs, version, count=POINTS, payload_bytes=100):
    text = "".join(random.Random(version).choices("abcdefghij", k=payload_bytes))
    await docs.upsert(
        [
            m.PointStruct(
                id=number,
                vector=[number, version, 0, 1],
                payload={"version": version, "text": text},
            )
            for number in range(count)
        ]
    )


async def versions(docs):
    """Those of all points, each with its vector's."""
    found, _ = await docs.scroll(limit=10_000, with_vectors=True)
    assert len(found) == POINTS
    return {(record.payload["version"], record.vector[1]) for record in found}


def names_in(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def small_disk(tmp_path):
    with tmpfs(tmp_path / "disk", 2) as mounted:
        yield mounted


@pytest.mark.asyncio
async def test_a_snapshot_is_put_together_on_another_file_system(tmp_path, small_disk):
    snapshots = tmp_path / "snapshots"
    async with opening(
        tmp_path / "store", temp_path=str(small_disk), snapshots_path=str(snapshots)
    ) as store:
        docs = await make(store)
        await write(docs, 1)
        assert os.stat(small_disk).st_dev != os.stat(tmp_path).st_dev
        made = await docs.create_snapshot()
        file = snapshots / "docs" / made.name
        assert hashlib.sha256(file.read_bytes()).hexdigest() == made.checksum
        assert names_in(small_disk) == []
        assert names_in(snapshots) == [made.name, made.name + ".checksum"]
        await write(docs, 2)
        await docs.recover_snapshot(file, checksum=made.checksum)
        assert await versions(docs) == {(1, 1)}


@pytest.mark.asyncio
async def test_a_full_disk_for_putting_together_is_told_and_changes_nothing(tmp_path, small_disk):
    async with opening(tmp_path / "store", temp_path=str(small_disk)) as store:
        docs = await make(store)
        await write(docs, 1, payload_bytes=20_000)
        for create in (docs.create_snapshot, store.create_snapshot):
            with pytest.raises(StorageIOError, match="making a snapshot failed") as failed:
                await create()
            assert failed.value.errno == errno.ENOSPC
        assert names_in(small_disk) == names_in(store.snapshots.root) == []
        assert await versions(docs) == {(1, 1)}
        await write(docs, 2)
        await docs.optimize()
        assert await docs.check() == []


@pytest.mark.asyncio
async def test_a_full_disk_of_snapshots_is_told_and_changes_nothing(tmp_path, small_disk):
    """Others fill it while the snapshot is put together elsewhere."""
    async with opening(
        tmp_path / "store", temp_path=str(tmp_path / "temp"), snapshots_path=str(small_disk)
    ) as store:
        docs = await make(store)
        await write(docs, 1)
        (small_disk / "other").write_bytes(bytes((2 << 20) - 65_536))
        with pytest.raises(StorageIOError, match="do not fit") as failed:
            await docs.create_snapshot()
        assert failed.value.errno == errno.ENOSPC
        assert names_in(small_disk) == ["other"]
        assert names_in(tmp_path / "temp") == []


@pytest.mark.asyncio
async def test_a_store_without_room_refuses_a_snapshot_and_stays(tmp_path):
    with tmpfs(tmp_path / "disk", 24) as disk:
        elsewhere = {"snapshots_path": str(tmp_path / "snapshots")}
        async with opening(tmp_path / "large", **elsewhere) as store:
            docs = await make(store)
            await write(docs, 1, payload_bytes=100_000)
            made = await docs.create_snapshot()
        file = tmp_path / "snapshots" / "docs" / made.name
        assert made.size > 24 << 20
        async with opening(disk / "store", **elsewhere) as store:
            docs = await make(store)
            await write(docs, 2)
            with pytest.raises(StorageIOError, match="do not fit"):
                await docs.recover_snapshot(file)
            assert not (disk / "store" / "recovering").exists()
            assert await versions(docs) == {(2, 2)}
            await write(docs, 3)
            assert await versions(docs) == {(3, 3)}


# --- killed ---


async def live(folder, files):
    """Makes snapshots and recovers these two in turn for ever, and tells what it has recovered."""
    async with opening(folder) as store:
        docs = await store.get_collection("docs")
        while True:
            for version, file in enumerate(files, 1):
                await asyncio.gather(
                    docs.create_snapshot(),
                    store.recover_snapshot(file, collection="docs"),
                    return_exceptions=True,  # a snapshot of what is being replaced may fail
                )
                docs = await store.get_collection("docs")
                os.write(1, bytes([version]))


async def look(folder, known):
    """What is there after a kill; the last that was told, or the next."""
    async with opening(folder) as store:
        docs = await store.get_collection("docs")
        assert await store.list_collections() == ["docs"]
        ((version, in_vector),) = await versions(docs)
        assert version == in_vector
        assert known is None or version in (known, 3 - known)
        assert len(os.listdir(folder / "collections")) == 1
        assert not (folder / "recovering").exists()
        listed = await docs.list_snapshots()
        files = names_in(store.snapshots.root)
        assert files == sorted(
            name for one in listed for name in (one.name, one.name + ".checksum")
        )
        for one in listed:
            content = (store.snapshots.of("docs").path / one.name).read_bytes()
            assert hashlib.sha256(content).hexdigest() == one.checksum
            await docs.delete_snapshot(one.name)
        assert await docs.check() == []
        await write(docs, version)


def test_a_kill_leaves_the_old_or_the_new_and_nothing_else(tmp_path):
    folder = tmp_path / "store"
    files = []

    async def prepare():
        async with opening(folder) as store:
            docs = await make(store)
            for version in (1, 2):
                await write(docs, version)
                made = await docs.create_snapshot()
                file = store.snapshots.of("docs").path / made.name
                files.append(str(file.rename(tmp_path / f"{version}.snapshot")))
                await docs.optimize()

    asyncio.run(prepare())
    rng = random.Random(7)
    recovered = 0
    for _ in range(KILLS):
        child = subprocess.Popen(
            [sys.executable, __file__, str(folder), *files],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": ":".join(sys.path)},
        )
        told = child.stdout.read(1)  # it is at work from now on
        time.sleep(rng.uniform(0, 1.5))
        child.send_signal(signal.SIGKILL)
        told += child.communicate()[0]
        assert child.returncode == -signal.SIGKILL
        recovered += len(told)
        asyncio.run(look(folder, told[-1]))
    assert recovered > KILLS


@pytest.mark.asyncio
@pytest.mark.parametrize("is_newer_damaged", [False, True])
async def test_of_two_collections_of_one_name_the_newer_one_stays(tmp_path, is_newer_damaged):
    """A crash between the step that makes the newer one count and the one that ends the older."""
    folder = tmp_path / "store"
    older, newer = (folder / "collections" / number for number in ("9", "10"))
    async with opening(folder) as store:
        await write(await make(store), 1)
    (folder / "collections" / "1").rename(older)
    shutil.copytree(older, newer)
    async with opening(folder) as store:
        await write(await store.get_collection("docs"), 2)
    assert not older.exists()
    shutil.copytree(newer, older)
    async with opening(folder) as store:
        assert await versions(await store.get_collection("docs")) == {(2, 2)}
    assert not older.exists()
    shutil.copytree(newer, older)
    if is_newer_damaged:
        (newer / "MANIFEST").write_bytes(b"x")
    async with opening(folder) as store:
        assert await store.list_collections() == ["docs"]
        if is_newer_damaged:
            with pytest.raises(CorruptionError):
                await store.get_collection("docs")
    assert older.exists() == is_newer_damaged


@pytest.mark.asyncio
async def test_an_open_removes_what_was_left_and_not_what_others_are_at(tmp_path):
    root, temp = tmp_path / "store" / "snapshots", tmp_path / "temp"
    async with opening(tmp_path / "store") as store:
        await make(store)
    for folder in (root / "docs", temp, tmp_path / "store" / "recovering" / "x" / "segments"):
        folder.mkdir(parents=True)
    left = [root / ".asyncstore-1.part", root / "docs" / ".asyncstore-2.part"]
    left += [temp / ".asyncstore-3.part", root / "docs" / "gone.snapshot.checksum"]
    for path in left:
        path.write_bytes(b"x")
    kept = [temp / "of others", root / "docs" / "mine.snapshot", temp / ".asyncstore-4.part"]
    for path in kept:
        path.write_bytes(b"x")
    with kept[-1].open() as locked:
        fcntl.flock(locked, fcntl.LOCK_EX)
        async with opening(tmp_path / "store", temp_path=str(temp)) as store:
            assert not any(path.exists() for path in left)
            assert all(path.exists() for path in kept)
            assert not (tmp_path / "store" / "recovering").exists()
            docs = await store.get_collection("docs")
            assert [one.name for one in await docs.list_snapshots()] == ["mine.snapshot"]


if __name__ == "__main__":
    asyncio.run(live(Path(sys.argv[1]), sys.argv[2:]))
