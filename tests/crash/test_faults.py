"""Reads that fail, come late or in another order: one search is told, the next one works."""

import errno
import re

import numpy as np
import pytest
import pytest_asyncio

import asyncstore
from asyncstore import CorruptionError, StorageIOError
from asyncstore import models as m
from asyncstore.testing import open_test_store

pytestmark = pytest.mark.asyncio

ROWS, DIM = 600, 32
QUERIES = 24
EXACT = m.SearchParams(exact=True)
EVERY_ROW = m.SearchParams(
    quantization=m.QuantizationSearchParams(rescore=True, oversampling=4.0, early_stop=False)
)
PLANS = [pytest.param(EVERY_ROW, id="rescored"), pytest.param(EXACT, id="exact")]


@pytest.fixture(params=["true", "false"], ids=["io_uring", "mmap"])
def async_scorer(request):
    return request.param


@pytest_asyncio.fixture
async def folder(tmp_path):
    """A store with sealed rows and appendable ones."""
    rng = np.random.default_rng(5)
    async with asyncstore.open_store(tmp_path) as store:
        docs = await store.create_collection(
            "docs",
            vectors=m.VectorParams(
                size=DIM,
                distance=m.Distance.COSINE,
                quantization_config=m.ScalarQuantization(
                    scalar=m.ScalarQuantizationConfig(type=m.ScalarType.INT8)
                ),
            ),
        )
        vectors = rng.standard_normal((ROWS, DIM)).astype(np.float32)
        await docs.upsert_arrays(np.arange(400), vectors[:400])
        await docs.optimize()
        await docs.upsert_arrays(np.arange(400, ROWS), vectors[400:])
    return tmp_path


def opening(folder, async_scorer, fault=""):
    config = {
        "storage": {
            "async_scorer": async_scorer,
            "performance": {"workers": 1, "prewarm": False},
        }
    }
    return open_test_store(folder, config=config, fault=fault)


def queries():
    return np.random.default_rng(6).standard_normal((QUERIES, DIM)).astype(np.float32)


async def search_all(docs, params):
    found = []
    for query in queries():
        hits = await docs.search(query, limit=10, params=params, with_vectors=True)
        found.append([(hit.id, hit.score, hit.vector) for hit in hits])
    return found


@pytest.mark.parametrize("params", PLANS)
@pytest.mark.parametrize(
    ("fault", "os_errno", "sentence"),
    [
        ("io_error", errno.EIO, "Input/output error"),
        ("end_of_file", None, "the file ends before this row"),
    ],
)
async def test_a_read_that_fails_fails_one_search(
    folder, async_scorer, params, fault, os_errno, sentence
):
    async with opening(folder, async_scorer) as store:
        expected = await search_all(await store.get_collection("docs"), params)
    # Some of the first reads, and one in the midst of a later search.
    async with opening(folder, async_scorer, f"{fault}@0,{fault}@2,{fault}@200") as store:
        docs = await store.get_collection("docs")
        failed = []
        for query, hits in zip(queries(), expected, strict=True):
            for _ in range(3):  # once it fails, the same search again
                try:
                    found = await docs.search(query, limit=10, params=params, with_vectors=True)
                except (StorageIOError, CorruptionError) as error:
                    failed.append(error)
                else:
                    break
            assert [(hit.id, hit.score, hit.vector) for hit in found] == hits
        assert 1 <= len(failed) <= 3  # one search may have met two of them
        for error in failed:
            if os_errno is None:  # a row that must be there is damage
                assert isinstance(error, CorruptionError)
                file = error.file
            else:
                assert isinstance(error, StorageIOError)
                assert error.errno == os_errno
                file = error.filename
            assert re.search(r"\.vectors$", file)
            assert file in str(error)
            assert re.search(r" at byte \d+", str(error))
            assert sentence in str(error)


@pytest.mark.parametrize("params", PLANS)
@pytest.mark.parametrize("seed", [1, 2])
async def test_order_and_delay_change_no_result(folder, async_scorer, params, seed):
    async with opening(folder, async_scorer) as store:
        expected = await search_all(await store.get_collection("docs"), params)
    rng = np.random.default_rng(seed)
    late = ",".join(f"delay@{at}" for at in rng.choice(800, 200, replace=False))
    async with opening(folder, async_scorer, f"reorder@{seed},{late}") as store:
        found = await search_all(await store.get_collection("docs"), params)
    assert found == expected, f"fault plan of seed {seed}"


async def test_a_failed_retrieve_and_batch_are_told_too(folder, async_scorer):
    faults = ",".join(f"io_error@{at}" for at in (0, 1))
    async with opening(folder, async_scorer, faults) as store:
        docs = await store.get_collection("docs")
        with pytest.raises(StorageIOError, match=r"\.vectors at byte \d+: Input/output error"):
            await docs.retrieve([1], with_vectors=True)
        with pytest.raises(StorageIOError, match=r"\.vectors at byte \d+: Input/output error"):
            await docs.search_batch(queries(), params=EXACT)
        batch = await docs.search_batch(queries(), params=EXACT)
        assert batch.counts.tolist() == [10] * QUERIES
        assert len(await docs.retrieve([1], with_vectors=True)) == 1


@pytest.mark.parametrize("plan", ["io_error", "io_error@x", "flood@1"])
async def test_a_plan_that_does_not_parse_is_refused(tmp_path, plan):
    with pytest.raises(asyncstore.InvalidArgumentError, match="fault"):
        async with open_test_store(tmp_path, fault=plan):
            pass
