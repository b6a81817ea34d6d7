"""Folders that cannot be a store: a clear error that says what to do, and nothing changed."""

import errno
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

import asyncstore
from asyncstore import models as m
from crc32c import crc32c
from mounting import read_only_bind, remount_read_only, tmpfs

pytestmark = pytest.mark.asyncio

NOBODY = 65534
LOOK = """
import asyncio, json, os, sys, tempfile, asyncstore
async def look(folder):
    try:
        async with asyncstore.open_store(folder) as store:
            print("open", flush=True)
            sys.stdin.readline()
    except asyncstore.AsyncStoreError as error:
        print(json.dumps([type(error).__name__, str(error), getattr(error, "errno", 0)]))
if len(sys.argv) > 2 and os.geteuid() == 0:
    async def once():  # imports what is imported late
        with tempfile.TemporaryDirectory() as folder:
            async with asyncstore.open_store(folder):
                pass
        try:
            async with asyncstore.open_store("/dev/null/store"):
                pass
        except asyncstore.AsyncStoreError:
            pass
    asyncio.run(once())
    os.setgroups([])
    os.setgid(int(sys.argv[2]))
    os.setuid(int(sys.argv[2]))
asyncio.run(look(sys.argv[1]))
"""


def contents(folder):
    """Name and content of everything in a folder; an error must leave it as it is."""
    found = {}
    for path in sorted(folder.rglob("*")):
        data = path.read_bytes() if path.is_file() else b""
        found[str(path.relative_to(folder))] = hashlib.sha256(data).hexdigest()
    return found


async def make_store(folder, names=("docs",)):
    async with asyncstore.open_store(folder) as store:
        for name in names:
            docs = await store.create_collection(
                name, vectors=m.VectorParams(size=4, distance=m.Distance.DOT)
            )
            await docs.upsert_arrays([1, 2, 3], np.eye(3, 4, dtype=np.float32))


async def refusal(folder):
    """What opening raises."""
    with pytest.raises(asyncstore.AsyncStoreError) as caught:
        async with asyncstore.open_store(folder):
            pass
    return caught.value


async def assert_it_opens(folder):
    async with asyncstore.open_store(folder) as store:
        assert await (await store.get_collection("docs")).count() == 3


# --- may not be written ---


def assert_says_read_only(error, path):
    assert isinstance(error, asyncstore.StorageIOError)
    assert error.errno == errno.EROFS
    assert error.filename.startswith(str(path))
    assert error.filename in str(error)
    assert "Read-only file system" in str(error)
    assert "A store needs a folder that it may write to, even if it is only read" in str(error)


async def test_a_read_only_file_system(tmp_path):
    await make_store(tmp_path / "store")
    with tmpfs(tmp_path / "disk", 64) as disk:
        shutil.copytree(tmp_path / "store", disk / "store")
        (disk / "empty").mkdir()
        remount_read_only(disk)
        before = contents(disk)
        for name in ("store", "empty", "new"):
            assert_says_read_only(await refusal(disk / name), disk / name)
        assert contents(disk) == before


async def test_a_read_only_bind_of_a_folder(tmp_path):
    await make_store(tmp_path / "store")
    before = contents(tmp_path / "store")
    with read_only_bind(tmp_path / "bound", tmp_path / "store") as bound:
        assert_says_read_only(await refusal(bound), bound)
    assert contents(tmp_path / "store") == before
    await assert_it_opens(tmp_path / "store")


@pytest.fixture
def public_folder():
    """Unlike pytest's, others may look into it."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


def look_as_nobody(folder):
    """What somebody gets who may read but not write.

    Root becomes nobody once everything is imported: nobody need not be able to read this Python.
    """
    done = subprocess.run(
        [sys.executable, "-c", LOOK, str(folder), str(NOBODY)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


async def test_a_folder_of_somebody_else(public_folder):
    """Permission bits; root is not bound by them, so nobody looks."""
    await make_store(public_folder / "store")
    (public_folder / "empty").mkdir()
    for name in ("store/LOCK", "store", "empty", "."):
        (public_folder / name).chmod(0o555)
    before = contents(public_folder)
    for name in ("store", "empty", "new"):
        kind, message, code = look_as_nobody(public_folder / name)
        assert (kind, code) == ("StorageIOError", errno.EACCES), message
        assert str(public_folder / name) in message
        assert "Permission denied" in message
        assert "folder that it may write to" in message
    assert contents(public_folder) == before
    for name in ("store", "empty"):
        (public_folder / name).chmod(0o755)


# --- is no folder ---


async def test_a_missing_parent(tmp_path):
    error = await refusal(tmp_path / "missing" / "store")
    assert isinstance(error, asyncstore.StorageIOError)
    assert error.errno == errno.ENOENT
    assert f"{tmp_path}/missing/store" in str(error)
    assert "Make the folder around it first" in str(error)
    assert contents(tmp_path) == {}


@pytest.mark.parametrize(("below", "code"), [("", errno.EEXIST), ("/store", errno.ENOTDIR)])
async def test_a_file(tmp_path, below, code):
    (tmp_path / "file").write_text("mine")
    error = await refusal(f"{tmp_path}/file{below}")
    assert isinstance(error, asyncstore.StorageIOError)
    assert error.errno == code
    assert f"{tmp_path}/file{below}" in str(error)
    assert "A store is a folder" in str(error)
    assert (tmp_path / "file").read_text() == "mine"


# --- is no store, or not one for us ---


@pytest.mark.parametrize("name", ["mine.txt", ".hidden", "STORES"])
async def test_a_folder_that_holds_something_else(tmp_path, name):
    (tmp_path / name).write_text("mine")
    before = contents(tmp_path)
    error = await refusal(tmp_path)
    assert isinstance(error, asyncstore.InvalidArgumentError)
    assert f"'{tmp_path}' is not a store" in str(error)
    assert f"'{name}'" in str(error)
    assert "Give an empty or a new folder" in str(error)
    assert contents(tmp_path) == before


async def test_a_newer_store(tmp_path):
    await make_store(tmp_path)
    path = tmp_path / "STORE"
    kept = path.read_bytes()
    path.write_bytes(kept.replace(b"format 1\n", b"format 7\n"))
    before = contents(tmp_path)
    error = await refusal(tmp_path)
    assert isinstance(error, asyncstore.UnsupportedError)
    for word in (str(tmp_path), "format 7", "reads format 1", "newer"):
        assert word in str(error)
    assert contents(tmp_path) == before
    path.write_bytes(kept)
    await assert_it_opens(tmp_path)


@pytest.mark.parametrize("content", [b"", b"asyncstore", b"something else\n" * 300])
async def test_a_damaged_store_file(tmp_path, content):
    await make_store(tmp_path)
    path = tmp_path / "STORE"
    kept = path.read_bytes()
    path.write_bytes(content)
    before = contents(tmp_path)
    error = await refusal(tmp_path)
    assert isinstance(error, asyncstore.CorruptionError)
    assert error.file == str(path)
    assert contents(tmp_path) == before
    path.write_bytes(kept)
    await assert_it_opens(tmp_path)


@pytest.mark.parametrize("name", ["MANIFEST", "COLLECTION"])
async def test_a_newer_collection(tmp_path, name):
    """It alone is refused; the other collection of the store can be used."""
    await make_store(tmp_path, ("docs", "other"))
    folder = next(
        path.parent
        for path in tmp_path.glob("collections/*/COLLECTION")
        if b"other" in path.read_bytes()
    )
    path = folder / name
    kept = path.read_bytes()
    newer = bytearray(kept)
    newer[8:12] = (9).to_bytes(4, "little")  # the format version, see native/engine/manifest.cc
    newer[-4:] = crc32c(bytes(newer[:-4])).to_bytes(4, "little")
    path.write_bytes(newer)
    before = contents(folder)
    async with asyncstore.open_store(tmp_path) as store:
        # Where COLLECTION cannot be read nobody knows the name: its folder stands for it.
        broken = "other" if name == "MANIFEST" else folder.name
        assert await store.list_collections() == sorted(["docs", broken])
        assert await (await store.get_collection("docs")).count() == 3
        with pytest.raises(asyncstore.UnsupportedError) as caught:
            await store.get_collection(broken)
        for word in (str(path), "version 9", "version 1", "newer"):
            assert word in str(caught.value)
    assert contents(folder) == before
    path.write_bytes(kept)
    async with asyncstore.open_store(tmp_path) as store:
        assert await (await store.get_collection("other")).count() == 3


# --- belongs to another process ---


@pytest.fixture
def held_by_another():
    """Lets another process open a store until the end of the test."""
    holders = []

    def hold(folder):
        holder = subprocess.Popen(
            [sys.executable, "-c", LOOK, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        holders.append(holder)
        assert holder.stdout.readline() == "open\n"

        def end():
            holder.kill()  # however its holder ends, the lock ends with it
            holder.communicate()

        return end

    yield hold
    for holder in holders:
        holder.kill()
        holder.communicate()


async def test_a_store_that_another_process_holds(tmp_path, held_by_another):
    await make_store(tmp_path)
    end = held_by_another(tmp_path)
    before = contents(tmp_path)
    error = await refusal(tmp_path)
    assert isinstance(error, asyncstore.StoreLockedError)
    assert str(tmp_path) in str(error)
    assert "open already, here or in another process; close it there first" in str(error)
    assert contents(tmp_path) == before
    end()
    await assert_it_opens(tmp_path)
