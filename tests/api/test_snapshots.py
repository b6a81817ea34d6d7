"""Snapshots: one moment of a collection under writes, and what may come back from a file."""

import hashlib
import io
import itertools
import json
import re
import tarfile
import threading

import anyio
import numpy as np
import pytest

from asyncstore import models as m
from asyncstore.errors import (
    AlreadyExistsError,
    CollectionNotFoundError,
    InvalidArgumentError,
    NotFoundError,
    StoreClosedError,
)
from asyncstore.snapshot_files import PartFile

pytestmark = pytest.mark.asyncio

DIM = 8


async def make(store, name="docs"):
    collection = await store.create_collection(
        name,
        vectors={
            "dense": m.VectorParams(
                size=DIM,
                distance=m.Distance.DOT,
                quantization_config=m.ScalarQuantization(
                    scalar=m.ScalarQuantizationConfig(type=m.ScalarType.INT8)
                ),
            ),
            "late": m.VectorParams(
                size=2,
                distance=m.Distance.DOT,
                multivector_config=m.MultiVectorConfig(comparator="max_sim"),
            ),
        },
        sparse_vectors={"words": m.SparseVectorParams()},
    )
    await collection.create_payload_index("n", "integer")
    return collection


def vector_of(number, version):
    return [float(number), float(version), 1.0, 0.0, 0.0, 0.0, 0.0, 0.5]


def point(number, version=0):
    return m.PointStruct(
        id=number,
        vector={
            "dense": vector_of(number, version),
            "late": [[float(number), 1.0], [float(version), 2.0]],
            "words": m.SparseVector(indices=[1, 2 + number], values=[1.0, 2.0]),
        },
        payload={"n": number, "version": version, "text": f"point {number} " * 8},
    )


async def contents(collection):
    """All points as the collection gives them, by their ids."""
    found, offset = await collection.scroll(limit=10_000, with_vectors=True)
    assert offset is None
    return {record.id: (record.payload, json.dumps(_plain(record.vector))) for record in found}


def _plain(vector):
    words = vector["words"]
    return [
        np.asarray(vector["dense"]).tolist(),
        [np.asarray(row).tolist() for row in vector["late"]],
        list(map(int, words.indices)),
        list(map(float, words.values)),
    ]


def file_of(store, collection, description):
    return store.snapshots.of(collection).path / description.name


async def test_a_snapshot_is_listed_as_it_is_and_brings_everything_back(open_store):
    async with open_store() as store:
        docs = await make(store)
        await docs.upsert([point(number) for number in range(300)])
        await docs.optimize()
        await docs.upsert([point(number, 1) for number in range(250, 320)])
        await docs.delete(points=[3, 4, 5])
        before = await contents(docs)

        made = await docs.create_snapshot()
        assert await docs.list_snapshots() == [made]
        file = file_of(store, "docs", made)
        assert re.fullmatch(r"docs-0-\d{4}(-\d\d){5}\.snapshot", made.name)
        assert made.size == file.stat().st_size
        assert made.checksum == hashlib.sha256(file.read_bytes()).hexdigest()

        await docs.delete(points=list(range(320)))
        await docs.upsert([point(1000)])
        other = await store.get_collection("docs")
        await docs.recover_snapshot(file, checksum=made.checksum)
        assert await contents(docs) == before
        hits = await docs.search(vector_of(299, 1), using="dense", limit=3)
        assert [hit.id for hit in hits] == [319, 318, 317]
        late = await docs.query([[1.0, 0.0]], using="late", limit=1)
        assert late[0].id == 319
        by_index = m.Filter(must=[m.FieldCondition(key="n", range=m.Range(gte=318))])
        assert await docs.count(filter=by_index) == 2
        with pytest.raises(CollectionNotFoundError):
            await other.retrieve([1])
        assert await docs.check() == []
    async with open_store() as store:
        docs = await store.get_collection("docs")
        assert await contents(docs) == before
        assert await store.list_collections() == ["docs"]
        assert docs.statistics().rebuilt == []
        assert await docs.list_snapshots() == [made]
        assert await docs.delete_snapshot(made.name)
        assert await docs.list_snapshots() == []
        assert list(file.parent.iterdir()) == []


class Lane:
    """Writes of one task to points of its own; what they leave is known for each operation."""

    POINTS = 60

    def __init__(self, number):
        self._ids = range(number * self.POINTS, (number + 1) * self.POINTS)
        self._rng = np.random.default_rng(number)
        self.operations = []  # (operation id, change of a dict of points)

    async def write(self, collection, rounds):
        for version in itertools.count(1):
            if version > rounds:
                return
            ids = [int(id) for id in self._rng.choice(self._ids, size=6, replace=False)]
            for write in (self._upsert, self._set_payload, self._delete):
                await write(collection, ids, version)

    async def _upsert(self, collection, ids, version):
        points = [point(id, version) for id in ids]
        result = await collection.upsert(points)

        def change(model):
            model.update({one.id: one for one in points})

        self.operations.append((result.operation_id, change))

    async def _set_payload(self, collection, ids, version):
        result = await collection.set_payload({"set": "x" * version}, points=ids[:3])

        def change(model):
            for id in ids[:3]:
                old = model[id]
                payload = {**old.payload, "set": "x" * version}
                model[id] = m.PointStruct(id=id, vector=old.vector, payload=payload)

        self.operations.append((result.operation_id, change))

    async def _delete(self, collection, ids, version):
        result = await collection.delete(points=ids[4:])

        def change(model):
            for id in ids[4:]:
                model.pop(id, None)

        self.operations.append((result.operation_id, change))


def model_at(lanes, operation_id):
    model = {}
    operations = sorted((one for lane in lanes for one in lane.operations), key=lambda one: one[0])
    for number, change in operations:
        if number <= operation_id:
            change(model)
    return {id: (one.payload, json.dumps(_plain(one.vector))) for id, one in model.items()}


async def test_a_snapshot_under_writes_is_one_moment_of_the_log(open_store):
    """Checkpoints and the optimizer go on as well."""
    lanes = [Lane(number) for number in range(3)]
    made = []
    optimizers = {"flush_interval_sec": 1, "indexing_threshold": 1, "vacuum_min_vector_number": 100}
    async with open_store(optimizers=optimizers) as store:
        docs = await make(store)
        async with anyio.create_task_group() as tasks:
            for lane in lanes:
                tasks.start_soon(lane.write, docs, 60)
            while len(made) < 4:
                made.append(await docs.create_snapshot())
        assert len({one.name for one in made}) == len(made)
        moments = []
        for number, one in enumerate(made):
            name = f"restored {number}"
            file = file_of(store, "docs", one)
            await store.recover_snapshot(file, collection=name, checksum=one.checksum)
            restored = await store.get_collection(name)
            moments.append(restored.statistics().operation_id)
            assert await contents(restored) == model_at(lanes, moments[-1])
            assert await restored.check() == []
        assert moments == sorted(moments)
        assert 1 < moments[0] < docs.statistics().operation_id
        assert await contents(docs) == model_at(lanes, docs.statistics().operation_id)


class Gate:
    """Holds a snapshot up before its first byte is copied."""

    def __init__(self, monkeypatch):
        self.reached, self._open = threading.Event(), threading.Event()
        write = PartFile.write

        def gated(part, content):
            self.reached.set()
            assert self._open.wait(60)
            write(part, content)

        monkeypatch.setattr(PartFile, "write", gated)

    def open(self):
        self._open.set()


async def test_what_a_snapshot_needs_stays_however_much_changes(
    open_store, monkeypatch, wait_until
):
    """All is written anew, several times over, while the snapshot's copying has not yet begun."""
    async with open_store() as store:
        docs = await make(store)
        await docs.upsert([point(number) for number in range(400)])
        before = await contents(docs)
        gate = Gate(monkeypatch)
        made = []

        async def snapshot():
            made.append(await docs.create_snapshot())

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(snapshot)
            await wait_until(gate.reached.is_set)
            for version in range(1, 5):
                await docs.upsert([point(number, version) for number in range(400)])
                await docs.optimize()
            gate.open()
        after = await contents(docs)
        await docs.recover_snapshot(file_of(store, "docs", made[0]))
        assert await contents(docs) == before != after


async def test_closing_ends_a_snapshot(open_store, monkeypatch, wait_until):
    async with anyio.create_task_group() as tasks:
        async with open_store() as store:
            docs = await make(store)
            await docs.upsert([point(1)])
            gate = Gate(monkeypatch)

            async def snapshot():
                with pytest.raises(StoreClosedError):
                    await docs.create_snapshot()

            async def close():
                gate.open()

            tasks.start_soon(snapshot)
            await wait_until(gate.reached.is_set)
            tasks.start_soon(close)
    async with open_store() as store:
        docs = await store.get_collection("docs")
        assert await docs.list_snapshots() == []
        assert [path.name for path in store.snapshots.root.rglob("*")] == ["docs"]


async def test_a_cancelled_snapshot_leaves_nothing(open_store, monkeypatch, wait_until):
    async with open_store() as store:
        docs = await make(store)
        await docs.upsert([point(1)])
        gate = Gate(monkeypatch)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(docs.create_snapshot)
            await wait_until(gate.reached.is_set)
            tasks.cancel_scope.cancel()
            with anyio.CancelScope(shield=True):
                await wait_until(lambda: all(stop.is_set() for stop in store.snapshots._stops))
            gate.open()
        assert [path.name for path in store.snapshots.root.rglob("*")] == ["docs"]
        monkeypatch.undo()
        assert await docs.create_snapshot()


async def test_the_whole_store(open_store, tmp_path):
    async with open_store() as store:
        docs, others = await make(store), await make(store, "..")
        await store.create_collection("empty")
        await docs.upsert([point(number) for number in range(30)])
        await others.upsert([point(number) for number in range(50)])
        before = {"docs": await contents(docs), "..": await contents(others)}
        of_docs, of_others = await docs.create_snapshot(), await others.create_snapshot()
        made = await store.create_snapshot()
        assert re.fullmatch(r"full-snapshot-\d{4}(-\d\d){5}\.snapshot", made.name)
        assert await store.list_snapshots() == [made]
        assert await docs.list_snapshots() == [of_docs]
        assert await others.list_snapshots() == [of_others]
        assert store.snapshots.of("..").path.resolve().parent == store.snapshots.root.resolve()
        file = file_of(store, None, made)
        assert made.checksum == hashlib.sha256(file.read_bytes()).hexdigest()

        await docs.upsert([point(number) for number in range(100)])
        await store.delete_collection("..")
        await store.delete_collection("empty")
        await store.create_collection("stays")
        await store.recover_snapshot(file.as_uri(), checksum=made.checksum)
        assert await store.list_collections() == ["..", "docs", "empty", "stays"]
        for name, expected in before.items():
            assert await contents(await store.get_collection(name)) == expected

        with pytest.raises(InvalidArgumentError, match="of one collection"):
            await store.recover_snapshot(file_of(store, "docs", of_docs))
        with pytest.raises(InvalidArgumentError, match="of a whole store"):
            await store.recover_snapshot(file, collection="docs")
        for name in ("none.snapshot", "../docs/" + of_docs.name, made.name + ".checksum", ""):
            with pytest.raises(NotFoundError):
                await store.delete_snapshot(name)
        assert await store.delete_snapshot(made.name)
        assert await store.list_snapshots() == []


async def test_aliases_go_with_the_whole_store(open_store):
    async with open_store() as store:
        docs = await make(store)
        await make(store, "others")
        await docs.upsert([point(1)])
        await store.update_aliases(
            [
                {"create_alias": {"collection_name": "docs", "alias_name": "a"}},
                {"create_alias": {"collection_name": "others", "alias_name": "b"}},
            ]
        )
        before = await store.list_aliases()
        file = file_of(store, None, await store.create_snapshot())
        of_docs = file_of(store, "docs", await docs.create_snapshot())
        with pytest.raises(InvalidArgumentError, match="Alias with the same name already exists"):
            await store.recover_snapshot(of_docs, collection="a")

        await store.delete_collection("docs")
        await store.update_aliases(
            [{"create_alias": {"collection_name": "others", "alias_name": "a"}}]
        )
        await store.recover_snapshot(file)
        assert await store.list_aliases() == before
        assert (await store.get_collection("a")).name == "docs"

        await store.update_aliases([{"delete_alias": {"alias_name": "b"}}])
        await store.create_collection("b")
        await (await store.get_collection("docs")).upsert([point(2)])
        with pytest.raises(AlreadyExistsError, match="alias of this name"):
            await store.recover_snapshot(file)
        assert await (await store.get_collection("docs")).count() == 2


# --- what may come back from a file ---


def entry(name, content=b"", **changes):
    """Header and content of a file in an archive, with what is changed in the header."""
    header = tarfile.TarInfo(name)
    header.size = len(content)
    for key, value in changes.items():
        setattr(header, key, value)
    padding = b"\0" * (-len(content) % 512)
    return header.tobuf(tarfile.GNU_FORMAT) + content + padding


def collected(archive):
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return {one.name: tar.extractfile(one).read() for one in tar.getmembers()}


def archived(files):
    return b"".join(entry(*file) for file in files.items()) + b"\0" * 1024


def flipped(content, at):
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


def with_flip_in(pattern, at=None):
    """One bit of the files whose names match, with the archive's own sums right."""

    def forge(archive):
        files = collected(archive)
        names = [name for name in files if re.fullmatch(pattern, name)]
        assert names
        for name in names:
            files[name] = flipped(files[name], len(files[name]) // 2 if at is None else at)
        return archived(files)

    return forge


def without(name):
    return lambda archive: archived({k: v for k, v in collected(archive).items() if k != name})


def adding(extra):
    return lambda archive: extra + archive


FORGED = {
    "parent": adding(entry("../../escaped", b"x")),
    "parent inside": adding(entry("segments/../../../escaped", b"x")),
    "absolute": adding(entry("/tmp/asyncstore-escaped", b"x")),
    "other name": adding(entry("segments/escaped", b"x")),
    "log": adding(entry("wal/0000000001.wal", b"x")),
    "lock": adding(entry("DELETED", b"x")),
    "newline": adding(entry("COLLECTION\n", b"x")),
    "twice": lambda archive: adding(entry("MANIFEST", collected(archive)["MANIFEST"]))(archive),
    "symbolic link": adding(entry("fields/99.field", type=tarfile.SYMTYPE, linkname="/tmp")),
    "hard link": adding(entry("fields/99.field", type=tarfile.LNKTYPE, linkname="/etc/passwd")),
    "folder": adding(entry("fields/99.field", type=tarfile.DIRTYPE)),
    "device": adding(entry("fields/99.field", type=tarfile.CHRTYPE)),
    "pipe": adding(entry("fields/99.field", type=tarfile.FIFOTYPE)),
    "sparse file": adding(entry("fields/99.field", type=tarfile.GNUTYPE_SPARSE)),
    "long name": adding(entry("x", b"COLLECTION", type=tarfile.GNUTYPE_LONGNAME)),
    "pax header": adding(entry("x", b"12 size=1000\n", type=tarfile.XHDTYPE)),
    "size beyond": adding(entry("points/1.points", size=1 << 40)),
    "negative size": adding(entry("points/1.points", size=-512)),
    "many files": lambda archive: entry("points/1.points") * 100_001 + archive,
    "cut off": lambda archive: archive[: len(archive) // 2 // 512 * 512],
    "cut off in a block": lambda archive: archive[:-700],
    "without its end": lambda archive: archive[:-1024],
    "more behind": lambda archive: archive + b"more",
    "empty": lambda archive: b"",
    "no archive": lambda archive: b"PK\3\4" * 1000,
    "header": lambda archive: flipped(archive, 3),
    "no manifest": without("MANIFEST"),
    "no collection": without("COLLECTION"),
    "no tracker": without("payload/tracker"),
    "description": with_flip_in("COLLECTION"),
    "manifest": with_flip_in("MANIFEST"),
    "points": with_flip_in(r"points/\d+\.points"),
    "vectors": with_flip_in(r"segments/\d+\.vectors"),
    "rows": with_flip_in(r"segments/\d+\.rows"),
    "codes": with_flip_in(r"segments/\d+\.codes"),
    "index": with_flip_in(r"fields/\d+\.field"),
    "tracker and its journal": with_flip_in(r"payload/(tracker|\d+\.done)", at=80),
    "payloads": with_flip_in(r"payload/\d+\.page", at=10),
    "sparse vectors": with_flip_in(r"sparse-0/\d+\.page", at=10),
    "multivectors": with_flip_in(r"multi-0/\d+\.page", at=10),
}


def tree(folder):
    """Every file below a folder but for the snapshots and the log."""
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if not {"snapshots", "wal"} & set(path.relative_to(folder).parts)
    )


@pytest.mark.parametrize("name", FORGED)
async def test_a_forged_snapshot_is_refused_and_nothing_changes(open_store, tmp_path, name):
    async with open_store() as store:
        docs = await make(store)
        await docs.upsert([point(number) for number in range(400)])
        await docs.optimize()
        made = await docs.create_snapshot()
        good = file_of(store, "docs", made).read_bytes()
        bad = tmp_path / "bad.snapshot"
        bad.write_bytes(FORGED[name](good))
        before, files = await contents(docs), tree(tmp_path)
        for collection in ("docs", "new"):
            with pytest.raises(InvalidArgumentError, match="snapshot"):
                await store.recover_snapshot(bad, collection=collection)
        assert await contents(docs) == before
        assert await store.list_collections() == ["docs"]
        assert tree(tmp_path) == files
        await docs.upsert([point(1, 7)])
    async with open_store() as store:
        assert await store.list_collections() == ["docs"]


async def test_a_forged_snapshot_of_a_store_changes_no_collection(open_store, tmp_path):
    """The first collection in it is sound."""
    async with open_store() as store:
        docs, others = await make(store), await make(store, "others")
        for collection in (docs, others):
            await collection.upsert([point(1)])
        made = await store.create_snapshot()
        files = collected(file_of(store, None, made).read_bytes())
        assert list(files) == ["0.snapshot", "1.snapshot", "STORE.json"]
        await docs.upsert([point(2)])
        before = await contents(docs)
        told = json.loads(files["STORE.json"])
        first, second = told["collections"]
        bad = tmp_path / "bad.snapshot"
        for changes in (
            {"1.snapshot": FORGED["points"](files["1.snapshot"])},
            {"1.snapshot": FORGED["parent"](files["1.snapshot"])},
            {"STORE.json": b"{}"},
            {"STORE.json": json.dumps({**told, "format": 2}).encode()},
            {"STORE.json": json.dumps({**told, "collections": [first]}).encode()},
            {"STORE.json": json.dumps({**told, "collections": [first, first]}).encode()},
            {
                "STORE.json": json.dumps(
                    {**told, "collections": [first, {**second, "name": "a/b"}]}
                ).encode()
            },
        ):
            bad.write_bytes(archived({**files, **changes}))
            with pytest.raises(InvalidArgumentError):
                await store.recover_snapshot(bad)
            assert await contents(docs) == before
        bad.write_bytes(archived(files))
        await store.recover_snapshot(bad)
        assert set(await contents(await store.get_collection("docs"))) == {1}


async def test_a_wrong_checksum_is_told_and_nothing_changes(open_store):
    async with open_store() as store:
        docs = await make(store)
        await docs.upsert([point(1)])
        made = await docs.create_snapshot()
        file = file_of(store, "docs", made)
        await docs.upsert([point(2)])
        wrong = "0" * 64
        expected = f"Checksum mismatch: expected {wrong}, actual {made.checksum}"
        with pytest.raises(InvalidArgumentError, match=expected):
            await docs.recover_snapshot(file, checksum=wrong)
        assert set(await contents(docs)) == {1, 2}


@pytest.mark.parametrize(
    "location",
    [
        "/nowhere/none.snapshot",
        "/",
        "file://elsewhere/x.snapshot",
        "ftp://localhost/x.snapshot",
        "http://example.com/x.snapshot",
        "http://127.0.0.1.example.com/x.snapshot",
        "http://127.0.0.1@example.com/x.snapshot",
        "http://169.254.169.254/latest",
        "http://[::1",
        "/nul\0.snapshot",
    ],
)
async def test_places_that_no_snapshot_comes_from(open_store, location):
    async with open_store() as store:
        with pytest.raises(InvalidArgumentError):
            await store.recover_snapshot(location, collection="docs")
        assert await store.list_collections() == []
