"""Queries by sparse vectors against brute force, while points are written, deleted and reopened."""

import random

import numpy as np
import pytest

import asyncstore
import query_model as model
from asyncstore import models as m
from model_runs import first_seed, run_data_sets

CASES = 1_500  # of each reader
POINTS, QUERIES = 400, 25
DIMS = 300


@pytest.mark.parametrize("async_scorer", ["auto", False])
def test_sparse_queries(tmp_path, async_scorer):
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
        self.has_idf = number % 3 == 0
        self.has_negatives = number % 2 == 0
        self.vectors, self.parts = {}, {}
        name = f"set {number}"
        modifier = m.Modifier.IDF if self.has_idf else None
        async with asyncstore.open_store(self.folder, config=self.config) as store:
            docs = await store.create_collection(
                name, sparse_vectors={"text": m.SparseVectorParams(modifier=modifier)}
            )
            await self.check(docs)
            await self.write(docs, range(POINTS))
            await self.check(docs)
        for _ in range(2):
            async with asyncstore.open_store(self.folder, config=self.config) as store:
                docs = await store.get_collection(name)
                await self.check(docs)
                await self.write(docs, self.draw.sample(range(POINTS + 50), 100))
                await self.take_away(docs)
                await self.check(docs)
                assert await docs.check() == []
        async with asyncstore.open_store(self.folder, config=self.config) as store:
            await store.delete_collection(name)

    async def write(self, docs, ids):
        points = []
        for point in ids:
            self.parts[point] = self.draw.randrange(4)
            vector = {}
            self.vectors.pop(point, None)
            if self.draw.random() < 0.95:  # others have none
                self.vectors[point] = self.vector(self.draw.randrange(40))
                vector = {"text": as_model(self.vectors[point])}
            payload = {"part": self.parts[point]}
            points.append(m.PointStruct(id=point, vector=vector, payload=payload))
        await docs.upsert(points)

    async def take_away(self, docs):
        gone = self.draw.sample(sorted(self.vectors), 30)
        await docs.delete(points=gone[:15])
        await docs.delete_vectors(["text"], points=gone[15:])
        for point in gone:
            del self.vectors[point]
        changed = self.draw.sample(sorted(self.vectors), 30)
        for point in changed:
            self.vectors[point] = self.vector(20)
        await docs.update_vectors(
            [
                m.PointVectors(id=one, vector={"text": as_model(self.vectors[one])})
                for one in changed
            ]
        )

    def vector(self, elements):
        """Few indices in most vectors, many in few."""
        indices = np.unique(np.exp(self.numbers.uniform(0, np.log(DIMS), elements)).astype(int))
        values = self.numbers.lognormal(0, 1, len(indices)).astype(np.float32)
        if self.has_negatives:
            values[self.numbers.random(len(indices)) < 0.3] *= -1
        values[self.numbers.random(len(indices)) < 0.05] = 0
        return dict(zip(indices.tolist(), values.tolist(), strict=True))

    async def check(self, docs):
        for _ in range(QUERIES):
            await self.check_query(docs)
            self.cases += 1

    async def check_query(self, docs):
        query, plain, used = self.query()
        part = self.draw.choice([None, None, 0, 1])
        limit, offset = self.draw.choice([1, 10, 1000]), self.draw.choice([0, 0, 3])
        admitted = {
            point: vector
            for point, vector in self.vectors.items()
            if point not in used and part in (None, self.parts[point])
        }
        rank = model.sparse_ranked if isinstance(plain, dict) else model.sparse_scored
        best = rank(plain, admitted, self.vectors if self.has_idf else None)
        threshold = None
        if len(best) > 1 and self.draw.random() < 0.2:  # halfway, so that rounding decides nothing
            at = self.draw.randrange(1, len(best))
            threshold = (best[at - 1][1] + best[at][1]) / 2
            if best[at - 1][1] - best[at][1] < 1e-3:
                threshold = None
            else:
                best = best[:at]
        found = await docs.query(
            query,
            using="text",
            filter=None if part is None else by_part(part),
            limit=limit,
            offset=offset,
            score_threshold=threshold,
            with_vectors=True,
        )
        expected = [score for _, score in best[offset : offset + limit]]
        assert len(found) == len(expected), (
            query,
            plain,
            best[:5],
            found,
            threshold,
            offset,
            limit,
            part,
            len(admitted),
        )
        np.testing.assert_allclose([hit.score for hit in found], expected, rtol=2e-5, atol=2e-5)
        assert len({hit.id for hit in found}) == len(found)
        scores = dict(best)
        for hit in found:
            np.testing.assert_allclose(hit.score, scores[hit.id], rtol=2e-5, atol=2e-5)
            given = hit.vector["text"]
            assert dict(zip(given.indices, given.values, strict=True)) == self.vectors[hit.id]

    def query(self):
        """A query with ids, what it means as one sparse vector or with vectors, and the ids."""
        used = set()

        def example():
            if self.draw.random() < 0.5 or not self.vectors:
                vector = self.vector(self.draw.randrange(1, 20))
                return as_model(vector), vector
            point = self.draw.choice(sorted(self.vectors))
            used.add(point)
            return point, self.vectors[point]

        if self.draw.random() < 0.6:
            given, vector = example()
            return m.NearestQuery(nearest=given), vector, used
        positive = [example() for _ in range(self.draw.randint(1, 3))]
        negative = [example() for _ in range(self.draw.randint(0, 2))]
        if self.draw.random() < 0.6:
            pairs = list(zip(positive, [example() for _ in positive], strict=True))
            return self.by_several(positive, negative, pairs)
        recommend = m.RecommendInput(
            positive=[given for given, _ in positive], negative=[given for given, _ in negative]
        )
        plain = model.sparse_average([v for _, v in positive], [v for _, v in negative])
        # The core takes the average as float32.
        plain = {index: float(np.float32(value)) for index, value in plain.items()}
        return m.RecommendQuery(recommend=recommend), plain, used

    def by_several(self, positive, negative, pairs):
        """As query(), by examples that are compared one by one, and not by one vector of them."""
        kind = self.draw.choice(["recommend", "discover", "context"])
        strategy = self.draw.choice(list(m.RecommendStrategy)[1:])
        if kind == "recommend" and negative and self.draw.random() < 0.2:
            positive = []
        target, context = pairs[0][0], pairs[1:] or pairs
        used = {
            "recommend": [*positive, *negative],
            "discover": [target, *(one for pair in context for one in pair)],
            "context": [one for pair in context for one in pair],
        }[kind]

        def of(place):
            if kind == "recommend":
                given = [[one[place] for one in some] for some in (positive, negative)]
                recommend = m.RecommendInput(
                    positive=given[0], negative=given[1], strategy=strategy
                )
                return m.RecommendQuery(recommend=recommend)
            both = [m.ContextPair(positive=a[place], negative=b[place]) for a, b in context]
            if kind == "context":
                return m.ContextQuery(context=both)
            return m.DiscoverQuery(discover=m.DiscoverInput(target=target[place], context=both))

        return of(0), of(1), {given for given, _ in used if isinstance(given, int)}


def as_model(vector):
    return m.SparseVector(indices=list(vector), values=list(vector.values()))


def by_part(part):
    return m.Filter(must=m.FieldCondition(key="part", match=m.MatchValue(value=part)))
