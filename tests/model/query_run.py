"""Queries of every kind against brute force, in every state of a collection.

What is the same for all kinds of vectors. A case is a query with a filter and parameters; a data
set has settings and points, of which some are overwritten, deleted, or lose their vector. Ids stand
for vectors wherever a query takes either.
"""

import random
from abc import ABC, abstractmethod

import msgspec
import numpy as np
import pytest

import asyncstore
import formula_model
import query_model as model
from asyncstore import models as m

EXACT = m.SearchParams(exact=True)


class QueryRun(ABC):
    """One store, and a collection for each data set.

    Attributes:
        using: The vector's name.
        points: How many a data set has; queries are made in each of its states.
        error: How far scores may be from those of brute force.
        matrix_error: How far those of a matrix may be; None: as far.
        missed: Queries of which one of the best was not found, where that may be.
    """

    using = "v"
    points, queries = 300, 20
    error = 2e-5
    matrix_error = None

    def __init__(self, folder, async_scorer):
        performance = {"workers": 2, "prewarm": False}
        storage = {
            "async_scorer": async_scorer,
            "durability": "flush",
            "performance": performance,
        }
        self.folder, self.config, self.cases = folder, {"storage": storage}, 0
        self.missed = 0

    # ---- what subclasses say --------------------------------------------------------------------

    @abstractmethod
    def settings(self, number):
        """Draws what the collection of a data set is created with."""

    @abstractmethod
    def vector(self):
        """One that is drawn, as the model takes it."""

    @abstractmethod
    def ranked(self, query, vectors):
        """All ids with their scores, best first."""

    @abstractmethod
    def similar(self, query, vector):
        """How near a vector is to another one, the greater the nearer; not the score."""

    def cancelled(self, query, vectors):
        """How far a score may be from that of brute force whatever is left of its terms."""
        return 0.0

    def given(self, vector):
        """As it is handed over."""
        return vector

    def returned(self, vector):
        """What is returned, as the model takes it."""
        return np.array(vector)

    def as_stored(self, vector):
        """What may differ from what is stored in the last digits that there are."""
        return vector

    def params(self):
        """A way of searching that finds the true best."""
        return EXACT

    def may_miss(self, params):
        """Whether that is promised of 999 queries in 1,000 only."""
        return False

    # ---- states ---------------------------------------------------------------------------------

    async def data_set(self, number):
        self.draw = random.Random(number)
        self.numbers = np.random.default_rng(number)
        self.vectors, self.parts, self.payloads = {}, {}, {}
        name = f"set {number}"
        async with asyncstore.open_store(self.folder, config=self.config) as store:
            docs = await store.create_collection(name, **self.settings(number))
            await self.check(docs)
            await self.write(docs, range(self.points))
            await self.check(docs)
            await docs.optimize()
            await self.check(docs)
        for _ in range(2):
            async with asyncstore.open_store(self.folder, config=self.config) as store:
                docs = await store.get_collection(name)
                await self.check(docs)
                await self.write(docs, self.draw.sample(range(self.points + 50), self.points // 4))
                await self.take_away(docs)
                await self.check(docs)
                assert await docs.check() == []
        async with asyncstore.open_store(self.folder, config=self.config) as store:
            await store.delete_collection(name)

    async def write(self, docs, ids):
        points, written = [], {}
        for point in ids:
            self.vectors.pop(point, None)
            self.parts[point] = self.draw.randrange(4)
            self.payloads[point] = {
                "part": self.parts[point],
                **formula_model.payload(self.draw),
            }
            vector = {}
            if self.draw.random() < 0.95:  # others have none
                written[point] = self.vector()
                vector = {self.using: self.given(written[point])}
            points.append(m.PointStruct(id=point, vector=vector, payload=self.payloads[point]))
        await docs.upsert(points)
        await self.take_as_stored(docs, written)

    async def take_away(self, docs):
        gone = self.draw.sample(sorted(self.vectors), 30)
        await docs.delete(points=gone[:15])
        await docs.delete_vectors([self.using], points=gone[15:])
        for point in gone:
            del self.vectors[point]
        changed = {point: self.vector() for point in self.draw.sample(sorted(self.vectors), 30)}
        await docs.update_vectors(
            [
                m.PointVectors(id=point, vector={self.using: self.given(vector)})
                for point, vector in changed.items()
            ]
        )
        await self.take_as_stored(docs, changed)

    async def take_as_stored(self, docs, written):
        """Searches are by what is stored, which is what was given as nearly as that can be."""
        stored = await docs.retrieve(list(written), with_vectors=[self.using])
        assert [record.id for record in stored] == list(written)
        for record in stored:
            own = self.returned(record.vector[self.using])
            self.assert_as_given(own, self.as_stored(written[record.id]))
            self.vectors[record.id] = own

    def assert_as_given(self, stored, vector):
        np.testing.assert_allclose(stored, vector, rtol=1e-6, atol=1e-6)

    # ---- checks ---------------------------------------------------------------------------------

    async def check(self, docs):
        for _ in range(self.queries):
            await self.check_query(docs)
        others = [self.check_fusion, self.check_formula, self.check_diverse, self.check_matrix]
        for check in 2 * others:
            await check(docs)
        self.cases += self.queries + 2 * len(others)

    async def check_query(self, docs):
        query, plain, used = self.query()
        part, limit, offset = self.part(), self.draw.choice([1, 10, 1000]), self.offset()
        admitted = self.admitted(part, used)
        best, least = self.ranked(plain, admitted), self.cancelled(plain, admitted)
        threshold = None
        if len(best) > 1 and self.draw.random() < 0.2:  # halfway, so that rounding decides nothing
            at = self.draw.randrange(1, len(best))
            last, following = best[at - 1][1], best[at][1]
            doubt = 4 * max(self.error, least)
            if not np.isclose(last, following, rtol=4 * self.error, atol=doubt):
                threshold = (last + following) / 2
                best = best[:at]
        how = {
            "using": self.using,
            "filter": by_part(part),
            "limit": limit,
            "offset": offset,
            "score_threshold": threshold,
            "with_vectors": [self.using],
        }
        params = self.params()
        found = await docs.query(query, params=params, **how)
        if self.may_miss(params) and not self.is_best(found, best, limit, offset, least):
            self.missed += 1
            found = await docs.query(query, params=EXACT, **how)
        self.assert_same(found, best, limit, offset, least=least)
        for hit in found:
            np.testing.assert_equal(self.returned(hit.vector[self.using]), self.vectors[hit.id])

    async def check_fusion(self, docs):
        prefetches, lists = await self.prefetched(docs, 3)
        weights = [3.0] * len(lists)
        fusion, scores = self.draw.choice(
            [
                (m.FusionQuery(fusion=m.Fusion.RRF), model.rrf(lists)),
                (m.FusionQuery(fusion=m.Fusion.DBSF), model.dbsf(lists)),
                (m.RrfQuery(rrf=m.Rrf(k=60)), model.rrf(lists, k=60)),
                (m.RrfQuery(rrf=m.Rrf(weights=weights)), model.rrf(lists, weights=weights)),
            ]
        )
        found = await docs.query(fusion, prefetch=prefetches, limit=30)
        self.assert_same(found, best_first(scores), 30, 0)
        # Whatever else the candidates are scored by: those and no others.
        query, plain, used = self.query()
        candidates = {
            point: self.vectors[point]
            for ranked in lists
            for point, _ in ranked
            if point not in used
        }
        found = await docs.query(
            query, prefetch=prefetches, using=self.using, limit=1000, params=EXACT
        )
        least = self.cancelled(plain, candidates)
        self.assert_same(found, self.ranked(plain, candidates), 1000, 0, least=least)

    async def check_formula(self, docs):
        prefetches, lists = await self.prefetched(docs, 2)
        query = formula_model.query(self.draw, len(prefetches))
        found = dict.fromkeys(point for one in lists for point, _ in one)
        candidates = [formula_model.point_of(one, self.payloads[one]) for one in found]
        given = self.draw.choice([query, msgspec.json.decode(msgspec.json.encode(query))])
        try:
            scores = formula_model.scored(query, candidates, lists)
        except formula_model.Undefined:
            with pytest.raises(asyncstore.InvalidArgumentError, match=r"^query\.formula"):
                await docs.query(given, prefetch=prefetches)
            return
        limit, offset = self.draw.choice([1, 10, 1000]), self.offset()
        found = await docs.query(given, prefetch=prefetches, limit=limit, offset=offset)
        self.assert_same(found, best_first(scores), limit, offset)

    async def check_diverse(self, docs):
        vector, part = self.vector(), self.part()
        candidates_limit = self.draw.choice([None, 1, 15, 40])
        diversity = self.draw.choice([None, 0.0, 0.3, 0.9, 1.0])
        limit, offset = self.draw.choice([1, 8, 20]), self.offset()
        best = self.ranked(m.NearestQuery(nearest=vector), self.admitted(part))
        count = candidates_limit or limit + offset
        relevance = 0.5 if diversity is None else 1 - diversity
        chosen = model.diverse(
            self.similar, vector, best[:count], self.vectors, relevance, limit + offset
        )
        mmr, params = m.Mmr(diversity=diversity, candidates_limit=candidates_limit), self.params()
        found = await docs.query(
            m.NearestQuery(nearest=self.given(vector), mmr=mmr),
            using=self.using,
            filter=by_part(part),
            params=EXACT if self.may_miss(params) else params,
            limit=limit,
            offset=offset,
        )
        scores = dict(best)
        for hit in found:
            self.assert_close(hit.score, scores[hit.id])
        is_last_sure = len(best) <= count or not model.is_close(best[count - 1][1], best[count][1])
        if chosen is not None and is_last_sure:
            assert [hit.id for hit in found] == chosen[offset:]

    async def check_matrix(self, docs):
        drawn = sorted(self.draw.sample(sorted(self.parts), min(12, len(self.parts))))
        among = m.Filter(must=m.HasIdCondition(has_id=drawn))
        limit = self.draw.choice([1, 3, 50])
        found = await docs.search_matrix_pairs(
            filter=among, sample=100, limit=limit, using=self.using
        )
        vectors = {point: self.vectors[point] for point in drawn if point in self.vectors}
        nearest = {}
        for pair in found.pairs:
            hit = m.ScoredPoint(id=pair.b, version=0, score=pair.score)
            nearest.setdefault(pair.a, []).append(hit)
        assert list(nearest) == sorted(nearest)
        for point, vector in vectors.items():
            others = {one: own for one, own in vectors.items() if one != point}
            best = self.ranked(m.NearestQuery(nearest=vector), others)
            self.assert_same(nearest.pop(point, []), best, limit, 0, self.matrix_error)
        assert nearest == {}

    def is_best(self, found, best, limit, offset, least):
        """Whether no score is less than it should be; each is that of its point in any case."""
        scores, expected = dict(best), [score for _, score in best[offset : offset + limit]]
        own = [hit.score for hit in found]
        self.assert_close(own, [scores[hit.id] for hit in found], least=least)
        return len(found) == len(expected) and np.allclose(
            own, expected, rtol=self.error, atol=max(self.error, least)
        )

    def assert_same(self, found, best, limit, offset, error=None, least=0.0):
        """Scores are those of the best in their order; who ties with whom may change places."""
        own, scores = [hit.score for hit in found], dict(best)
        self.assert_close(own, [score for _, score in best[offset : offset + limit]], error, least)
        assert len({hit.id for hit in found}) == len(found)
        self.assert_close(own, [scores[hit.id] for hit in found], error, least)

    def assert_close(self, scores, expected, error=None, least=0.0):
        """As near as ``error`` says of a score; near 0 ``least`` allows more, see `cancelled`."""
        error = self.error if error is None else error
        np.testing.assert_allclose(scores, expected, rtol=error, atol=max(error, least))

    # ---- what is asked --------------------------------------------------------------------------

    def part(self):
        """Of the points; None: all."""
        return self.draw.choice([None, None, 0, 1])

    def offset(self):
        return self.draw.choice([0, 0, 3])

    def admitted(self, part, used=()):
        return {
            point: vector
            for point, vector in self.vectors.items()
            if point not in used and part in (None, self.parts[point])
        }

    async def prefetched(self, docs, most):
        """Some prefetches, and what they find: ids with scores."""
        prefetches, lists = [], []
        for _ in range(self.draw.randint(1, most)):
            how = {
                "query": self.query()[0],
                "using": self.using,
                "limit": self.draw.choice([1, 20, 50]),
                "filter": by_part(self.draw.choice([None, 1])),
                "params": EXACT,
            }
            hits = await docs.query(**how)
            prefetches.append(m.Prefetch(**how))
            lists.append([(hit.id, hit.score) for hit in hits])
        return prefetches, lists

    def query(self):
        """A query with ids, the same with vectors, and the ids."""
        used = set()

        def example():
            """As it is handed over, and as the model takes it."""
            if self.draw.random() < 0.5 or not self.vectors:
                vector = self.vector()
                return self.given(vector), vector
            point = self.draw.choice(sorted(self.vectors))
            used.add(point)
            return point, self.vectors[point]

        def some(least, most):
            return [example() for _ in range(self.draw.randint(least, most))]

        match self.draw.randrange(6):
            case 0 | 1:
                queries = both(lambda one: m.NearestQuery(nearest=one), example())
            case 2 | 3:
                strategy = self.draw.choice(list(m.RecommendStrategy))
                is_average = strategy is m.RecommendStrategy.AVERAGE_VECTOR
                positive, negative = some(1 if is_average else 0, 3), some(0, 3)
                if not positive and not negative:
                    positive = some(1, 1)

                def recommend(*examples):
                    given = m.RecommendInput(
                        positive=list(examples[: len(positive)]),
                        negative=list(examples[len(positive) :]),
                        strategy=strategy,
                    )
                    return m.RecommendQuery(recommend=given)

                queries = both(recommend, *positive, *negative)
            case 4:

                def discover(target, *examples):
                    context = pairs_of(examples) or None
                    return m.DiscoverQuery(discover=m.DiscoverInput(target=target, context=context))

                pairs = self.draw.randint(0, 3)
                queries = both(discover, example(), *some(2 * pairs, 2 * pairs))
            case _:
                pairs = self.draw.randint(1, 3)
                queries = both(
                    lambda *examples: m.ContextQuery(context=pairs_of(examples)),
                    *some(2 * pairs, 2 * pairs),
                )
        return *queries, used


def both(kind, *examples):
    """The query of examples as they are handed over, and as the model takes them."""
    return kind(*(given for given, _ in examples)), kind(*(vector for _, vector in examples))


def pairs_of(examples):
    return [
        m.ContextPair(positive=positive, negative=negative)
        for positive, negative in zip(examples[::2], examples[1::2], strict=True)
    ]


def best_first(scores):
    return sorted(scores.items(), key=lambda one: -one[1])


def by_part(part):
    if part is None:
        return None
    return m.Filter(must=m.FieldCondition(key="part", match=m.MatchValue(value=part)))
