"""Every kind of code, with and without a graph, on real embeddings: what is found and read.

The sample's rows are few, so graphs are asked for from the first row on.
"""

import numpy as np
import pytest

import asyncstore
from asyncstore import models as m
from asyncstore import sample

pytestmark = pytest.mark.asyncio

ROWS = 5000
QUERIES = 100
LIMIT = 10
GRAPH = m.HnswConfigDiff(full_scan_threshold=10)
NO_GRAPH = m.HnswConfigDiff(m=0)
KINDS = {
    "int8": m.ScalarQuantization(scalar=m.ScalarQuantizationConfig(type=m.ScalarType.INT8)),
    "product4": m.ProductQuantization(
        product=m.ProductQuantizationConfig(compression=m.CompressionRatio.X4)
    ),
    "binary": m.BinaryQuantization(binary=m.BinaryQuantizationConfig()),
    **{
        f"rabitq{bits}": m.RabitqQuantization(rabitq=m.RabitqQuantizationConfig(bits=bits))
        for bits in (1, 2, 4, 8)
    },
}
# The most rows that ten results may cost, in the mean.
ROWS_READ_MAX = {
    "int8": 13,
    "rabitq8": 13,
    "rabitq4": 16,
    "rabitq2": 45,
    "rabitq1": 110,
    "binary": 300,
    "product4": 16,
}


def params(*, hnsw_ef=None, **codes):
    quantization = m.QuantizationSearchParams(**codes) if codes else None
    return m.SearchParams(hnsw_ef=hnsw_ef, quantization=quantization)


@pytest.fixture(scope="module")
def real():
    return sample.load()


async def filled(store, real, kind, graph, *, sealed=True):
    collection = await store.create_collection(
        "packages",
        vectors=m.VectorParams(size=real.vectors.shape[1], distance=m.Distance.COSINE),
        quantization_config=KINDS[kind],
        hnsw_config=graph,
    )
    await collection.upsert_arrays(np.arange(ROWS, dtype=np.uint64), real.vectors[:ROWS])
    if sealed:
        await collection.optimize()
    return collection


async def found(collection, real, how):
    return [
        [(hit.id, hit.score) for hit in await collection.search(query, limit=LIMIT, params=how)]
        for query in real.queries[:QUERIES]
    ]


def recall(results, real):
    hits = sum(
        len({point for point, _ in result} & set(neighbors[:LIMIT].tolist()))
        for result, neighbors in zip(results, real.neighbors, strict=False)
    )
    return hits / (len(results) * LIMIT)


def assert_exact_scores(results, real):
    rows = real.vectors[:ROWS].astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    for query, result in zip(real.queries.astype(np.float32), results, strict=False):
        expected = rows @ (query / np.linalg.norm(query))
        for point, score in result:
            assert abs(score - expected[point]) < 2e-6
        scores = [score for _, score in result]
        assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("sealed", [True, False], ids=["sealed", "appendable"])
@pytest.mark.parametrize("kind", KINDS)
async def test_bounds_leave_out_only_what_does_not_count(open_store, real, kind, sealed):
    """A scan of all codes: what is not read could not have been among the results."""
    async with open_store() as store:
        collection = await filled(store, real, kind, NO_GRAPH, sealed=sealed)
        before = store.statistics()
        bounded = await found(collection, real, None)
        after = store.statistics()
        whole = await found(collection, real, params(oversampling=50.0, early_stop=False))
        assert_exact_scores(bounded, real)
        assert recall(whole, real) >= 0.995
        differing = sum(some != rest for some, rest in zip(bounded, whole, strict=True))
        assert differing <= 1
        read = (after.rows_rescored - before.rows_rescored) / QUERIES
        skipped = (after.rows_skipped - before.rows_skipped) / QUERIES
        candidates = (after.candidates - before.candidates) / QUERIES
        assert read + skipped == candidates
        assert read >= LIMIT
        if sealed:
            assert read <= ROWS_READ_MAX[kind]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_graph_finds_what_a_scan_finds(open_store, real, kind):
    async with open_store() as store:
        collection = await filled(store, real, kind, GRAPH)
        # A cache line a row, and what lies apart, with m 16.
        assert ROWS * 64 < collection.statistics().ram_bytes["graph"] < ROWS * 85
        assert collection.statistics().disk_bytes["graph"] > ROWS * 64
        results = await found(collection, real, None)
        assert_exact_scores(results, real)
        assert recall(results, real) >= 0.96
        wide = await found(collection, real, params(hnsw_ef=400))
        assert recall(wide, real) >= 0.99
        narrow = await found(collection, real, params(hnsw_ef=10, oversampling=1.0))
        assert recall(narrow, real) < recall(wide, real)


@pytest.mark.parametrize("links", [4, 127])
async def test_few_links_and_many(open_store, real, links):
    graph = m.HnswConfigDiff(m=links, full_scan_threshold=10)
    async with open_store() as store:
        collection = await filled(store, real, "rabitq4", graph)
        results = await found(collection, real, params(hnsw_ef=128))
        assert_exact_scores(results, real)
        assert recall(results, real) >= (0.99 if links == 127 else 0.9)
    async with open_store() as store:
        collection = await store.get_collection("packages")
        assert await found(collection, real, params(hnsw_ef=128)) == results
        with pytest.raises(
            asyncstore.InvalidArgumentError, match=r"hnsw_config\.m: .* from 4 to 127"
        ):
            await filled(store, real, "rabitq4", m.HnswConfigDiff(m=128))


async def test_a_graph_outlives_the_store(open_store, real):
    """The same rows, codes and links after reopening give the same results."""
    async with open_store() as store:
        collection = await filled(store, real, "rabitq4", GRAPH)
        before = await found(collection, real, None)
        graph = collection.statistics().ram_bytes["graph"]
    async with open_store() as store:
        collection = await store.get_collection("packages")
        assert collection.statistics().ram_bytes["graph"] == graph
        assert collection.statistics().rebuilt == []
        assert await found(collection, real, None) == before


async def test_deleted_points_are_not_found_by_a_graph(open_store, real):
    async with open_store(optimizers={"deleted_threshold": 1.0}) as store:
        collection = await filled(store, real, "int8", GRAPH)
        everything = await found(collection, real, None)
        gone = {result[0][0] for result in everything}
        await collection.delete(points=sorted(gone))
        results = await found(collection, real, None)
        assert all(len(result) == LIMIT for result in results)
        assert not gone & {point for result in results for point, _ in result}


@pytest.mark.parametrize("kind", ["int8", "rabitq1", "product4"])
async def test_a_damaged_graph_is_made_again(open_store, real, tmp_path, kind):
    async with open_store() as store:
        collection = await filled(store, real, kind, GRAPH)
        graph = collection.statistics().ram_bytes["graph"]
    [path] = tmp_path.rglob("*.graph")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    async with open_store() as store:
        collection = await store.get_collection("packages")
        assert any("graph" in what for what in collection.statistics().rebuilt)
        results = await found(collection, real, None)
        assert recall(results, real) >= 0.99  # all codes are scanned meanwhile
        await collection.optimize()
        # Rows lie in another order than when they were linked first, so links are not the same.
        made = collection.statistics().ram_bytes["graph"]
        assert made == pytest.approx(graph, rel=0.02)
        assert recall(await found(collection, real, None), real) >= 0.96
    assert path.read_bytes() != bytes(content)
    async with open_store() as store:
        collection = await store.get_collection("packages")
        assert collection.statistics().rebuilt == []
        assert collection.statistics().ram_bytes["graph"] == made


async def test_a_graph_that_is_made_again_has_its_deleted_rows(open_store, real, tmp_path):
    optimizers = {"deleted_threshold": 1.0}
    async with open_store(optimizers=optimizers) as store:
        collection = await filled(store, real, "rabitq1", GRAPH)
        await collection.delete(points=list(range(0, ROWS, 5)))
    [path] = tmp_path.rglob("*.graph")
    path.unlink()
    async with open_store(optimizers=optimizers) as store:
        collection = await store.get_collection("packages")
        exact = await found(collection, real, m.SearchParams(exact=True))
        await collection.optimize()
        assert collection.statistics().ram_bytes["graph"] > ROWS * 64
        results = await found(collection, real, None)
        hits = sum(
            len({point for point, _ in some} & {point for point, _ in all_})
            for some, all_ in zip(results, exact, strict=True)
        )
        assert hits >= 0.96 * QUERIES * LIMIT


async def test_fewer_rows_than_the_threshold_are_scanned(open_store, real):
    async with open_store() as store:
        threshold = m.HnswConfigDiff(full_scan_threshold=100_000)
        collection = await filled(store, real, "int8", threshold)
        assert collection.statistics().ram_bytes["graph"] == 0
        assert recall(await found(collection, real, None), real) >= 0.99


async def test_codes_that_the_store_chooses_are_shown(open_store, real):
    named = {
        "chosen": m.VectorParams(size=8, distance=m.Distance.DOT),
        "own": m.VectorParams(
            size=8, distance=m.Distance.DOT, quantization_config=KINDS["product4"]
        ),
    }
    async with open_store() as store:
        one = await store.create_collection(
            "one",
            vectors=m.VectorParams(size=384, distance=m.Distance.COSINE),
            quantization_config="auto",
        )
        await store.create_collection("named", vectors=named, quantization_config="auto")
        own = m.VectorParams(size=8, distance=m.Distance.MANHATTAN, quantization_config="auto")
        await store.create_collection("own", vectors=own)
        await one.upsert_arrays(np.arange(100, dtype=np.uint64), real.vectors[:100])
        assert (await one.search(real.vectors[7], limit=1))[0].id == 7
        assert one.statistics().ram_bytes["codes"] > 0
    async with open_store() as store:

        async def vectors_of(name):
            return (await (await store.get_collection(name)).info()).config.params.vectors

        chosen = (await vectors_of("one")).quantization_config
        assert isinstance(chosen, m.RabitqQuantization)
        assert chosen.rabitq.bits in (1, 2, 4)
        vectors = await vectors_of("named")
        assert vectors["chosen"].quantization_config.rabitq.bits == 8  # few dimensions
        assert vectors["own"].quantization_config == KINDS["product4"]
        assert isinstance((await vectors_of("own")).quantization_config, m.ScalarQuantization)


async def test_codes_that_a_distance_has_none_of_are_refused(open_store):
    async with open_store() as store:
        refused = pytest.raises(asyncstore.UnsupportedError, match="Manhattan distance; scalar")
        with refused:
            await store.create_collection(
                "one",
                vectors=m.VectorParams(size=8, distance=m.Distance.MANHATTAN),
                quantization_config=KINDS["rabitq4"],
            )
        assert await store.list_collections() == []
