"""Queries by multivectors against brute force, while points are written, deleted and reopened."""

import random

import numpy as np
import pytest

import asyncstore
import query_model as model
from asyncstore import models as m
from model_runs import first_seed, run_data_sets

CASES = 450  # of each reader
POINTS, QUERIES = 600, 30  # more points than are read without looking at codes
MAX_SIM = m.MultiVectorConfig(comparator=m.MultiVectorComparator.MAX_SIM)
# How far what is stored is from what was given, as a part of it.
ROUNDING = {m.Datatype.FLOAT32: 1e-6, m.Datatype.FLOAT16: 1e-3, m.Datatype.UINT8: 0}


@pytest.mark.parametrize("async_scorer", ["auto", False])
def test_multivector_queries(tmp_path, async_scorer):
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
        self.datatype = self.draw.choice(list(m.Datatype))
        self.dim = self.draw.choice([1, 3, 16, 40])
        self.codes = self.draw.choice([None, *self.codes_that_there_are()])
        self.error = 1e-4
        if self.datatype is m.Datatype.UINT8:
            self.error = 5e-3  # differences of large sums
        elif self.datatype is m.Datatype.FLOAT16 and self.distance is m.Distance.COSINE:
            self.error = 1e-3  # rows are not quite of unit length, and the model scales them anew
        self.vectors, self.parts = {}, {}
        name = f"set {number}"
        params = m.VectorParams(
            size=self.dim,
            distance=self.distance,
            datatype=self.datatype,
            multivector_config=MAX_SIM,
            quantization_config=self.codes,
        )
        async with asyncstore.open_store(self.folder, config=self.config) as store:
            docs = await store.create_collection(name, vectors={"rows": params})
            await self.check(docs)
            await self.write(docs, range(POINTS))
            await self.check(docs)
        for _ in range(2):
            async with asyncstore.open_store(self.folder, config=self.config) as store:
                docs = await store.get_collection(name)
                await self.check(docs)
                await self.write(docs, self.draw.sample(range(POINTS + 50), 150))
                await self.take_away(docs)
                await self.check(docs)
                assert await docs.check() == []
        async with asyncstore.open_store(self.folder, config=self.config) as store:
            await store.delete_collection(name)

    def codes_that_there_are(self):
        scalar = m.ScalarQuantizationConfig(type=m.ScalarType.INT8)
        rabitq = m.RabitqQuantizationConfig(bits=8)
        kinds = [m.ScalarQuantization(scalar=scalar)]
        if self.distance is not m.Distance.MANHATTAN:
            kinds.append(m.RabitqQuantization(rabitq=rabitq))
        return kinds

    async def write(self, docs, ids):
        points, given = [], {}
        for point in ids:
            self.parts[point] = self.draw.randrange(4)
            vector = {}
            self.vectors.pop(point, None)
            if self.draw.random() < 0.95:  # others have none
                given[point] = vector["rows"] = self.vector()
            payload = {"part": self.parts[point]}
            points.append(m.PointStruct(id=point, vector=vector, payload=payload))
        await docs.upsert(points)
        await self.take_as_stored(docs, given)

    async def take_away(self, docs):
        gone = self.draw.sample(sorted(self.vectors), 30)
        await docs.delete(points=gone[:15])
        await docs.delete_vectors(["rows"], points=gone[15:])
        for point in gone:
            del self.vectors[point]
        given = {point: self.vector() for point in self.draw.sample(sorted(self.vectors), 30)}
        await docs.update_vectors(
            [m.PointVectors(id=one, vector={"rows": rows}) for one, rows in given.items()]
        )
        await self.take_as_stored(docs, given)

    async def take_as_stored(self, docs, given):
        """Searches are by what is stored, which is what was given as nearly as the datatype can."""
        stored = await docs.retrieve(list(given), with_vectors=True)
        assert [record.id for record in stored] == list(given)
        for record in stored:
            rows = np.array(record.vector["rows"])
            expected = self.as_stored(given[record.id])
            np.testing.assert_allclose(rows, expected, rtol=ROUNDING[self.datatype], atol=1e-6)
            self.vectors[record.id] = rows

    def as_stored(self, rows):
        rows = rows.astype(np.float64)
        if self.datatype is m.Datatype.UINT8:
            return np.clip(np.trunc(rows), 0, 255)
        if self.distance is m.Distance.COSINE:
            return rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return rows

    def vector(self):
        rows = self.numbers.standard_normal((self.draw.choice([1, 2, 5, 12]), self.dim))
        scale = 8 if self.datatype is m.Datatype.UINT8 else 3
        rows = (rows * scale).astype(np.float32)
        return np.abs(rows) + 1 if self.datatype is m.Datatype.UINT8 else rows

    async def check(self, docs):
        for _ in range(QUERIES):
            await self.check_query(docs)
            self.cases += 1

    async def check_query(self, docs):
        query, plain, used = self.query()
        part = self.draw.choice([None, None, 0, 1])
        admitted = {
            point: rows
            for point, rows in self.vectors.items()
            if point not in used and part in (None, self.parts[point])
        }
        best = model.ranked(plain, self.distance, admitted)
        limit, offset = self.draw.choice([1, 10, 1000]), self.draw.choice([0, 0, 3])
        close = {"rtol": self.error, "atol": self.error}
        threshold = None
        if len(best) > 1 and self.draw.random() < 0.2:  # halfway, so that rounding decides nothing
            at = self.draw.randrange(1, len(best))
            if not np.isclose(
                best[at - 1][1], best[at][1], rtol=4 * self.error, atol=4 * self.error
            ):
                threshold = (best[at - 1][1] + best[at][1]) / 2
                best = best[:at]
        found = await docs.query(
            query,
            using="rows",
            params=self.params(),
            filter=None if part is None else by_part(part),
            limit=limit,
            offset=offset,
            score_threshold=threshold,
            with_vectors=True,
        )
        expected = [score for _, score in best[offset : offset + limit]]
        np.testing.assert_allclose([hit.score for hit in found], expected, **close)
        assert len({hit.id for hit in found}) == len(found)
        scores = dict(best)
        for hit in found:
            np.testing.assert_allclose(hit.score, scores[hit.id], **close)
            assert np.array_equal(hit.vector["rows"], self.vectors[hit.id])

    def params(self):
        """Ways of searching that give exact results; the errors of few dimensions have no bound."""
        all_candidates = m.SearchParams(quantization=m.QuantizationSearchParams(early_stop=False))
        ways = [m.SearchParams(exact=True), all_candidates, all_candidates]
        if isinstance(self.codes, m.ScalarQuantization | None):
            ways.append(None)
        return self.draw.choice(ways)

    def query(self):
        """A query with ids, the same with what is stored in their place, and the ids."""
        used = set()

        def example():
            if self.draw.random() < 0.5 or not self.vectors:
                rows = self.vector()
                return rows, rows
            point = self.draw.choice(sorted(self.vectors))
            used.add(point)
            return point, self.vectors[point]

        def made(kind, parts):
            return kind(*(given for given, _ in parts)), kind(*(rows for _, rows in parts))

        def examples(least, most):
            return [example() for _ in range(self.draw.randint(least, most))]

        match self.draw.randrange(5):
            case 0 | 1:
                asked, plain = made(lambda one: m.NearestQuery(nearest=one), [example()])
            case 2:
                positive = examples(1, 3)
                strategy = self.draw.choice(list(m.RecommendStrategy))

                def recommend(*all_given):
                    given = m.RecommendInput(
                        positive=list(all_given[: len(positive)]),
                        negative=list(all_given[len(positive) :]),
                        strategy=strategy,
                    )
                    return m.RecommendQuery(recommend=given)

                asked, plain = made(recommend, [*positive, *examples(0, 2)])
            case 3:

                def discover(target, positive, negative):
                    pair = m.ContextPair(positive=positive, negative=negative)
                    return m.DiscoverQuery(discover=m.DiscoverInput(target=target, context=[pair]))

                asked, plain = made(discover, examples(3, 3))
            case _:

                def context(positive, negative):
                    pair = m.ContextPair(positive=positive, negative=negative)
                    return m.ContextQuery(context=[pair])

                asked, plain = made(context, examples(2, 2))
        return asked, plain, used


def by_part(part):
    return m.Filter(must=m.FieldCondition(key="part", match=m.MatchValue(value=part)))
