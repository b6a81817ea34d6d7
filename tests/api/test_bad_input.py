"""Bad input: a clear error, and nothing changed."""

import numpy as np
import pytest

import asyncstore
from asyncstore import DimensionMismatchError, InvalidArgumentError
from asyncstore import models as m

pytestmark = pytest.mark.asyncio

QUERY = [1.0, 2.0, 3.0, 4.0]
A_UUID = "550e8400-e29b-41d4-a716-446655440000"


@pytest.fixture
def docs(open_store, unnamed):
    """A store with one collection of three points; what a test leaves must be the same three."""

    class Docs:
        async def __aenter__(self):
            self._opening = open_store()
            store = await self._opening.__aenter__()
            self.collection = await store.create_collection("docs", vectors=unnamed())
            await self.collection.upsert_arrays([1, 2, 3], np.eye(3, 4, dtype=np.float32))
            return self.collection

        async def __aexit__(self, *error):
            try:
                if error[0] is None:
                    assert await self.collection.count() == 3
                    assert len(await self.collection.search(QUERY)) == 3
            finally:
                await self._opening.__aexit__(*error)

    return Docs()


BAD_VECTORS = [
    ([1, 2, 3], DimensionMismatchError, "vector has 3 dimensions, collection 'docs' has 4"),
    ([1, 2, 3, 4, 5], DimensionMismatchError, "vector has 5 dimensions, collection 'docs' has 4"),
    ([], InvalidArgumentError, "must not be empty"),
    ([1, 2, 3, float("nan")], InvalidArgumentError, "nan"),
    ([1, 2, 3, float("inf")], InvalidArgumentError, "inf"),
    ([1, 2, 3, float("-inf")], InvalidArgumentError, "inf"),
    ([1, 2, 3, 1e39], InvalidArgumentError, "beyond float32"),
    ([1, 2, 3, "4"], InvalidArgumentError, "numbers"),
    (["a", "b", "c", "d"], InvalidArgumentError, "numbers"),
    ("text", InvalidArgumentError, "list of numbers|no vector"),
    (None, InvalidArgumentError, "no vector"),
]


@pytest.mark.parametrize(("vector", "error", "sentence"), BAD_VECTORS)
async def test_a_bad_vector_changes_nothing(docs, vector, error, sentence):
    good = m.PointStruct(id=9, vector=QUERY)
    async with docs as collection:
        with pytest.raises(error, match=sentence):
            await collection.upsert([good, m.PointStruct(id=10, vector=vector)])
        with pytest.raises(error, match=sentence):
            await collection.upsert_arrays([9, 10], [QUERY, vector])
        with pytest.raises(error, match=sentence):
            await collection.search(vector)
        with pytest.raises(error, match=sentence):
            await collection.search_batch([QUERY, vector])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("rows", [3, 70_000])  # in one native write, and in several
async def test_arrays_that_are_not_finite_change_nothing(docs, dtype, bad, rows):
    vectors = np.zeros((rows, 4), dtype)
    vectors[rows - 1, 3] = bad
    async with docs as collection:
        with pytest.raises(InvalidArgumentError, match=str(rows - 1)):
            await collection.upsert_arrays(np.arange(100, 100 + rows), vectors)


@pytest.mark.parametrize(
    "bad_id", [-1, 2**64, True, 1.5, None, "abc", "", b"x", (1,), [1]], ids=repr
)
async def test_a_bad_id_changes_nothing_and_is_named(docs, bad_id):
    async with docs as collection:
        with pytest.raises(InvalidArgumentError, match=r"points\[1\]\.id"):
            await collection.upsert(
                [m.PointStruct(id=9, vector=QUERY), m.PointStruct(id=bad_id, vector=QUERY)]
            )
        for call in (
            lambda: collection.upsert_arrays([9, bad_id], [QUERY, QUERY]),
            lambda: collection.delete(points=[9, bad_id]),
            lambda: collection.retrieve([9, bad_id]),
        ):
            with pytest.raises(InvalidArgumentError, match=r"ids\[1\]"):
                await call()
        if bad_id is not None:
            with pytest.raises(InvalidArgumentError, match="offset"):
                await collection.scroll(offset=bad_id)


async def test_wrong_lengths_and_shapes(docs):
    async with docs as collection:
        for ids, vectors in (
            ([9], np.zeros((2, 4))),
            ([9, 10], np.zeros((1, 4))),
            ([9], np.zeros(4)),
            (np.zeros((1, 1), np.uint64), np.zeros((1, 4))),
            ([9], None),
            (None, np.zeros((1, 4))),
        ):
            with pytest.raises(InvalidArgumentError):
                await collection.upsert_arrays(ids, vectors)


async def test_empty_batches(docs):
    async with docs as collection:
        for call in (
            lambda: collection.upsert([]),
            lambda: collection.upsert_arrays([], np.zeros((0, 4))),
            lambda: collection.delete(points=[]),
            lambda: collection.search_batch(np.zeros((0, 4), np.float32)),
        ):
            with pytest.raises(InvalidArgumentError, match="empty"):
                await call()
        with pytest.raises(InvalidArgumentError, match="points"):
            await collection.delete()


async def test_unknown_vector_names(docs):
    sentence = "Not existing vector name error: image"
    inner = m.Prefetch(query=QUERY, using="image")
    async with docs as collection:
        for call, path in (
            (lambda: collection.search(QUERY, using="image"), "using"),
            (lambda: collection.search_batch([QUERY], using="image"), "using"),
            (lambda: collection.query(QUERY, using="image"), "using"),
            (lambda: collection.query(QUERY, prefetch=[inner]), r"prefetch\[0\]\.using"),
            (lambda: collection.query_groups(QUERY, group_by="k", using="image"), "using"),
            (lambda: collection.search_matrix_pairs(using="image"), "using"),
            (lambda: collection.search(QUERY, with_vectors=["image"]), r"with_vectors\[0\]"),
            (lambda: collection.retrieve([1], with_vectors=["", "image"]), r"with_vectors\[1\]"),
            (lambda: collection.scroll(with_vectors=["image"]), r"with_vectors\[0\]"),
        ):
            with pytest.raises(InvalidArgumentError, match=f"^{path}: {sentence}"):
                await call()
        for call in (
            lambda: collection.upsert([m.PointStruct(id=9, vector={"image": QUERY})]),
            lambda: collection.upsert_arrays([9], {"image": [QUERY]}),
        ):
            with pytest.raises(InvalidArgumentError, match=sentence):
                await call()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"limit": 0}, "limit: value 0 invalid, must be 1 or larger"),
        ({"limit": -1}, "limit: value -1"),
        ({"limit": 1.5}, "limit: must be an integer"),
        ({"limit": True}, "limit: must be an integer"),
        ({"offset": -1}, "offset: value -1 invalid, must be 0 or larger"),
        ({"offset": None}, "offset: must be an integer"),
        ({"score_threshold": "high"}, "score_threshold: must be a number"),
        ({"score_threshold": float("nan")}, "score_threshold: value nan"),
        ({"with_vectors": "image"}, "with_vectors: must be a bool or a list of names"),
        ({"with_vectors": 3}, "with_vectors"),
        ({"with_vectors": 0}, "with_vectors: must be a bool or a list of names, got 0"),
        ({"with_vectors": None}, "with_vectors"),
        ({"using": None}, "vector name"),
        ({"params": {"exact": True}}, "params: must be a SearchParams"),
        ({"params": m.SearchParams(hnsw_ef=0)}, "params.hnsw_ef: value 0 invalid"),
        ({"params": m.SearchParams(exact="yes")}, "params.exact: expected"),
        (
            {"params": m.SearchParams(quantization=m.QuantizationSearchParams(oversampling=0.99))},
            "params.quantization.oversampling: value 0.99 invalid, must be 1.0 or larger",
        ),
        (
            {
                "params": m.SearchParams(
                    quantization=m.QuantizationSearchParams(oversampling=float("nan"))
                )
            },
            "oversampling: value nan",
        ),
    ],
    ids=str,
)
async def test_wrong_search_arguments(docs, arguments, sentence):
    async with docs as collection:
        with pytest.raises(InvalidArgumentError) as caught:
            await collection.search(QUERY, **arguments)
        assert sentence in str(caught.value)


async def test_limits_of_the_other_reads(docs):
    async with docs as collection:
        with pytest.raises(InvalidArgumentError, match="limit: value 0"):
            await collection.scroll(limit=0)
        for limit in (0, 2**20 + 1):
            with pytest.raises(InvalidArgumentError, match=f"limit: value {limit}"):
                await collection.search_batch([QUERY], limit=limit)
        with pytest.raises(InvalidArgumentError, match="budget_bytes: value 0"):
            await collection.prewarm(budget_bytes=0)


async def test_unknown_configuration_keys(tmp_path):
    with pytest.raises(InvalidArgumentError, match=r"storage\.performance\.workers"):
        async with asyncstore.open_store(
            tmp_path / "s", config={"storage": {"performance": {"wrokers": 1}}}
        ):
            pytest.fail("the key is unknown")
    assert not (tmp_path / "s").exists()


async def test_a_uuid_is_an_id(docs):
    async with docs as collection:
        await collection.upsert([m.PointStruct(id=A_UUID, vector=QUERY)])
        await collection.delete(points=[A_UUID])
