"""Files damaged while they are in use: found, repaired beside searches and writes, and right."""

import anyio
import numpy as np
import pytest

import asyncstore
from asyncstore import models as m

pytestmark = pytest.mark.asyncio

DIM = 32
ROWS = 2000
INT8 = m.ScalarQuantization(scalar=m.ScalarQuantizationConfig(type=m.ScalarType.INT8))
# One or two files of each kind that is derived or held twice.
KINDS = [
    "*.codes",
    "*.rows",
    "*.deleted",
    "*.points",
    "payload/tracker",
    "payload/*.done",
    "payload/*.dictionary",
    "payload/*.mirror",
    "sparse-0/tracker",
    "sparse-0/*.done",
    "multi-0/tracker",
    "multi-0/*.done",
    "fields/*.sparse",
    "fields/*.multi",
    "MANIFEST",
    "COLLECTION",
]


def vectors_of(ids, version=0):
    """Of unit length, so that each is the nearest of itself."""
    rows = [np.random.default_rng([i, version]).standard_normal(DIM) for i in ids]
    return np.array([row / np.linalg.norm(row) for row in rows], np.float32)


def payload_of(n):
    """Nothing repeats in a text, but words do in all of them: there is a dictionary soon."""
    words = np.random.default_rng(n).integers(0, 300, 90)
    return {"n": n, "text": " ".join(f"{word * 7919 % 100003:x}-{word}" for word in words.tolist())}


def sparse_of(n):
    return m.SparseVector(indices=[n, n + 7 + n % 5], values=[n / 2, 1.0])


def rows_of(n):
    return [[n + row, -row / 2] for row in range(1 + n % 3)]


async def write(docs, ids, version=0):
    vectors = {
        "": vectors_of(ids, version),
        "s": [sparse_of(n) for n in ids],
        "m": [rows_of(n) for n in ids],
    }
    await docs.upsert_arrays(list(ids), vectors, [payload_of(n) for n in ids])


def multivector():
    return m.VectorParams(
        size=2,
        distance=m.Distance.DOT,
        multivector_config=m.MultiVectorConfig(comparator="max_sim"),
        quantization_config=INT8,
    )


async def filled(store, unnamed):
    docs = await store.create_collection(
        "docs",
        vectors={"": unnamed(size=DIM), "m": multivector()},
        sparse_vectors={"s": m.SparseVectorParams()},
        quantization_config=INT8,
    )
    await write(docs, range(ROWS))
    await docs.optimize()
    await docs.delete(points=range(100))
    await docs.optimize()
    return docs


def damage(tmp_path, pattern, *, at=80):
    files = [path for path in (tmp_path / "store").rglob(pattern) if path.is_file()]
    assert files
    for path in files:
        with path.open("r+b") as file:
            file.seek(at)
            byte = file.read(1)
            if byte:  # else a checkpoint is just writing it
                file.seek(at)
                file.write(bytes([byte[0] ^ 255]))


async def assert_all_there(docs, *, version=0):
    ids = list(range(100, ROWS))
    records = await docs.retrieve(ids, with_vectors=True)
    assert [record.payload for record in records] == [payload_of(n) for n in ids]
    found = np.array([record.vector[""] for record in records], np.float32)
    assert np.array_equal(found, vectors_of(ids, version))
    assert [record.vector["s"] for record in records] == [sparse_of(n) for n in ids]
    assert [record.vector["m"] for record in records] == [rows_of(n) for n in ids]
    for point_id in ids[::300]:
        hits = await docs.search(vectors_of([point_id], version)[0], limit=1)
        assert hits[0].id == point_id


@pytest.mark.parametrize("kind", KINDS)
async def test_what_is_held_twice_is_repaired(open_store, unnamed, tmp_path, kind):
    async with open_store() as store:
        docs = await filled(store, unnamed)
        assert await docs.check(repair=True) == []
        damage(tmp_path, kind)
        found = await docs.check()
        assert found
        assert {finding.severity for finding in found} == {m.Severity.ERROR}
        assert all(finding.repairable and not finding.repaired for finding in found)
        repaired = await docs.check(repair=True)
        assert [finding.text for finding in repaired] == [finding.text for finding in found]
        assert {finding.severity for finding in repaired} == {m.Severity.NOTE}
        assert all(finding.repairable and finding.repaired for finding in repaired)
        assert await docs.check() == []
        await assert_all_there(docs)
    async with open_store() as store:
        docs = await store.get_collection("docs")
        assert docs.statistics().rebuilt == []
        assert await docs.check() == []
        await assert_all_there(docs)


async def test_searches_and_writes_go_on_beside_a_repair(open_store, unnamed, tmp_path):
    async with open_store() as store:
        docs = await filled(store, unnamed)
        for version in range(1, 4):
            # What is written meanwhile is merged now and then: a segment may have no deleted rows.
            present = [kind for kind in KINDS if any((tmp_path / "store").rglob(kind))]
            assert version > 1 or present == KINDS
            for kind in present:
                damage(tmp_path, kind)
            findings = []

            async def repair(findings=findings):
                findings += await docs.check(repair=True)

            async with anyio.create_task_group() as group:
                group.start_soon(repair)
                for begin in range(100, ROWS, 100):
                    ids = range(begin, begin + 100)
                    await write(docs, ids, version)
                    hits = await docs.search(vectors_of([begin], version)[0], limit=1)
                    assert hits[0].id == begin
            assert findings
            assert all(finding.repaired for finding in findings), findings
            assert await docs.check() == []
            await assert_all_there(docs, version=version)
    async with open_store() as store:
        docs = await store.get_collection("docs")
        assert docs.statistics().rebuilt == []
        await assert_all_there(docs, version=3)


async def test_a_vector_that_is_lost_is_named_until_it_is_written_again(
    open_store, unnamed, tmp_path
):
    async with open_store() as store:
        docs = await filled(store, unnamed)
        damage(tmp_path, "*.vectors", at=4096 + 150 * DIM * 4)
        (lost,) = await docs.check(repair=True)
        assert (lost.severity, lost.repairable, lost.repaired) == (m.Severity.ERROR, False, False)
        assert lost.file.endswith(".vectors")
        point_id = int(lost.text.split("of point ")[1].split()[0])
        with pytest.raises(asyncstore.CorruptionError):
            await docs.retrieve([point_id], with_vectors=True)
        await write(docs, [point_id])
        (left,) = await docs.check()
        assert left.severity is m.Severity.NOTE
        await assert_all_there(docs)


async def test_a_payload_that_is_lost_is_named_until_it_is_written_again(
    open_store, unnamed, tmp_path
):
    async with open_store() as store:
        docs = await filled(store, unnamed)
        damage(tmp_path, "payload/*.page", at=2000 * 128)
        (lost,) = await docs.check(repair=True)
        assert (lost.severity, lost.repairable, lost.repaired) == (m.Severity.ERROR, False, False)
        point_id = int(lost.text.split("of point ")[1].split()[0])
        with pytest.raises(asyncstore.CorruptionError):
            await docs.retrieve([point_id])
        await docs.overwrite_payload(payload_of(point_id), points=[point_id])
        assert await docs.check() == []
        await assert_all_there(docs)
