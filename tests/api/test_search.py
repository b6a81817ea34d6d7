"""Searches against numpy: scores and order, on both readers, in every kind of segment."""

import numpy as np
import pytest

from asyncstore import models as m

pytestmark = pytest.mark.asyncio

SEED = 20240607
POINTS = 500
DIM = 24
LIMIT = 20
INT8 = m.ScalarQuantization(
    scalar=m.ScalarQuantizationConfig(type=m.ScalarType.INT8, quantile=0.99, always_ram=True)
)
EXACT = m.SearchParams(exact=True)
DISTANCES = list(m.Distance)
DATATYPES = list(m.Datatype)
# Where the rows lie: all appended, all sealed, or some of both.
PLACES = ["appendable", "sealed", "both"]


def quantized(**params):
    return m.SearchParams(quantization=m.QuantizationSearchParams(**params))


def stored(vectors, distance, datatype):
    """What the store makes of vectors when they are written."""
    vectors = np.asarray(vectors, np.float32)
    if distance is m.Distance.COSINE and datatype is not m.Datatype.UINT8:
        vectors = unit(vectors)
    if datatype is m.Datatype.FLOAT16:
        return vectors.astype(np.float16).astype(np.float32)
    if datatype is m.Datatype.UINT8:
        return np.clip(np.trunc(vectors), 0, 255)
    return vectors


def unit(vectors):
    vectors = vectors.astype(np.float64)
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return (vectors / np.where(length == 0, 1, length)).astype(np.float32)


def scores_of(rows, query, distance, datatype=None):
    """The scores of rows as they are stored, in double precision."""
    if distance is m.Distance.COSINE and datatype is m.Datatype.UINT8:
        rows = unit(rows)  # the other datatypes hold unit vectors, as exactly as they can
    rows, query = rows.astype(np.float64), np.asarray(query, np.float64)
    if distance is m.Distance.COSINE:
        return rows @ unit(query).astype(np.float64)
    if distance is m.Distance.DOT:
        return rows @ query
    difference = rows - query
    if distance is m.Distance.EUCLID:
        return np.sqrt((difference**2).sum(axis=1))
    return np.abs(difference).sum(axis=1)


def is_larger_better(distance):
    return distance in (m.Distance.COSINE, m.Distance.DOT)


def best_first(scores, distance):
    return np.argsort(-scores if is_larger_better(distance) else scores, kind="stable")


def data(datatype, seed=SEED):
    random = np.random.default_rng(seed)
    scale = 100 if datatype is m.Datatype.UINT8 else 1
    return (random.standard_normal((POINTS + 8, DIM)) * scale).astype(np.float32)


async def filled(store, place, rows, **settings):
    """A collection of the rows, row n with the id 3·n + 1, laid out as the place says."""
    collection = await store.create_collection("docs", **settings)
    ids = np.arange(len(rows), dtype=np.uint64) * 3 + 1
    half = len(rows) // 2 if place == "both" else len(rows)
    await collection.upsert_arrays(ids[:half], rows[:half])
    if place != "appendable":
        await collection.optimize()
    if place == "both":
        await collection.upsert_arrays(ids[half:], rows[half:])
    return collection


def assert_nearest(hits, expected_scores, distance, seed=SEED):
    """The hits are the best of all, in order, with their true scores."""
    order = best_first(expected_scores, distance)[: len(hits)]
    got = np.array([hit.score for hit in hits])
    scale = max(1.0, np.abs(expected_scores).max())
    message = f"seed={seed}"
    np.testing.assert_allclose(got, expected_scores[order], atol=2e-6 * scale, err_msg=message)
    for hit in hits:  # each hit has its own point's score
        row = (hit.id - 1) // 3
        assert abs(hit.score - expected_scores[row]) <= 2e-6 * scale, message
    steps = np.diff(got) if is_larger_better(distance) else -np.diff(got)
    assert (steps <= 0).all(), message
    assert len({hit.id for hit in hits}) == len(hits), message


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("datatype", DATATYPES)
@pytest.mark.parametrize("distance", DISTANCES)
async def test_searches_are_exact(open_store, distance, datatype, place):
    vectors = data(datatype)
    rows = stored(vectors[:POINTS], distance, datatype)
    params = m.VectorParams(size=DIM, distance=distance, datatype=datatype)
    async with open_store(optimizers={"indexing_threshold": 1}) as store:
        collection = await filled(store, place, vectors[:POINTS], vectors=params)
        for query in vectors[POINTS:]:
            expected = scores_of(rows, query, distance, datatype)
            for how in (None, EXACT, quantized(ignore=True), m.SearchParams(hnsw_ef=8)):
                hits = await collection.search(query, limit=LIMIT, params=how)
                assert len(hits) == LIMIT
                assert_nearest(hits, expected, distance)


@pytest.mark.parametrize("dim", [1, 3, 127, 128, 129, 1000])
@pytest.mark.parametrize("datatype", DATATYPES)
async def test_rows_of_every_size_are_read_past_the_page_cache(open_store, datatype, dim):
    """With O_DIRECT every row comes from the disk, wherever in its blocks it lies."""
    random = np.random.default_rng(SEED)
    vectors = (random.standard_normal((100, dim)) * 100).astype(np.float32)
    rows = stored(vectors, m.Distance.EUCLID, datatype)
    params = m.VectorParams(size=dim, distance=m.Distance.EUCLID, datatype=datatype)
    async with open_store(optimizers={"indexing_threshold": 1}, direct_io=True) as store:
        collection = await filled(store, "both", vectors, vectors=params, quantization_config=INT8)
        for query in vectors[:5]:
            hits = await collection.search(query, limit=10, params=quantized(oversampling=10.0))
            assert_nearest(hits, scores_of(rows, query, m.Distance.EUCLID), m.Distance.EUCLID)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("datatype", DATATYPES)
@pytest.mark.parametrize("distance", DISTANCES)
async def test_searches_by_codes_are_rescored(open_store, distance, datatype, place):
    vectors = data(datatype)
    rows = stored(vectors[:POINTS], distance, datatype)
    params = m.VectorParams(size=DIM, distance=distance, datatype=datatype)
    async with open_store(optimizers={"indexing_threshold": 1}) as store:
        collection = await filled(
            store, place, vectors[:POINTS], vectors=params, quantization_config=INT8
        )
        recalls = []
        for query in vectors[POINTS:]:
            expected = scores_of(rows, query, distance, datatype)
            best = {int(row) * 3 + 1 for row in best_first(expected, distance)[:LIMIT]}
            for how in (EXACT, quantized(ignore=True), quantized(oversampling=POINTS / LIMIT)):
                hits = await collection.search(query, limit=LIMIT, params=how)
                assert_nearest(hits, expected, distance)
            hits = await collection.search(query, limit=LIMIT, params=quantized(oversampling=3.0))
            recalls.append(len(best & {hit.id for hit in hits}) / LIMIT)
            scale = max(1.0, np.abs(expected).max())
            for hit in hits:  # whoever was preselected has its exact score
                assert abs(hit.score - expected[(hit.id - 1) // 3]) <= 2e-6 * scale
            estimates = await collection.search(query, limit=LIMIT, params=quantized(rescore=False))
            assert len(estimates) == LIMIT
            for early_stop in (True, False):
                how = quantized(oversampling=3.0, early_stop=early_stop)
                assert await collection.search(query, limit=LIMIT, params=how) == hits
        assert np.mean(recalls) >= 0.97, f"seed={SEED}"


@pytest.mark.parametrize("quantization", [None, INT8], ids=["plain", "int8"])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("distance", DISTANCES)
async def test_a_batch_is_its_searches_bit_by_bit(open_store, distance, place, quantization):
    vectors = data(None)
    params = m.VectorParams(size=DIM, distance=distance)
    async with open_store(optimizers={"indexing_threshold": 1}) as store:
        collection = await filled(
            store, place, vectors[:POINTS], vectors=params, quantization_config=quantization
        )
        queries = np.concatenate([vectors[POINTS:], vectors[POINTS : POINTS + 3]])
        for how in (
            None,
            EXACT,
            quantized(rescore=False),
            quantized(ignore=True),
            quantized(oversampling=2.4),
        ):
            batch = await collection.search_batch(queries, limit=LIMIT, params=how)
            assert batch.ids.shape == batch.scores.shape == (len(queries), LIMIT)
            assert (batch.ids.dtype, batch.scores.dtype) == (np.uint64, np.float32)
            assert batch.counts.dtype == np.int32
            assert batch.counts.tolist() == [LIMIT] * len(queries)
            for row, query in enumerate(queries):
                hits = await collection.search(query, limit=LIMIT, params=how)
                assert batch.ids[row].tolist() == [hit.id for hit in hits]
                singles = np.array([hit.score for hit in hits], np.float32)
                assert batch.scores[row].tobytes() == singles.tobytes()


async def test_short_rows_of_a_batch_are_padded(open_store, unnamed):
    async with open_store() as store:
        collection = await store.create_collection("docs", vectors=unnamed(size=1))
        await collection.upsert_arrays([7, 8], [[1], [2]])
        batch = await collection.search_batch([[1.0], [2.0]], limit=4)
        assert batch.counts.tolist() == [2, 2]
        assert batch.ids.tolist() == [[8, 7, 0, 0]] * 2
        assert np.isnan(batch.scores[:, 2:]).all()
        an_id = "550e8400-e29b-41d4-a716-446655440000"
        await collection.upsert([m.PointStruct(id=an_id, vector=[3])])
        batch = await collection.search_batch([[1.0]], limit=4)
        assert batch.ids.dtype == object
        assert batch.ids.tolist() == [[an_id, 8, 7, None]]
        assert batch.scores[0, :3].tolist() == [3, 2, 1]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("distance", DISTANCES)
async def test_ties_are_broken_by_id(open_store, distance, place):
    vectors = np.tile(np.eye(2, 4, dtype=np.float32)[0], (60, 1))
    params = m.VectorParams(size=4, distance=distance)
    settings = {"vectors": params, "quantization_config": INT8}
    async with open_store(optimizers={"indexing_threshold": 1}) as store:
        collection = await filled(store, place, vectors, **settings)
        await collection.delete(points=[4, 7])
        await collection.upsert_arrays([0], vectors[:1])  # a late row with the lowest id
        expected = [0, 1, *range(10, 40, 3)]
        for how in (None, EXACT, quantized(oversampling=60.0)):
            hits = await collection.search([1, 1, 0, 0], limit=len(expected), params=how)
            if how is not None:  # among equal codes a preselection may choose
                assert [hit.id for hit in hits] == expected
            assert [hit.id for hit in hits] == sorted(hit.id for hit in hits)


@pytest.mark.parametrize("quantization", [None, INT8], ids=["plain", "int8"])
@pytest.mark.parametrize("distance", DISTANCES)
async def test_offset_and_threshold(open_store, distance, quantization):
    vectors = data(None)
    params = m.VectorParams(size=DIM, distance=distance)
    async with open_store() as store:
        collection = await filled(
            store,
            "appendable",
            vectors[:POINTS],
            vectors=params,
            quantization_config=quantization,
        )
        query, how = vectors[POINTS], quantized(oversampling=float(POINTS))
        hits = await collection.search(query, limit=50, params=how)
        page = await collection.search(query, limit=10, offset=20, params=how)
        assert page == hits[20:30]
        assert await collection.search(query, limit=10, offset=POINTS - 3, params=how) != []
        assert await collection.search(query, limit=10, offset=POINTS) == []
        assert await collection.search(query, limit=10, offset=2**62) == []
        threshold = hits[17].score
        kept = await collection.search(query, limit=50, score_threshold=threshold, params=how)
        assert kept == hits[:18]  # the threshold itself is kept
        skipped = await collection.search(
            query, limit=50, offset=5, score_threshold=threshold, params=how
        )
        assert skipped == hits[5:18]
        impossible = 1e30 if is_larger_better(distance) else -1.0
        assert await collection.search(query, score_threshold=impossible) == []


async def test_a_huge_limit_returns_all_and_reserves_nothing(open_store, unnamed):
    async with open_store() as store:
        collection = await store.create_collection(
            "docs", vectors=unnamed(), quantization_config=INT8
        )
        await collection.upsert_arrays(range(100), np.ones((100, 4)))
        for limit in (2**31, 2**32, 2**63, 2**64 - 1):
            for how in (None, EXACT, quantized(oversampling=1e9)):
                assert len(await collection.search([1] * 4, limit=limit, params=how)) == 100


async def test_an_empty_collection_finds_nothing(open_store, unnamed):
    async with open_store() as store:
        collection = await store.create_collection("docs", vectors=unnamed())
        assert await collection.search([1] * 4) == []
        batch = await collection.search_batch([[1] * 4], limit=3)
        assert batch.counts.tolist() == [0]
        await collection.optimize()
        assert await collection.search([1] * 4, params=EXACT) == []


@pytest.mark.parametrize("place", PLACES)
async def test_vectors_come_with_the_hits(open_store, place):
    vectors = data(None)
    params = m.VectorParams(size=DIM, distance=m.Distance.DOT)
    async with open_store(optimizers={"indexing_threshold": 1}) as store:
        collection = await filled(
            store, place, vectors[:POINTS], vectors=params, quantization_config=INT8
        )
        hits = await collection.search(vectors[POINTS], limit=LIMIT, with_vectors=True)
        for hit in hits:
            assert hit.vector == vectors[(hit.id - 1) // 3].tolist()
        without = await collection.search(vectors[POINTS], limit=LIMIT)
        assert [(hit.id, hit.score, hit.vector) for hit in without] == [
            (hit.id, hit.score, None) for hit in hits
        ]


async def test_points_without_the_vector_are_not_found(open_store):
    vectors = {
        name: m.VectorParams(size=2, distance=m.Distance.EUCLID, quantization_config=INT8)
        for name in ("a", "b")
    }
    async with open_store(optimizers={"indexing_threshold": 1}) as store:
        collection = await store.create_collection("docs", vectors=vectors)
        await collection.upsert(
            [
                m.PointStruct(
                    id=number,
                    vector={"a": [number, 0]} | ({"b": [0, number]} if number % 2 else {}),
                )
                for number in range(40)
            ]
        )
        for _ in range(2):
            assert len(await collection.search([0, 0], using="a", limit=100)) == 40
            odd = await collection.search([0, 0], using="b", limit=100, with_vectors=["b"])
            assert [hit.id for hit in odd] == list(range(1, 40, 2))
            assert odd[1].vector == {"b": [0, 3]}
            await collection.optimize()


async def test_replaced_and_deleted_rows_are_not_found_again(open_store):
    vectors = data(None)
    params = m.VectorParams(size=DIM, distance=m.Distance.DOT)
    async with open_store(optimizers={"indexing_threshold": 1}) as store:
        collection = await filled(
            store, "sealed", vectors[:POINTS], vectors=params, quantization_config=INT8
        )
        await collection.delete(points=[number * 3 + 1 for number in range(0, POINTS, 2)])
        moved = np.arange(1, POINTS, 4)
        await collection.upsert_arrays(moved * 3 + 1, -vectors[moved])
        rows = vectors[:POINTS].copy()
        rows[moved] *= -1
        for _ in range(2):
            for query in vectors[POINTS:]:
                expected = scores_of(rows, query, m.Distance.DOT)
                expected[::2] = -np.inf
                hits = await collection.search(query, limit=LIMIT, params=EXACT)
                order = best_first(expected, m.Distance.DOT)[:LIMIT]
                assert [hit.id for hit in hits] == [int(row) * 3 + 1 for row in order]
                by_codes = await collection.search(
                    query, limit=LIMIT, params=quantized(oversampling=POINTS / LIMIT)
                )
                assert by_codes == hits
            await collection.optimize()


async def test_statistics_count_what_was_done(open_store, reader):
    vectors = data(None)
    params = m.VectorParams(size=DIM, distance=m.Distance.DOT)
    async with open_store(optimizers={"indexing_threshold": 1}) as store:
        collection = await filled(
            store, "sealed", vectors[:POINTS], vectors=params, quantization_config=INT8
        )
        before = store.statistics()
        for query in vectors[POINTS:]:
            await collection.search(query, limit=10, params=quantized(oversampling=2.4))
        after = store.statistics()
        assert after.reader == ("io_uring" if reader else "mmap")
        assert after.reader_reason
        assert after.workers == 2
        assert after.searches - before.searches == 8
        assert after.candidates - before.candidates == 8 * 24  # floor(10 × 2.4)
        rescored = after.rows_rescored - before.rows_rescored
        assert rescored + after.rows_skipped - before.rows_skipped == 8 * 24
        held = collection.statistics()
        assert held.points == POINTS
        assert held.indexed_vectors == POINTS
        assert held.ram_bytes["codes"] >= POINTS * DIM
        assert held.disk_bytes["vectors"] >= POINTS * DIM * 4
        assert held.optimizer.state == "idle"
        assert (await collection.info()).indexed_vectors_count == POINTS


async def test_prewarm_and_optimize_report_their_progress(open_store):
    vectors = data(None)
    params = m.VectorParams(size=DIM, distance=m.Distance.DOT)
    async with open_store(optimizers={"indexing_threshold": 1}) as store:
        collection = await filled(
            store, "appendable", vectors[:POINTS], vectors=params, quantization_config=INT8
        )
        reports = []
        await collection.optimize(progress=lambda *report: reports.append(report))
        assert reports[-1][0] == reports[-1][1]
        reports.clear()
        warmed = await collection.prewarm(progress=lambda *report: reports.append(report))
        assert warmed > 0
        assert reports[-1][0] == reports[-1][1]
        assert 0 < await collection.prewarm(budget_bytes=4096) <= warmed
