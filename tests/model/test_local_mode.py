"""Side by side with the official client's local mode: the same points, the same answers.

    ASYNCSTORE_MODEL_OPERATIONS=100000 python -m pytest tests/model/test_local_mode.py

A case is a read. Where local mode answers in another way than the interface that both have asks
for, it is in the tables of `test_local_mode_departures.py`, and nothing of that is drawn here.
"""

import functools
import random

import msgspec
import numpy as np
import pytest

import asyncstore
import formula_model
import query_model
from asyncstore import models as m
from filter_model import parts
from local_mode import ALL, LocalMode, peer
from local_mode_data import (
    ALWAYS,
    COUNTED,
    DIM,
    GROUPED,
    IDS,
    MULTIVECTORS,
    NAMED,
    ORDERED,
    OTHER_INDEXES,
    SPARSE,
    UUIDS,
    ZONED,
    Data,
)
from model_runs import first_seed, run_data_sets

CASES = 1_000  # with and without indexes
READS = 60  # of a data set in each of its states
EXACT = m.SearchParams(exact=True)
HYBRID = {"dense": m.Distance.COSINE, **dict.fromkeys(SPARSE, m.Distance.DOT)}
MAX_SIM = m.MultiVectorConfig(comparator=m.MultiVectorComparator.MAX_SIM)
TOLERANCE = {"rtol": 2e-4, "atol": 2e-5}
FIRST = first_seed()


@pytest.mark.parametrize("is_indexed", [False, True], ids=["plain", "indexed"])
def test_answers_are_equal(tmp_path, is_indexed):
    run = Run(tmp_path / "store", is_indexed)
    run_data_sets(run, cases=CASES, first=FIRST)


class Run:
    """One store beside one client, and a collection of both for each data set."""

    def __init__(self, folder, is_indexed):
        self.cases = 0
        self._folder, self._is_indexed = folder, is_indexed
        self._client = peer()

    async def data_set(self, number):
        self._draw = random.Random(number)
        distance = self._draw.choice(list(m.Distance))
        self._distances = self._draw.choice([NAMED, HYBRID, HYBRID, MULTIVECTORS, {"": distance}])
        self._is_named = "" not in self._distances
        self._data = Data(self._draw, np.random.default_rng(number), list(self._distances))
        params = {
            name: m.VectorParams(
                size=DIM,
                distance=distance,
                multivector_config=MAX_SIM if name in MULTIVECTORS else None,
            )
            for name, distance in self._distances.items()
            if name not in SPARSE
        }
        self._vectors = {
            "vectors": params if self._is_named else params[""],
            "sparse_vectors": {name: SPARSE[name] for name in SPARSE if name in self._distances},
        }
        name, other = f"of-{number}", f"others-{number}"
        config = {"storage": {"durability": "flush", "performance": {"workers": 1}}}
        async with asyncstore.open_store(self._folder, config=config) as store:
            self._rows = await store.create_collection(name, **self._vectors)
            self._theirs = LocalMode(self._client, name, **self._vectors)
            await self._make_other(store, other)
            await self._create_indexes(list(ORDERED.items()) + list(OTHER_INDEXES.items()))
            await self._upsert(IDS)
            await self._check()
            await self._create_indexes([("word", "keyword"), ("flag", "bool"), ("key", "uuid")])
            await self._rows.optimize()
            await self._check()
            for _ in range(8):
                await self._write()
            await self._check()
        async with asyncstore.open_store(self._folder, config=config) as store:
            self._rows = await store.get_collection(name)
            await self._rows.optimize()
            await self._check()
            await store.delete_collection(name)

    async def _create_indexes(self, indexes):
        if self._is_indexed:
            for key, schema in indexes:
                await self._rows.create_payload_index(key, schema)

    async def _make_other(self, store, name):
        """Points that others are looked up in: by the keys of groups, and by ids of examples."""
        rows = await store.create_collection(name, **self._vectors)
        self._other = LocalMode(self._client, name, **self._vectors)
        points = [self._point(one) for one in [*range(1, 4), *UUIDS[:2]]]
        await rows.upsert(points)
        self._other.upsert(points)
        self._other_vectors = {
            name: {one.id: _named(one.vector)[name] for one in points if name in _named(one.vector)}
            for name in self._distances
        }

    # ---- writes ---------------------------------------------------------------------------------

    def _point(self, one):
        vector = self._data.vectors() if self._is_named else self._data.vector("")
        return m.PointStruct(id=one, vector=vector, payload=self._data.payload())

    async def _upsert(self, ids):
        points = [self._point(one) for one in ids]
        await self._rows.upsert(points)
        self._theirs.upsert(points)

    async def _write(self):
        """The same to both."""
        rows, theirs, draw, data = self._rows, self._theirs, self._draw, self._data
        filter = data.filter()
        selected = {"filter": filter}
        if draw.random() < 0.5:
            found = [point.id for point in theirs.scroll()[0]]
            selected = {"points": draw.sample(found, min(20, len(found)))}
        payload, keys = data.payload(), ["word", "rows", "deep"]
        match draw.randrange(6):
            case 0:
                await self._upsert(draw.sample(IDS, 30))
            case 1:
                await rows.set_payload(payload, **selected)
                theirs.change("set_payload", payload, **selected)
            case 2:
                await rows.overwrite_payload(payload, **selected)
                theirs.change("overwrite_payload", payload, **selected)
            case 3:
                await rows.delete_payload(keys, **selected)
                theirs.change("delete_payload", keys, **selected)
            case 4 if "rare" not in data.names:  # whose indices are counted still there
                few = {"points": draw.sample(IDS, 15)}
                await rows.delete(**few)
                theirs.change("delete", **few)
            case 5 if names := [name for name in data.names if name not in ALWAYS]:
                names = draw.sample(names, 1)
                await rows.delete_vectors(names, **selected)
                theirs.change("delete_vectors", names, **selected)

    # ---- reads ----------------------------------------------------------------------------------

    async def _check(self):
        await self._check_points()
        reads = [self._scroll, self._count, self._query, self._query, self._query, self._candidates]
        reads += [self._fusion, self._formula, self._formula, self._groups, self._sample]
        reads += [self._diverse, self._matrix]
        if self._is_indexed:
            reads += [self._order, self._facet]
        for _ in range(READS):
            await self._draw.choice(reads)()
            self.cases += 1

    async def _check_points(self):
        """All that both have, and which vectors there are."""
        found, _ = await self._rows.scroll(limit=ALL, with_vectors=True)
        expected, _ = self._theirs.scroll(with_vectors=True)
        assert [point.id for point in found] == [point.id for point in expected]
        self._having = {name: {} for name in self._distances}
        for point, other in zip(found, expected, strict=True):
            assert point.payload == other.payload
            vectors, other_vectors = _named(point.vector), _named(other.vector)
            assert vectors.keys() == other_vectors.keys()
            for name, vector in vectors.items():
                other = other_vectors[name]
                if self._distances[name] is m.Distance.COSINE:
                    # Theirs are scaled to unit length anew by every search.
                    np.testing.assert_allclose(vector, other, rtol=1e-4, atol=1e-5)
                elif name in SPARSE:
                    assert (vector.indices, vector.values) == (other.indices, other.values)
                else:
                    assert vector == other
                self._having[name][point.id] = vector

    def _filter(self, chance=1.0):
        return self._data.filter() if self._draw.random() < chance else None

    async def _scroll(self):
        filter = self._filter()
        expected, _ = self._theirs.scroll(filter)
        found, _ = await self._rows.scroll(filter=filter, limit=ALL)
        if [one.id for one in found] != [one.id for one in expected]:
            pytest.fail(await self._difference(filter, found, expected))
        assert [one.payload for one in found] == [one.payload for one in expected]
        selection = self._draw.choice([False, ["word", "deep"], {"exclude": ["rows", "deep"]}])
        some = [one.id for one in expected[:5]]
        found = await self._rows.retrieve([*some, 10**6], with_payload=selection)
        expected = self._theirs.retrieve([*some, 10**6], selection)
        assert [(one.id, one.payload) for one in found] == [
            (one.id, one.payload) for one in expected
        ]
        limit, offset = self._draw.randint(1, 20), self._draw.choice([None, *IDS])
        page, following = await self._rows.scroll(filter=filter, limit=limit, offset=offset)
        expected, expected_following = self._theirs.scroll(filter, limit=limit, offset=offset)
        assert [one.id for one in page] == [one.id for one in expected], filter
        assert following == expected_following

    async def _difference(self, filter, found, expected):
        """One point that is judged differently, and the smallest part of the filter it is by."""
        ours, theirs = {one.id: one for one in found}, {one.id: one for one in expected}
        wrong = next(iter(ours.keys() ^ theirs.keys()))
        smallest = filter
        for part in parts(filter):
            only = m.Filter(must=[part, m.HasIdCondition(has_id=[wrong])])
            if await self._rows.count(filter=only) != self._theirs.count(only):
                smallest = min(smallest, part, key=lambda one: len(repr(one)))
        side = "passes here" if wrong in ours else "passes there"
        point = {**ours, **theirs}[wrong]
        return f"{point.id} {point.payload} {side}: {msgspec.json.encode(smallest).decode()}"

    async def _count(self):
        filter = self._filter()
        assert await self._rows.count(filter=filter) == self._theirs.count(filter), filter

    async def _order(self):
        key, filter = self._draw.choice(list(ORDERED)), self._filter(0.5)
        starts = ZONED if key == "at" else [-1, 0, 2, 2.5]
        order = m.OrderBy(
            key=key,
            direction=self._draw.choice([None, *m.Direction]),
            start_from=self._draw.choice([None, *starts]),
        )
        limit = self._draw.choice([3, 7, ALL])
        everything = {
            (one.id, one.order_value) for one in self._theirs.scroll(filter, order_by=order)[0]
        }
        expected, _ = self._theirs.scroll(filter, order_by=order, limit=limit)
        found, _ = await self._rows.scroll(filter=filter, order_by=order, limit=limit)
        pairs = [(one.id, one.order_value) for one in found]
        assert [value for _, value in pairs] == [one.order_value for one in expected], order
        assert set(pairs) <= everything
        assert len(set(pairs)) == len(pairs)
        queried = await self._rows.query(
            m.OrderByQuery(order_by=order), filter=filter, limit=limit, offset=2
        )
        assert [(one.id, one.order_value) for one in queried][: limit - 2] == pairs[2:]

    async def _facet(self):
        schema = (await self._rows.info()).payload_schema
        key, filter = self._draw.choice(sorted(COUNTED.keys() & schema.keys())), self._filter(0.5)
        limit = self._draw.choice([1, 3, ALL])
        expected = [(hit.value, hit.count) for hit in self._theirs.facet(key, filter, limit)]
        found = await self._rows.facet(key, filter=filter, limit=limit)
        assert [(hit.value, hit.count) for hit in found] == expected, filter

    async def _query(self):
        using, query, lookup_from = self._asked()
        how = {"using": using, "filter": self._filter(0.6), "lookup_from": lookup_from}
        await self._compare(query, how)

    async def _candidates(self):
        """A query of what others found."""
        using, query, lookup_from = self._asked()
        prefetches = [self._prefetch() for _ in range(self._draw.randint(1, 2))]
        if None not in prefetches:
            how = {"using": using, "prefetch": prefetches, "lookup_from": lookup_from}
            await self._compare(query, how)

    async def _fusion(self):
        prefetches = [self._prefetch() for _ in range(self._draw.randint(1, 3))]
        if None in prefetches:
            return
        weights = [self._draw.choice([0.5, 1.0, 3.0]) for _ in prefetches]
        fusions = [
            m.FusionQuery(fusion=m.Fusion.RRF),
            m.RrfQuery(rrf=m.Rrf(k=self._draw.choice([None, 1, 60]))),
            m.RrfQuery(rrf=m.Rrf(weights=weights)),
        ]
        fusions.append(m.FusionQuery(fusion=m.Fusion.DBSF))
        await self._compare(self._draw.choice(fusions), {"prefetch": prefetches})

    async def _formula(self):
        prefetches = [self._prefetch() for _ in range(self._draw.randint(1, 2))]
        if None in prefetches:
            return
        query = formula_model.query(self._draw, len(prefetches))
        lists = []
        for one in prefetches:
            hits = self._theirs.query(
                one.query, using=one.using, filter=one.filter, limit=one.limit
            )
            lists.append([(hit.id, hit.score) for hit in hits])
        try:
            if self._is_delicate(query, lists):
                return
        except formula_model.Undefined:
            with pytest.raises((ValueError, TypeError)):
                self._theirs.query(query, prefetch=prefetches)
            with pytest.raises(asyncstore.InvalidArgumentError, match=r"^query\.formula"):
                await self._rows.query(query, prefetch=prefetches)
            return
        await self._compare(query, {"prefetch": prefetches})

    def _is_delicate(self, query, lists):
        """Whether the last digits of a score make a difference to the formula."""
        payloads = {one.id: one.payload for one in self._theirs.scroll()[0]}
        found = dict.fromkeys(one for ids in lists for one, _ in ids)
        candidates = [formula_model.point_of(one, payloads[one]) for one in found]
        scores = formula_model.scored(query, candidates, lists)
        others = [[(one, score * 1.00001) for one, score in ids] for ids in lists]
        changed = formula_model.scored(query, candidates, others)
        return not np.allclose(list(scores.values()), list(changed.values()), **TOLERANCE)

    async def _diverse(self):
        """Where two candidates are as good to the last digits, either may be chosen."""
        using, filter = self._draw.choice(list(self._distances)), self._filter(0.4)
        vector, limit = self._data.vector(using), self._draw.choice([1, 5, 20])
        diversity = self._draw.choice([None, 0.0, 0.3, 1.0])
        mmr = m.Mmr(diversity=diversity, candidates_limit=self._draw.choice([None, 30]))
        query = m.NearestQuery(nearest=vector, mmr=mmr)
        nearest = self._theirs.query(
            m.NearestQuery(nearest=vector),
            using=using,
            filter=filter,
            limit=mmr.candidates_limit or limit,
        )
        best = [(hit.id, hit.score) for hit in nearest]
        relevance = 1 - (0.5 if diversity is None else diversity)
        chosen = query_model.diverse(
            self._similar(using), vector, best, self._having[using], relevance, limit
        )
        how = {"using": using, "filter": filter, "limit": limit}
        found = await self._rows.query(query, params=EXACT, with_payload=True, **how)
        if chosen is not None:
            theirs = self._theirs.query(query, **how)
            assert [hit.id for hit in found] == [hit.id for hit in theirs]
            ours, theirs = ([hit.score for hit in hits] for hits in (found, theirs))
            np.testing.assert_allclose(ours, theirs, **TOLERANCE)

    async def _compare(self, query, how):
        """With other limits, offsets and thresholds."""
        everything = self._theirs.query(query, **how)
        scores = {one.id: one.score for one in everything}
        threshold = None
        # Those of examples are distances nowhere; there they are, with a threshold.
        is_ranked = isinstance(query, m.NearestQuery | m.FusionQuery | m.RrfQuery | m.FormulaQuery)
        if (
            (is_ranked or not self._is_distance(how["using"]))
            and len(everything) > 3
            and self._draw.random() < 0.3
        ):
            middle = self._draw.randrange(1, len(everything))
            threshold = (everything[middle - 1].score + everything[middle].score) / 2
            if min(abs(threshold - score) for score in scores.values()) < 1e-4:
                threshold = None  # rounding would decide
        limit, offset = self._draw.choice([1, 10, ALL]), self._draw.choice([0, 0, 3])
        part = {**how, "limit": limit, "offset": offset, "score_threshold": threshold}
        expected = self._theirs.query(query, **part)
        found = await self._rows.query(query, params=EXACT, **part)
        assert_same(found, [one.score for one in expected], scores)
        if not how.get("prefetch"):
            for one in found[:3]:
                assert one.version > 0

    async def _groups(self):
        using, query, lookup_from = self._asked()
        path = self._draw.choice(GROUPED)
        how = {"using": using, "filter": self._filter(0.4), "lookup_from": lookup_from}
        size = self._draw.choice([1, 3, 50])
        lookup = m.WithLookup(collection=self._other.name)
        everything = self._theirs.query_groups(
            query, group_by=path, group_size=ALL, with_lookup=lookup, **how
        )
        limit = self._draw.choice([1, 3, ALL])
        found = await self._rows.query_groups(
            query,
            group_by=path,
            group_size=size,
            limit=limit,
            with_lookup=lookup,
            params=EXACT,
            **how,
        )
        expected = {group.id: group for group in everything}
        best = [group.hits[0].score for group in everything[:limit]]
        np.testing.assert_allclose([group.hits[0].score for group in found], best, **TOLERANCE)
        for group in found:
            theirs = expected[group.id]
            scores = {hit.id: hit.score for hit in theirs.hits}
            assert_same(group.hits, list(scores.values())[:size], scores)
            assert (group.lookup is None) == (theirs.lookup is None)
            if group.lookup is not None:
                assert (group.lookup.id, group.lookup.payload) == (
                    theirs.lookup.id,
                    theirs.lookup.payload,
                )

    async def _sample(self):
        filter = self._filter(0.7)
        found = await self._rows.query({"sample": "random"}, filter=filter, limit=ALL)
        theirs = self._theirs.query(m.SampleQuery(sample=m.Sample.RANDOM), filter=filter)
        assert sorted(str(one.id) for one in found) == sorted(str(one.id) for one in theirs)
        plain = await self._rows.query(filter=filter, limit=ALL)
        assert [one.id for one in plain] == [one.id for one in self._theirs.query(filter=filter)]

    async def _matrix(self):
        using, limit = self._draw.choice(list(self._distances)), self._draw.choice([1, 3])
        integers = m.HasIdCondition(has_id=self._draw.sample(IDS[:120], 20))
        having = m.HasVectorCondition(has_vector=using)
        filter = m.Filter(must=[integers, having, self._data.filter()])
        expected = self._theirs.pairs(filter, limit, using)
        found = await self._rows.search_matrix_pairs(
            filter=filter, sample=1_000, limit=limit, using=using
        )
        assert [pair.a for pair in found.pairs] == [pair.a for pair in expected]
        np.testing.assert_allclose(
            [pair.score for pair in found.pairs], [pair.score for pair in expected], **TOLERANCE
        )

    # ---- what is asked --------------------------------------------------------------------------

    def _asked(self):
        """A vector's name, a query, and where its ids are from."""
        using = self._draw.choice(list(self._distances))
        if self._draw.random() < 0.2 and self._other_vectors[using]:
            there = m.LookupLocation(collection=self._other.name)
            return using, self._example_query(using, self._other_vectors[using]), there
        return using, self._example_query(using, self._having[using]), None

    def _example_query(self, using, examples):
        """By vectors, and by ids of `examples`, that no point is in doubt about."""
        similar = self._similar(using)

        def similar_to(example, vector):
            own = examples[example] if isinstance(example, int | str) else example
            return similar(own, vector)

        while True:
            query = self._data.query(using, list(examples))
            if not query_model.is_doubtful(query, self._having[using].values(), similar_to):
                return query

    def _prefetch(self):
        """A query whose order is beyond doubt as far as it goes; None where rounding decides."""
        using = self._draw.choice(list(self._distances))
        query = self._example_query(using, self._having[using])
        limit, filter = self._draw.choice([1, 20, 50]), self._filter(0.4)
        found = self._theirs.query(query, using=using, filter=filter)
        scores = np.array([one.score for one in found[: limit + 1]])
        if len(scores) > 1 and np.abs(np.diff(scores)).min() < 1e-5 * (1 + np.abs(scores).max()):
            return None
        return m.Prefetch(query=query, using=using, filter=filter, limit=limit, params=EXACT)

    def _similar(self, using):
        """How near two vectors are to each other; rare indices count for no more."""
        if using in SPARSE:
            return lambda a, b: query_model.sparse_product(_weights(a), _weights(b))
        return functools.partial(query_model.similarity, self._distances[using])

    def _is_distance(self, using):
        return self._distances[using] in (m.Distance.EUCLID, m.Distance.MANHATTAN)


def assert_same(found, expected, scores):
    """The scores are the expected ones in their order; who ties with whom may change places."""
    np.testing.assert_allclose([hit.score for hit in found], expected, **TOLERANCE)
    assert len({hit.id for hit in found}) == len(found)
    own = [scores[hit.id] for hit in found]
    np.testing.assert_allclose([hit.score for hit in found], own, **TOLERANCE)


def _weights(vector):
    return dict(zip(vector.indices, vector.values, strict=True))


def _named(vector):
    if vector is None:
        return {}
    return vector if isinstance(vector, dict) else {"": vector}
