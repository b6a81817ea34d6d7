"""Points: written, read back, replaced, deleted; ids of both kinds; named vectors."""

import random
import uuid

import numpy as np
import pytest

from asyncstore import UnsupportedError
from asyncstore import models as m

pytestmark = pytest.mark.asyncio

UUIDS = [str(uuid.UUID(int=number << 64 | number)) for number in (0, 1, 7, 2**63, 2**64 - 1)]


async def test_a_write_is_visible_when_it_returns(open_store, unnamed):
    async with open_store() as store:
        collection = await store.create_collection("docs", vectors=unnamed())
        last = 0
        for number in range(50):
            result = await collection.upsert(
                [m.PointStruct(id=number, vector=[number, 0, 0, 1])], wait=number % 2 == 0
            )
            expected = "completed" if number % 2 == 0 else "acknowledged"
            assert result.status.value == expected
            assert result.operation_id > last
            last = result.operation_id
            assert await collection.count() == number + 1
            (hit,) = await collection.search([1, 0, 0, 0], limit=1)
            assert (hit.id, hit.score, hit.version) == (number, number, last)
            (record,) = await collection.retrieve([number], with_vectors=True)
            assert record.vector == [number, 0, 0, 1]
            assert record.payload == {}


@pytest.mark.parametrize("datatype", [None, *m.Datatype])
async def test_vectors_are_read_as_they_are_stored(open_store, unnamed, datatype):
    values = np.array([[0.1, -2.5, 255.9, 300.0], [1, 2, 3, 4]], np.float32)
    expected = {
        None: values,
        m.Datatype.FLOAT32: values,
        m.Datatype.FLOAT16: values.astype(np.float16).astype(np.float32),
        m.Datatype.UINT8: np.clip(np.trunc(values), 0, 255),
    }[datatype]
    async with open_store() as store:
        collection = await store.create_collection("docs", vectors=unnamed(datatype=datatype))
        await collection.upsert_arrays([1, 2], values)
        records = await collection.retrieve([1, 2], with_vectors=True)
        assert [record.vector for record in records] == expected.tolist()
        await collection.optimize()
        records = await collection.retrieve([1, 2], with_vectors=True)
        assert [record.vector for record in records] == expected.tolist()


async def test_cosine_vectors_are_normalised_and_zero_stays_zero(open_store, unnamed):
    async with open_store() as store:
        collection = await store.create_collection(
            "docs", vectors=unnamed(distance=m.Distance.COSINE)
        )
        await collection.upsert_arrays([1, 2], [[3, 0, 4, 0], [0, 0, 0, 0]])
        first, second = await collection.retrieve([1, 2], with_vectors=True)
        assert first.vector == pytest.approx([0.6, 0, 0.8, 0])
        assert second.vector == [0, 0, 0, 0]


async def test_an_upsert_replaces_the_whole_point(open_store):
    vectors = {name: m.VectorParams(size=2, distance=m.Distance.DOT) for name in ("text", "image")}
    async with open_store() as store:
        collection = await store.create_collection("docs", vectors=vectors)
        await collection.upsert(
            [
                m.PointStruct(id=1, vector={"text": [1, 1], "image": [2, 2]}),
                m.PointStruct(id=2, vector={"image": [3, 3]}),
                m.PointStruct(id=3, vector={}),
            ]
        )
        assert await found(collection, "text") == [1]
        assert await found(collection, "image") == [2, 1]
        await collection.upsert([m.PointStruct(id=1, vector={"image": [9, 9]})])
        assert await found(collection, "text") == []
        assert await found(collection, "image") == [1, 2]
        assert await collection.count() == 3
    async with open_store() as store:
        collection = await store.get_collection("docs")
        records = await collection.retrieve([1, 2, 3], with_vectors=True)
        assert [record.vector for record in records] == [
            {"image": [9, 9]},
            {"image": [3, 3]},
            {},
        ]
        records = await collection.retrieve([1, 2], with_vectors=["text"])
        assert [record.vector for record in records] == [{}, {}]
        records = await collection.retrieve([1, 2])
        assert [record.vector for record in records] == [None, None]


async def found(collection, using):
    return [hit.id for hit in await collection.search([1, 1], using=using)]


async def test_the_last_of_equal_ids_wins(open_store, unnamed):
    async with open_store() as store:
        collection = await store.create_collection("docs", vectors=unnamed(size=1))
        await collection.upsert_arrays([5, 6, 5, 5], [[1], [2], [3], [4]])
        await collection.upsert(
            [m.PointStruct(id=UUIDS[1], vector=[value]) for value in (1.0, 2.0, 3.0)]
        )
        assert await collection.count() == 3
        records = await collection.retrieve([5, 6, UUIDS[1]], with_vectors=True)
        assert [record.vector for record in records] == [[4], [2], [3]]
        assert {hit.id for hit in await collection.search([1])} == {5, 6, UUIDS[1]}
    async with open_store() as store:
        collection = await store.get_collection("docs")
        assert await collection.count() == 3
        records = await collection.retrieve([5, 6, UUIDS[1]], with_vectors=True)
        assert [record.vector for record in records] == [[4], [2], [3]]


async def test_equal_ids_across_the_chunks_of_one_batch(open_store, unnamed):
    rows = 3 * 65536  # three native writes at the least
    ids = np.tile(np.arange(65536, dtype=np.uint64), 3)
    vectors = np.arange(rows, dtype=np.float32)[:, None]
    async with open_store() as store:
        collection = await store.create_collection("docs", vectors=unnamed(size=1))
        await collection.upsert_arrays(ids, vectors)
        assert await collection.count() == 65536
        records = await collection.retrieve([0, 65535], with_vectors=True)
        assert [record.vector for record in records] == [[131072], [196607]]


async def test_ids_of_both_kinds_come_back_as_they_are(open_store, unnamed):
    ids = [0, 1, 2**53 + 1, 2**64 - 1, *UUIDS]
    async with open_store() as store:
        collection = await store.create_collection("docs", vectors=unnamed(size=1))
        await collection.upsert(
            [
                m.PointStruct(id=uuid.UUID(given) if isinstance(given, str) else given, vector=[1])
                for given in ids
            ]
        )
        assert [record.id for record in await collection.retrieve(ids)] == ids
        assert {hit.id for hit in await collection.search([1], limit=100)} == set(ids)
        upper = await collection.retrieve([UUIDS[2].upper(), UUIDS[3].replace("-", "")])
        assert [record.id for record in upper] == UUIDS[2:4]
    async with open_store() as store:
        collection = await store.get_collection("docs")
        assert [record.id for record in await collection.retrieve(ids)] == ids


async def test_retrieve_keeps_the_order_and_leaves_out_what_is_missing(open_store, unnamed):
    async with open_store() as store:
        collection = await store.create_collection("docs", vectors=unnamed(size=1))
        await collection.upsert_arrays(range(10), np.arange(10.0)[:, None])
        records = await collection.retrieve([7, 99, 3, 3, UUIDS[0], 0], with_vectors=True)
        assert [(record.id, record.vector) for record in records] == [
            (7, [7]),
            (3, [3]),
            (3, [3]),
            (0, [0]),
        ]
        assert await collection.retrieve([]) == []
        assert await collection.retrieve([55]) == []
        many = await collection.retrieve(np.tile(np.arange(10, dtype=np.uint64)[::-1], 1000))
        assert [record.id for record in many] == list(range(10))[::-1] * 1000


@pytest.mark.parametrize("limit", [1, 3, 7, 1000])
async def test_scroll_goes_through_integers_and_then_uuids(open_store, unnamed, limit):
    integers = [0, 5, 9, 10, 11, 2**32, 2**63, 2**64 - 1]
    expected = [*integers, *sorted(UUIDS)]
    shuffled = random.Random(1).sample(expected, len(expected))
    async with open_store() as store:
        collection = await store.create_collection("docs", vectors=unnamed(size=1))
        await collection.upsert([m.PointStruct(id=given, vector=[1]) for given in shuffled])
        assert await pages(collection, limit) == expected
        records, following = await collection.scroll(limit=2, offset=9)
        assert ([record.id for record in records], following) == ([9, 10], 11)
        records, _ = await collection.scroll(limit=2, offset=12)  # no point has this id
        assert [record.id for record in records] == [2**32, 2**63]
        records, following = await collection.scroll(limit=2, offset=uuid.UUID(UUIDS[-1]))
        assert ([record.id for record in records], following) == ([sorted(UUIDS)[-1]], None)
        await collection.delete(points=[9, UUIDS[1]])
        expected = [given for given in expected if given not in (9, UUIDS[1])]
        assert await pages(collection, limit) == expected


async def test_scroll_pages_larger_than_one_native_read(open_store, unnamed):
    async with open_store() as store:
        collection = await store.create_collection("docs", vectors=unnamed(size=1))
        await collection.upsert_arrays(range(10_000), np.ones((10_000, 1)))
        records, following = await collection.scroll(limit=9_000)
        assert [record.id for record in records] == list(range(9_000))
        assert following == 9_000
        records, following = await collection.scroll(limit=2**63, offset=9_999)
        assert ([record.id for record in records], following) == ([9_999], None)


async def pages(collection, limit):
    ids, offset = [], None
    while True:
        records, offset = await collection.scroll(limit=limit, offset=offset)
        ids += [record.id for record in records]
        if offset is None:
            return ids
        assert len(records) == limit


async def test_deleted_points_are_gone_and_unknown_ones_passed_over(open_store, unnamed):
    async with open_store() as store:
        collection = await store.create_collection("docs", vectors=unnamed(size=1))
        await collection.upsert_arrays(range(10), np.arange(10.0)[:, None])
        result = await collection.delete(points=[3, 99, UUIDS[0]])
        assert result.status is m.UpdateStatus.COMPLETED
        await collection.delete(points=m.PointIdsList(points=[4]))
        await collection.delete(points=np.array([5, 6], np.uint64))
        left = [0, 1, 2, 7, 8, 9]
        assert await collection.count() == len(left)
        assert [record.id for record in (await collection.scroll())[0]] == left
        assert {hit.id for hit in await collection.search([1])} == set(left)
        await collection.upsert([m.PointStruct(id=3, vector=[30])])
        assert (await collection.search([1], limit=1))[0].id == 3
    async with open_store() as store:
        collection = await store.get_collection("docs")
        assert [record.id for record in (await collection.scroll())[0]] == sorted([*left, 3])


async def test_versions_are_those_of_the_last_change(open_store, unnamed):
    async with open_store() as store:
        collection = await store.create_collection("docs", vectors=unnamed(size=1))
        first = await collection.upsert_arrays([1, 2], [[1], [2]])
        second = await collection.upsert_arrays([2], [[3]])
        assert second.operation_id > first.operation_id
        versions = {hit.id: hit.version for hit in await collection.search([1])}
        assert versions == {1: first.operation_id, 2: second.operation_id}
    async with open_store() as store:
        collection = await store.get_collection("docs")
        third = await collection.upsert_arrays([3], [[3]])
        assert third.operation_id > second.operation_id


async def test_what_is_not_supported_yet_says_so(open_store, unnamed):
    point = m.PointStruct(id=1, vector=[1, 2, 3, 4])
    async with open_store() as store:
        collection = await store.create_collection("docs", vectors=unnamed())
        with pytest.raises(UnsupportedError, match="not supported yet"):
            await collection.search([1] * 4, params=m.SearchParams(indexed_only=True))
        assert await collection.count() == 0
        await collection.upsert([point], update_mode=m.UpdateMode.UPSERT)
        assert await collection.count() == 1


async def test_vectors_of_the_largest_dimension(open_store, unnamed):
    vectors = np.random.default_rng(1).standard_normal((3, 65536)).astype(np.float32)
    async with open_store() as store:
        collection = await store.create_collection("large", vectors=unnamed(size=65536))
        await collection.upsert_arrays([1, 2, 3], vectors)
        (hit, *_) = await collection.search(vectors[1], limit=1, with_vectors=True)
        assert hit.id == 2
        assert hit.vector == vectors[1].tolist()
        await collection.upsert([m.PointStruct(id=4, vector=vectors[0].tolist())])
        assert (await collection.search(vectors[0].tolist(), limit=2))[1].id == 4
