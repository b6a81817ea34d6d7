"""The optimizer's settings that a collection has of its own."""

import contextlib

import numpy as np
import pytest

from asyncstore import InvalidArgumentError, UnsupportedError
from asyncstore import models as m
from inside import inside

pytestmark = pytest.mark.asyncio

POINTS = 500  # 32 KB of vectors
VECTORS = m.VectorParams(size=16, distance=m.Distance.DOT)
NEVER = m.OptimizersConfigDiff(indexing_threshold=0)
AT_ONCE = m.OptimizersConfigDiff(indexing_threshold=1)
# A store that seals what comes.
EAGER = {"indexing_threshold": 1}


@contextlib.asynccontextmanager
async def eager_store(open_store):
    async with open_store(optimizers=EAGER) as store:
        yield store


async def filled(store, name, **settings):
    collection = await store.create_collection(name, vectors=VECTORS, **settings)
    await fill(collection)
    return collection


async def fill(collection, first=0):
    vectors = np.random.default_rng(first).random((POINTS, 16), np.float32)
    await collection.upsert_arrays(range(first, first + POINTS), vectors)


def indexed(collection):
    return collection.statistics().indexed_vectors


async def in_force(collection):
    return (await collection.info()).config.optimizer_config


async def test_a_bulk_upload_is_sealed_when_it_is_told_to_be(open_store, wait_until):
    async with open_store(optimizers=EAGER) as store:
        bulk = await filled(store, "bulk", optimizers_config=NEVER)
        others = await filled(store, "others")
        await wait_until(lambda: indexed(others) == POINTS)  # bulk's turn came before
        assert indexed(bulk) == 0
        assert (await in_force(bulk)).indexing_threshold == 0
        assert (await in_force(others)).indexing_threshold == 1
    async with open_store(optimizers=EAGER) as store:
        bulk = await store.get_collection("bulk")
        others = await store.get_collection("others")
        await fill(others, POINTS)
        await wait_until(lambda: indexed(others) == 2 * POINTS)
        assert indexed(bulk) == 0
        assert (await in_force(bulk)).indexing_threshold == 0
        await store.update_collection("bulk", optimizers_config=AT_ONCE)
        await wait_until(lambda: indexed(bulk) == POINTS)  # nothing was written since
        assert (await in_force(bulk)).indexing_threshold == 1
        assert await bulk.check() == []
    async with open_store(optimizers={"indexing_threshold": 0}) as store:
        bulk = await store.get_collection("bulk")
        await fill(bulk, POINTS)
        await wait_until(lambda: indexed(bulk) == 2 * POINTS)


@inside(eager_store)
async def test_a_threshold_of_zero_stops_what_the_store_would_do(store, wait_until):
    docs = await filled(store, "docs")
    others = await filled(store, "others")
    await wait_until(lambda: indexed(docs) == indexed(others) == POINTS)
    await store.update_collection("docs", optimizers_config={"indexing_threshold": 0})
    await fill(docs, POINTS)
    await fill(others, POINTS)
    await wait_until(lambda: indexed(others) == 2 * POINTS)
    assert indexed(docs) == POINTS
    await docs.optimize()  # who asks for it gets it
    assert indexed(docs) == 2 * POINTS


async def test_what_is_given_is_over_what_the_store_has(open_store):
    given = {
        "deleted_threshold": 0.5,
        "vacuum_min_vector_number": 7,
        "default_segment_number": 3,
        "max_segment_size": 20_000,
        "memmap_threshold": 1000,
        "indexing_threshold": 0,
        "flush_interval_sec": 60,
    }
    async with open_store(optimizers={"flush_interval_sec": 9, "max_segment_size": 7}) as store:
        of_store = store.config.storage.optimizers
        docs = await store.create_collection("docs", vectors=VECTORS)
        assert await in_force(docs) == of_store
        await store.update_collection("docs", optimizers_config=m.OptimizersConfigDiff())
        assert await in_force(docs) == of_store
        for name, value in given.items():
            before = await in_force(docs)
            diff = m.OptimizersConfigDiff(**{name: value})
            await store.update_collection("docs", optimizers_config=diff)
            after = await in_force(docs)
            assert getattr(after, name) == value != getattr(before, name)
        every = await store.create_collection(
            "every", vectors=VECTORS, optimizers_config=m.OptimizersConfigDiff(**given)
        )
        assert await in_force(every) == after == m.OptimizersConfig(**given)
    async with open_store(optimizers={"flush_interval_sec": 11}) as store:
        for name in ("docs", "every"):
            assert await in_force(await store.get_collection(name)) == after


@inside(eager_store)
async def test_what_says_what_is_done_anyway_is_taken(store):
    own = m.OptimizersConfigDiff(max_optimization_threads="auto", prevent_unoptimized=False)
    docs = await store.create_collection("docs", vectors=VECTORS, optimizers_config=own)
    await store.update_collection("docs", optimizers_config=own)
    assert await in_force(docs) == store.config.storage.optimizers


@inside(eager_store)
async def test_numbers_beyond_what_the_core_counts_with_are_taken(store, wait_until):
    names = (
        "vacuum_min_vector_number",
        "default_segment_number",
        "max_segment_size",
        "indexing_threshold",
        "flush_interval_sec",
    )
    huge = m.OptimizersConfigDiff(**dict.fromkeys(names, 2**63))
    docs = await filled(store, "docs", optimizers_config=huge)
    others = await filled(store, "others")
    await wait_until(lambda: indexed(others) == POINTS)
    assert indexed(docs) == 0
    assert (await in_force(docs)).indexing_threshold == 2**63


@inside(eager_store)
async def test_a_snapshot_brings_them(store, wait_until):
    docs = await filled(store, "docs", optimizers_config=NEVER)
    made = await docs.create_snapshot()
    await store.update_collection("docs", optimizers_config=AT_ONCE)
    await wait_until(lambda: indexed(docs) == POINTS)
    await docs.recover_snapshot(store.snapshots.of("docs").path / made.name)
    others = await filled(store, "others")
    await wait_until(lambda: indexed(others) == POINTS)
    assert indexed(docs) == 0
    assert (await in_force(docs)).indexing_threshold == 0
    await store.update_collection("docs", optimizers_config=AT_ONCE)
    await wait_until(lambda: indexed(docs) == POINTS)


@pytest.mark.parametrize(
    ("given", "error", "text"),
    [
        ({"indexing_threshold": -1}, InvalidArgumentError, "optimizers_config.indexing_threshold"),
        ({"indexing_threshold": "0"}, InvalidArgumentError, "optimizers_config.indexing_threshold"),
        ({"indexing_threshold": True}, InvalidArgumentError, "indexing_threshold"),
        ({"indexing_threshold": 0.5}, InvalidArgumentError, "indexing_threshold"),
        ({"deleted_threshold": 1.01}, InvalidArgumentError, "must be from 0.0 to 1.0"),
        ({"deleted_threshold": float("nan")}, InvalidArgumentError, "deleted_threshold"),
        ({"max_segment_size": 0}, InvalidArgumentError, "must be 1 or larger"),
        ({"flush_interval_sec": -5}, InvalidArgumentError, "flush_interval_sec"),
        ({"default_segment_number": -1}, InvalidArgumentError, "default_segment_number"),
        ({"vacuum_min_vector_number": []}, InvalidArgumentError, "vacuum_min_vector_number"),
        ({"memmap_threshold": -1}, InvalidArgumentError, "memmap_threshold"),
        ({"max_optimization_threads": "none"}, InvalidArgumentError, "max_optimization_threads"),
        ({"max_optimization_threads": 2}, UnsupportedError, "max_optimization_threads"),
        ({"prevent_unoptimized": True}, UnsupportedError, "prevent_unoptimized"),
        (7, InvalidArgumentError, "optimizers_config"),
    ],
    ids=repr,
)
@inside(eager_store)
async def test_wrong_values_are_refused_and_nothing_is_done(store, given, error, text):
    docs = await store.create_collection("docs", vectors=VECTORS, optimizers_config=NEVER)
    before = (await docs.info()).config
    with pytest.raises(error, match=text):
        await store.create_collection("more", vectors=VECTORS, optimizers_config=given)
    with pytest.raises(error, match=text):
        await store.update_collection("docs", optimizers_config=given, metadata={"a": 1})
    assert await store.list_collections() == ["docs"]
    assert (await docs.info()).config == before
