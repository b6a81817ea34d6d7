"""What walks over a graph find for several examples, beside what there is."""

from contextlib import asynccontextmanager

import numpy as np
import pytest

from asyncstore import models as m
from inside import inside

pytestmark = pytest.mark.asyncio

CLUSTERS = 60
ROWS = 6000
DIM = 24
EF = 16


@asynccontextmanager
async def clusters(open_store):
    """Rows in clusters that lie far apart; every seventh is deleted."""
    random = np.random.default_rng(5)
    centres = random.normal(size=(CLUSTERS, DIM))
    of_row = np.arange(ROWS) % CLUSTERS
    vectors = (centres[of_row] + 0.4 * random.normal(size=(ROWS, DIM))).astype(np.float32)
    async with open_store() as store:
        rows = await store.create_collection(
            "rows",
            vectors=m.VectorParams(size=DIM, distance=m.Distance.COSINE),
            quantization_config=m.ScalarQuantization(
                scalar=m.ScalarQuantizationConfig(type=m.ScalarType.INT8)
            ),
            hnsw_config=m.HnswConfigDiff(m=8, full_scan_threshold=10),
        )
        await rows.upsert_arrays(
            np.arange(ROWS), vectors, [{"even": i % 2 == 0} for i in range(ROWS)]
        )
        await rows.optimize()
        await rows.delete(points=list(range(0, ROWS, 7)))
        yield rows


def best_score(ids):
    return {"recommend": {"positive": ids[:3], "negative": ids[3:4], "strategy": "best_score"}}


def discover(ids):
    pairs = [{"positive": ids[1], "negative": ids[3]}, {"positive": ids[2], "negative": ids[4]}]
    return {"discover": {"target": ids[0], "context": pairs}}


# Of 16 rows in sight. A walk by the score alone, which stays in the cluster that it comes to first,
# found 0.71 to 0.89 of each.
@pytest.mark.parametrize(("query", "share"), [(best_score, 0.95), (discover, 0.83)])
@pytest.mark.parametrize("even", [False, True])
@inside(clusters)
async def test_examples_in_clusters_apart_are_all_looked_around(rows, query, share, even):
    random = np.random.default_rng(6)
    wanted = {"filter": {"must": [{"key": "even", "match": {"value": True}}]}} if even else {}
    found, there = 0, 0
    for _ in range(40):
        asked = query([int(i) * 7 + 1 for i in random.choice(ROWS // 7, 5, replace=False)])
        true = await rows.query(asked, params=m.SearchParams(exact=True), **wanted)
        near = await rows.query(asked, params=m.SearchParams(hnsw_ef=EF), **wanted)
        assert len({hit.id for hit in near}) == len(near) == 10
        assert all(hit.id % 7 for hit in near)
        assert all(hit.id % 2 == 0 for hit in near) or not even
        found += len({hit.id for hit in near} & {hit.id for hit in true})
        there += len(true)
    assert found >= share * there
