"""Queries of every kind against brute force, in every state of a collection.

A case is a query with a filter and parameters; a data set is a distance, codes and points, of which
some are overwritten and deleted. Ids stand for vectors wherever a query takes either.
"""

import itertools
import random

import anyio
import numpy as np
import pytest

import asyncstore
import query_model as model
from asyncstore import models as m
from model_runs import first_seed, repeatable, wanted_of

CASES = 2_000  # of each reader
POINTS, QUERIES = 300, 25  # of a data set; queries in each of its states
DIM = 24
CODES = [
    None,
    m.ScalarQuantization(scalar=m.ScalarQuantizationConfig(type=m.ScalarType.INT8)),
    m.RabitqQuantization(rabitq=m.RabitqQuantizationConfig(bits=4)),
    m.RabitqQuantization(rabitq=m.RabitqQuantizationConfig(bits=1)),
]
ALL_READ = m.QuantizationSearchParams(early_stop=False, oversampling=float(POINTS))
# All of these find the true best.
PARAMS = [
    m.SearchParams(exact=True),
    m.SearchParams(quantization=m.QuantizationSearchParams(ignore=True)),
    m.SearchParams(quantization=ALL_READ),
]


@pytest.mark.parametrize("async_scorer", ["auto", False])
def test_queries(tmp_path, async_scorer):
    performance = {"workers": 2, "prewarm": False}
    storage = {"async_scorer": async_scorer, "durability": "flush", "performance": performance}
    run = Run(tmp_path / "store", {"storage": storage})
    wanted = wanted_of(CASES)
    for number in itertools.count(first_seed()):
        with repeatable(number):
            anyio.run(run.data_set, number)
        if run.cases >= wanted:
            break
    print(f"{run.cases} cases")


class Run:
    def __init__(self, folder, config):
        self.folder, self.config, self.cases = folder, config, 0

    async def data_set(self, number):
        self.draw = random.Random(number)
        self.numbers = np.random.default_rng(number)
        self.distance = self.draw.choice(list(m.Distance))
        self.vectors, self.parts = {}, {}
        name = f"set {number}"
        async with asyncstore.open_store(self.folder, config=self.config) as store:
            rows = await store.create_collection(
                name,
                vectors=m.VectorParams(
                    size=DIM,
                    distance=self.distance,
                    hnsw_config=m.HnswConfigDiff(full_scan_threshold=10),
                ),
                quantization_config=self.draw.choice(
                    CODES[:2] if self.distance is m.Distance.MANHATTAN else CODES
                ),
            )
            await self.write(rows, range(POINTS))
            await self.check(rows)
            await rows.optimize()
            await self.check(rows)
            await self.write(rows, self.draw.sample(range(POINTS + 20), 40))
            gone = self.draw.sample(sorted(self.vectors), 20)
            await rows.delete(points=gone)
            for point in gone:
                del self.vectors[point]
            await self.check(rows)
        async with asyncstore.open_store(self.folder, config=self.config) as store:
            await self.check(await store.get_collection(name))
            await store.delete_collection(name)

    async def write(self, rows, ids):
        points = []
        for point in ids:
            self.vectors[point] = self.numbers.standard_normal(DIM).astype(np.float32)
            self.parts[point] = self.draw.randrange(4)
            payload = {"part": self.parts[point]}
            points.append(m.PointStruct(id=point, vector=self.vectors[point], payload=payload))
        await rows.upsert(points)

    async def check(self, rows):
        for _ in range(QUERIES):
            await self.check_query(rows)
            self.cases += 1
        await self.check_fusion(rows)
        self.cases += 1

    async def check_query(self, rows):
        query, plain, used = self.query()
        part = self.draw.choice([None, None, 0, 1])
        limit, offset = self.draw.choice([1, 10, 1000]), self.draw.choice([0, 0, 3])
        admitted = {
            point: vector
            for point, vector in self.vectors.items()
            if point not in used and part in (None, self.parts[point])
        }
        best = model.ranked(plain, self.distance, admitted)
        threshold = best[len(best) // 2][1] if best and self.draw.random() < 0.2 else None
        if threshold is not None:  # halfway to the next, so that rounding decides nothing
            threshold = (threshold + best[max(len(best) // 2 - 1, 0)][1]) / 2
            smaller = model.smaller_is_better(plain, self.distance)
            best = [
                one for one in best if (one[1] <= threshold if smaller else one[1] >= threshold)
            ]
        found = await rows.query(
            query,
            filter=None if part is None else by_part(part),
            params=self.draw.choice(PARAMS),
            limit=limit,
            offset=offset,
            score_threshold=threshold,
        )
        assert_same(found, best, limit, offset, dict(best))

    async def check_fusion(self, rows):
        prefetches, lists = [], []
        for _ in range(self.draw.randrange(1, 4)):
            query, plain, _ = self.query()
            prefetch = m.Prefetch(
                query=query,
                limit=self.draw.choice([1, 20, 50]),
                filter=self.draw.choice([None, by_part(1)]),
                params=PARAMS[0],
            )
            hits = await rows.query(
                query, limit=prefetch.limit, filter=prefetch.filter, params=PARAMS[0]
            )
            sign = -1 if model.smaller_is_better(plain, self.distance) else 1
            prefetches.append(prefetch)
            lists.append([(hit.id, sign * hit.score) for hit in hits])
        fusion, scores = self.draw.choice(
            [
                (m.FusionQuery(fusion=m.Fusion.RRF), model.rrf(lists)),
                (m.FusionQuery(fusion=m.Fusion.DBSF), model.dbsf(lists)),
                (m.RrfQuery(rrf=m.Rrf(k=60)), model.rrf(lists, k=60)),
                (
                    m.RrfQuery(rrf=m.Rrf(weights=[3.0] * len(lists))),
                    model.rrf(lists, weights=[3.0] * len(lists)),
                ),
            ]
        )
        best = sorted(scores.items(), key=lambda one: -one[1])
        found = await rows.query(fusion, prefetch=prefetches, limit=30)
        assert_same(found, best, 30, 0, scores)
        # Whatever else the candidates are scored by: those and no others.
        query, plain, used = self.query()
        candidates = {
            point: self.vectors[point]
            for ranked in lists
            for point, _ in ranked
            if point not in used
        }
        found = await rows.query(query, prefetch=prefetches, limit=1000, params=PARAMS[0])
        best = model.ranked(plain, self.distance, candidates)
        assert_same(found, best, 1000, 0, dict(best))

    def query(self):
        """A query with ids, the same with vectors, and the ids."""
        used = set()

        def example():
            if self.draw.random() < 0.5:
                vector = self.numbers.standard_normal(DIM).astype(np.float32)
                return vector, vector
            point = self.draw.choice(sorted(self.vectors))
            used.add(point)
            return point, self.vectors[point]

        def some(least, most):
            return [example() for _ in range(self.draw.randint(least, most))]

        match self.draw.randrange(6):
            case 0:
                ((given, vector),) = some(1, 1)
                return m.NearestQuery(nearest=given), m.NearestQuery(nearest=vector), used
            case 1 | 2:
                strategy = self.draw.choice(list(m.RecommendStrategy))
                average = strategy is m.RecommendStrategy.AVERAGE_VECTOR
                positive, negative = some(1 if average else 0, 3), some(0, 3)
                if not positive and not negative:
                    positive = some(1, 1)
                if average and self.distance is m.Distance.COSINE:
                    # Stored vectors have length one, others are averaged as they are given.
                    positive = [(given, unit_if_stored(given, v)) for given, v in positive]
                    negative = [(given, unit_if_stored(given, v)) for given, v in negative]
                given, plain = (
                    m.RecommendQuery(
                        recommend=m.RecommendInput(
                            positive=[one[form] for one in positive],
                            negative=[one[form] for one in negative],
                            strategy=strategy,
                        )
                    )
                    for form in (0, 1)
                )
                return given, plain, used
            case 3 | 4:
                target = example()
                pairs = [(example(), example()) for _ in range(self.draw.randint(0, 3))]
                given, plain = (
                    m.DiscoverQuery(
                        discover=m.DiscoverInput(
                            target=target[form],
                            context=[pair_of(pair, form) for pair in pairs] or None,
                        )
                    )
                    for form in (0, 1)
                )
                return given, plain, used
            case _:
                pairs = [(example(), example()) for _ in range(self.draw.randint(1, 3))]
                given, plain = (
                    m.ContextQuery(context=[pair_of(pair, form) for pair in pairs])
                    for form in (0, 1)
                )
                return given, plain, used


def assert_same(found, best, limit, offset, scores):
    """The scores are those of the best in their order; who ties with whom may change places."""
    expected = [score for _, score in best[offset : offset + limit]]
    assert len(found) == len(expected)
    np.testing.assert_allclose([hit.score for hit in found], expected, rtol=2e-4, atol=2e-5)
    assert len({hit.id for hit in found}) == len(found)
    own = [scores[hit.id] for hit in found]
    np.testing.assert_allclose([hit.score for hit in found], own, rtol=2e-4, atol=2e-5)


def by_part(part):
    return m.Filter(must=m.FieldCondition(key="part", match=m.MatchValue(value=part)))


def pair_of(pair, form):
    return m.ContextPair(positive=pair[0][form], negative=pair[1][form])


def unit_if_stored(given, vector):
    return vector / np.linalg.norm(vector) if isinstance(given, int) else vector
