"""Queries of every kind against brute force, in every state of a collection.

A case is a query with a filter and parameters; a data set is a distance, codes and points, of which
some are overwritten and deleted. Ids stand for vectors wherever a query takes either.
"""

import random

import msgspec
import numpy as np
import pytest

import asyncstore
import formula_model
import query_model as model
from asyncstore import models as m
from model_runs import first_seed, run_data_sets

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
    run_data_sets(run, cases=CASES, first=first_seed())


class Run:
    def __init__(self, folder, config):
        self.folder, self.config, self.cases = folder, config, 0

    async def data_set(self, number):
        self.draw = random.Random(number)
        self.numbers = np.random.default_rng(number)
        self.distance = self.draw.choice(list(m.Distance))
        self.vectors, self.parts, self.payloads = {}, {}, {}
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
            payload = {"part": self.parts[point], **formula_model.payload(self.draw)}
            self.payloads[point] = payload
            points.append(m.PointStruct(id=point, vector=self.vectors[point], payload=payload))
        await rows.upsert(points)

    async def check(self, rows):
        for _ in range(QUERIES):
            await self.check_query(rows)
            self.cases += 1
        await self.check_fusion(rows)
        for _ in range(5):
            await self.check_formula(rows)
            await self.check_diverse(rows)
        self.cases += 11

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

    async def prefetched(self, rows, most):
        """Some prefetches, and what they find: ids with scores, the better the greater."""
        prefetches, lists = [], []
        for _ in range(self.draw.randint(1, most)):
            query, _, _ = self.query()
            prefetch = m.Prefetch(
                query=query,
                limit=self.draw.choice([1, 20, 50]),
                filter=self.draw.choice([None, by_part(1)]),
                params=PARAMS[0],
            )
            hits = await rows.query(
                query, limit=prefetch.limit, filter=prefetch.filter, params=PARAMS[0]
            )
            prefetches.append(prefetch)
            lists.append([(hit.id, hit.score) for hit in hits])
        return prefetches, lists

    async def check_fusion(self, rows):
        prefetches, lists = await self.prefetched(rows, 3)
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

    async def check_formula(self, rows):
        prefetches, lists = await self.prefetched(rows, 2)
        query = formula_model.query(self.draw, len(prefetches))
        found = dict.fromkeys(point for one in lists for point, _ in one)
        candidates = [formula_model.point_of(one, self.payloads[one]) for one in found]
        given = self.draw.choice([query, msgspec.json.decode(msgspec.json.encode(query))])
        try:
            scores = formula_model.scored(query, candidates, lists)
        except formula_model.Undefined:
            with pytest.raises(asyncstore.InvalidArgumentError, match=r"^query\.formula"):
                await rows.query(given, prefetch=prefetches)
            return
        best = sorted(scores.items(), key=lambda one: -one[1])
        limit, offset = self.draw.choice([1, 10, 1000]), self.draw.choice([0, 0, 3])
        found = await rows.query(given, prefetch=prefetches, limit=limit, offset=offset)
        assert_same(found, best, limit, offset, scores)

    async def check_diverse(self, rows):
        vector = self.numbers.standard_normal(DIM).astype(np.float32)
        candidates_limit, part = self.draw.choice([None, 1, 15, 40]), self.draw.choice([None, 1])
        diversity = self.draw.choice([None, 0.0, 0.3, 0.9, 1.0])
        limit, offset = self.draw.choice([1, 8, 20]), self.draw.choice([0, 0, 3])
        admitted = {
            point: vector
            for point, vector in self.vectors.items()
            if part in (None, self.parts[point])
        }
        best = model.ranked(m.NearestQuery(nearest=vector), self.distance, admitted)
        candidates = dict(best[: candidates_limit or limit + offset])
        relevance = 0.5 if diversity is None else 1 - diversity
        chosen = model.diverse(
            vector,
            self.distance,
            {point: self.vectors[point] for point in candidates},
            relevance,
            limit + offset,
        )
        mmr = m.Mmr(diversity=diversity, candidates_limit=candidates_limit)
        found = await rows.query(
            m.NearestQuery(nearest=vector, mmr=mmr),
            filter=None if part is None else by_part(part),
            params=self.draw.choice(PARAMS),
            limit=limit,
            offset=offset,
        )
        for hit in found:
            np.testing.assert_allclose(hit.score, candidates[hit.id], rtol=2e-4, atol=2e-5)
        if chosen is not None:
            assert [hit.id for hit in found] == chosen[offset:]

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
