"""The store's own cache of rows, and reading past the page cache."""

import numpy as np
import pytest

import asyncstore
from asyncstore import models as m
from asyncstore import sample

pytestmark = pytest.mark.asyncio

ROWS = 3000
CACHE_BYTES = 8 << 20


@pytest.fixture(scope="module")
def real():
    return sample.load()


async def filled(store, real):
    collection = await store.create_collection(
        "packages",
        vectors=m.VectorParams(size=real.vectors.shape[1], distance=m.Distance.COSINE),
        quantization_config=m.RabitqQuantization(rabitq=m.RabitqQuantizationConfig(bits=4)),
        hnsw_config=m.HnswConfigDiff(m=0),
    )
    await collection.upsert_arrays(np.arange(ROWS, dtype=np.uint64), real.vectors[:ROWS])
    await collection.optimize()
    return collection


async def test_a_row_is_read_once(open_store, real):
    async with open_store(direct_io=True, cache_bytes=CACHE_BYTES, prewarm=False) as store:
        collection = await filled(store, real)
        first = [await collection.search(query, limit=10) for query in real.queries[:50]]
        before = store.statistics()
        again = [await collection.search(query, limit=10) for query in real.queries[:50]]
        after = store.statistics()
        assert again == first
        assert after.reads_submitted == before.reads_submitted
        assert after.cache_hits - before.cache_hits == after.rows_rescored - before.rows_rescored
        assert 0 < after.cache_bytes <= CACHE_BYTES
        assert after.direct_io


async def test_a_cache_that_is_too_small_changes_no_answer(open_store, real):
    async with open_store(prewarm=False) as store:
        collection = await filled(store, real)
        expected = [await collection.search(query, limit=10) for query in real.queries[:50]]
        assert not store.statistics().direct_io  # so few rows fit into any memory
        assert store.statistics().cache_bytes == 0
    async with open_store(direct_io=True, cache_bytes=100_000, prewarm=False) as store:
        collection = await store.get_collection("packages")
        for _ in range(2):
            found = [await collection.search(query, limit=10) for query in real.queries[:50]]
            assert found == expected
        assert store.statistics().cache_bytes <= 100_000


async def test_rows_that_moved_and_values_that_changed_are_not_taken_from_the_cache(
    open_store, real
):
    async with open_store(direct_io=True, cache_bytes=CACHE_BYTES, prewarm=False) as store:
        collection = await filled(store, real)
        query = real.vectors[17]
        assert (await collection.search(query, limit=1))[0].id == 17
        await collection.upsert_arrays(np.array([17], dtype=np.uint64), -real.vectors[17:18])
        assert (await collection.search(query, limit=1))[0].id != 17
        assert (await collection.search(-query, limit=1))[0].id == 17
        await collection.delete(points=[17])
        await collection.optimize()
        assert (await collection.search(-query, limit=1))[0].id != 17
        found = await collection.search(real.vectors[18], limit=1)
        assert found[0].id == 18
        assert found[0].score == pytest.approx(1, abs=1e-5)


async def test_the_page_cache_serves_what_fits_into_memory(open_store, real):
    async with open_store(cache_bytes=CACHE_BYTES, prewarm=False) as store:
        collection = await filled(store, real)
        for _ in range(2):
            await collection.search(real.queries[0], limit=10)
        statistics = store.statistics()
        assert not statistics.direct_io
        assert statistics.cache_hits == 0


async def test_a_cache_beside_the_page_cache_is_refused(tmp_path):
    config = {"storage": {"performance": {"cache_bytes": 1000, "direct_io": False}}}
    with pytest.raises(asyncstore.InvalidArgumentError, match="cache_bytes is 1000, but"):
        async with asyncstore.open_store(tmp_path / "store", config=config):
            pass
