"""Reads that nobody waits for any more end in the engine, too."""

from contextlib import asynccontextmanager

import anyio
import numpy as np
import pytest

from asyncstore import models as m
from inside import inside

pytestmark = pytest.mark.asyncio

ROWS, DIM = 20_000, 64
READS = 100
QUERIES = 500


@asynccontextmanager
async def opening(open_store):
    """A store and a collection without codes, of which each search reads all originals."""
    vectors = np.random.default_rng(5).standard_normal((ROWS, DIM), dtype=np.float32)
    async with open_store() as store:
        rows = await store.create_collection(
            "rows", vectors=m.VectorParams(size=DIM, distance=m.Distance.DOT)
        )
        await rows.upsert_arrays(np.arange(ROWS), vectors, [{"k": i % 7} for i in range(ROWS)])
        yield store, rows, vectors


async def cancelled(read):
    """Begins many reads and cancels them all before one can be done."""
    async with anyio.create_task_group() as tasks:
        for number in range(READS):
            tasks.start_soon(read, number)
        await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()


@inside(opening)
async def test_searches_that_are_cancelled_are_not_done(given):
    store, rows, vectors = given

    async def search(number):
        await rows.search_batch(vectors[number : number + QUERIES], limit=5)

    await cancelled(search)
    assert [hit.id for hit in await rows.search(vectors[7] * 9, limit=1)] == [7]
    # All together they are minutes of work; those whose turn it was may have been answered.
    assert store.statistics().searches < READS * QUERIES / 4


@inside(opening)
async def test_a_read_after_cancelled_ones_does_not_wait_for_them(given):
    _, rows, vectors = given
    wanted = m.Filter(must=[m.FieldCondition(key="k", match=m.MatchValue(value=3))])
    expected = await rows.count(filter=wanted)

    async def count(number):
        await rows.count(filter=wanted)

    async def batch(number):
        await rows.search_batch(vectors[:64], limit=5)

    await cancelled(count)
    await cancelled(batch)
    assert await rows.count(filter=wanted) == expected
    found = await rows.search_batch(vectors[:8] * 9, limit=1)
    assert found.ids[:, 0].tolist() == list(range(8))
