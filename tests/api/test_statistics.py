"""``store.statistics()``: how long searches are in which of their stages."""

from contextlib import asynccontextmanager

import numpy as np
import pytest

from asyncstore import models as m
from asyncstore.models import SearchStage as Stage
from inside import inside

pytestmark = pytest.mark.asyncio

DIM = 8
ROWS = 600
QUERY = np.ones(DIM, np.float32)
SPARSE = m.SparseVector(indices=[1, 5], values=[1.0, 0.5])
MULTI = [[1.0] * DIM, [0.5] * DIM]
AS_USUAL = {Stage.PRESELECT, Stage.READ, Stage.RESCORE}
ESTIMATES = m.SearchParams(quantization=m.QuantizationSearchParams(rescore=False))
ORIGINALS = m.SearchParams(quantization=m.QuantizationSearchParams(ignore=True))


@asynccontextmanager
async def points_of_all_kinds(open_store):
    """Of dense vectors with codes, sparse vectors and multivectors with codes; and a payload."""
    async with open_store() as store:
        codes = m.ScalarQuantization(scalar=m.ScalarQuantizationConfig(type=m.ScalarType.INT8))
        docs = await store.create_collection(
            "docs",
            vectors={
                "dense": m.VectorParams(
                    size=DIM, distance=m.Distance.DOT, quantization_config=codes
                ),
                "multi": m.VectorParams(
                    size=DIM,
                    distance=m.Distance.DOT,
                    multivector_config=m.MultiVectorConfig(
                        comparator=m.MultiVectorComparator.MAX_SIM
                    ),
                    quantization_config=codes,
                ),
            },
            sparse_vectors={"sparse": m.SparseVectorParams()},
        )
        random = np.random.default_rng(1)
        await docs.upsert(
            [
                m.PointStruct(
                    id=i,
                    vector={
                        "dense": random.normal(size=DIM).tolist(),
                        "multi": random.normal(size=(2, DIM)).tolist(),
                        "sparse": m.SparseVector(indices=[1, 5 + i % 7], values=[0.5, 1.0 + i]),
                    },
                    payload={"n": i % 3},
                )
                for i in range(ROWS)
            ]
        )
        yield store, docs


def counted(store):
    return {stage: one.count for stage, one in store.statistics().search_stages.items()}


@pytest.mark.parametrize(
    ("query", "using", "asked", "stages"),
    [
        (QUERY, "dense", {}, AS_USUAL),
        (QUERY, "dense", {"with_payload": True}, AS_USUAL | {Stage.PAYLOAD}),
        (QUERY, "dense", {"with_vectors": ["multi"]}, AS_USUAL | {Stage.PAYLOAD}),
        (
            QUERY,
            "dense",
            {"filter": {"must": [{"key": "n", "match": {"value": 1}}]}},
            AS_USUAL | {Stage.FILTER},
        ),
        (QUERY, "dense", {"params": m.SearchParams(exact=True)}, {Stage.READ, Stage.RESCORE}),
        (
            QUERY,
            "dense",
            {"params": ESTIMATES},
            {Stage.PRESELECT},
        ),
        (SPARSE, "sparse", {}, AS_USUAL),
        (SPARSE, "sparse", {"with_payload": True}, AS_USUAL | {Stage.PAYLOAD}),
        (MULTI, "multi", {}, AS_USUAL),
        (
            MULTI,
            "multi",
            {"params": ORIGINALS},
            {Stage.READ, Stage.RESCORE},
        ),
    ],
)
@inside(points_of_all_kinds)
async def test_a_search_counts_once_in_each_of_its_stages(given, query, using, asked, stages):
    store, docs = given
    before = counted(store)
    for _ in range(3):
        await docs.search(query, using=using, limit=5, **asked)
    after = counted(store)
    assert set(after) == set(Stage)
    moved = {stage: after[stage] - before[stage] for stage in Stage}
    assert moved == {stage: 3 * (stage in stages) for stage in Stage}


@inside(points_of_all_kinds)
async def test_examples_of_sparse_vectors_are_read_and_scored(given):
    store, docs = given
    before = counted(store)
    query = m.RecommendQuery(
        recommend=m.RecommendInput(positive=[SPARSE], strategy=m.RecommendStrategy.BEST_SCORE)
    )
    assert await docs.query(query, using="sparse", limit=5)
    after = counted(store)
    assert {stage for stage in Stage if after[stage] > before[stage]} == {Stage.READ, Stage.RESCORE}


@inside(points_of_all_kinds)
async def test_histograms_hold_what_was_counted(given):
    store, docs = given
    for _ in range(4):
        await docs.search(QUERY, using="dense", with_payload=True)
    for stage, one in store.statistics().search_stages.items():
        assert len(one.counts) == len(one.bounds_s) + 1 == 26, stage
        assert one.bounds_s[0] == pytest.approx(1e-6)
        assert list(one.bounds_s) == sorted(one.bounds_s)
        # Each took at most as long as the bound of its bucket, and as all of them together.
        most = sum(count * bound for count, bound in zip(one.counts, one.bounds_s, strict=False))
        assert one.sum_s <= most or one.counts[-1] > 0, stage
        assert (one.sum_s > 0) == (one.count > 0), stage
