"""Groups, orders and facets against brute force, over payloads of any kind, in every state.

    make model OPERATIONS=1000000

A case is a call with a filter. Which points pass a filter, and how near they are, is the business
of other models: here the query itself says in which order points come.
"""

import random

import numpy as np
import pytest

import asyncstore
import grouping_model as model
from asyncstore import models as m
from filter_model import Point, passes
from filter_strategies import COMMON_PATHS, FLOATS, IDS, INTEGERS, VALID_DATES, filters
from filter_strategies import payloads as payload_strategy
from model_runs import examples, first_seed, run_data_sets

CASES = 1_500  # with and without indexes
POINTS, CALLS = 200, 60  # of a data set; calls in each of its states
ALL = 10_000
DIM = 8
EXACT = m.SearchParams(exact=True)
# Codes whose errors are far less than what lies between two points.
CODES = m.RabitqQuantization(rabitq=m.RabitqQuantizationConfig(bits=8))
PATHS = [*COMMON_PATHS, "ö", "b.a", "a[0]", "b[]", "a.b[]", "missing"]
# The index of a field is of one kind; each data set draws them.
KINDS = sorted({*model.ORDERED, *model.COUNTED})
STARTS = {
    "integer": INTEGERS,
    "float": [*FLOATS, *INTEGERS[:7]],
    "datetime": VALID_DATES,
}
FIRST = first_seed()


@pytest.mark.parametrize("is_indexed", [False, True], ids=["plain", "indexed"])
def test_groups_orders_facets(tmp_path, is_indexed):
    run = Run(tmp_path / "store", is_indexed)
    run_data_sets(run, cases=CASES, first=FIRST)


class Run:
    def __init__(self, folder, is_indexed):
        self.cases = 0
        self._folder, self._is_indexed = folder, is_indexed

    async def data_set(self, number):
        self._draw = random.Random(number)
        self._numbers = np.random.default_rng(number)
        self._payloads = {}
        self._some = examples(payload_strategy, POINTS + 60, number)
        self._filters = examples(filters, 40, number)
        self._kinds = {}
        name = f"of-{number}"
        config = {"storage": {"durability": "flush", "performance": {"workers": 1}}}
        async with asyncstore.open_store(self._folder, config=config) as store:
            vectors = m.VectorParams(
                size=DIM,
                distance=m.Distance.EUCLID,
                hnsw_config=m.HnswConfigDiff(full_scan_threshold=10),
            )
            named = {"dense": vectors, "other": vectors}
            self._rows = await store.create_collection(
                name,
                vectors=named,
                sparse_vectors={"words": m.SparseVectorParams()},
                quantization_config=CODES,
            )
            await self._create_indexes(PATHS[::2])
            await self._upsert(IDS[:POINTS])
            await self._check()
            await self._create_indexes(PATHS[1::2])
            await self._rows.optimize()
            await self._check()
            await self._upsert(self._draw.sample(IDS, 30))
            await self._change()
            await self._check()
        async with asyncstore.open_store(self._folder, config=config) as store:
            self._rows = await store.get_collection(name)
            await self._check()
            await self._rows.optimize()
            await self._check()
            await store.delete_collection(name)

    async def _create_indexes(self, paths):
        """One for each path; without indexes there are groups alone."""
        for path in paths if self._is_indexed else ():
            self._kinds[path] = self._draw.choice(KINDS)
            await self._rows.create_payload_index(path, self._kinds[path])

    async def _upsert(self, ids):
        points = []
        for one in ids:
            self._payloads[one] = self._draw.choice(self._some)
            vector = self._numbers.standard_normal(DIM).tolist()
            points.append(
                m.PointStruct(id=one, vector={"dense": vector}, payload=self._payloads[one])
            )
        await self._rows.upsert(points)

    async def _change(self):
        """Some points are gone, some have another payload."""
        gone = self._draw.sample(sorted(self._payloads, key=str), 20)
        await self._rows.delete(points=gone)
        for one in gone:
            del self._payloads[one]
        for other in self._draw.sample(self._some, 10):
            some = self._draw.sample(sorted(self._payloads, key=str), 3)
            await self._rows.overwrite_payload(other, points=some)
            self._payloads.update(dict.fromkeys(some, other))

    # ---- calls ----------------------------------------------------------------------------------

    async def _check(self):
        calls = [self._check_groups] * 2
        if self._kinds:
            calls += [self._check_order, self._check_facet]
        for _ in range(CALLS):
            filter = self._draw.choice([None, *self._filters])
            passing = {
                one: payload
                for one, payload in self._payloads.items()
                if filter is None or passes(filter, Point(one, frozenset({"dense"}), payload))
            }
            await self._draw.choice(calls)(filter, passing)
            self.cases += 1

    async def _check_groups(self, filter, passing):
        query, how = self._query()
        how |= {"filter": filter, "params": EXACT}
        if not isinstance(query, m.FusionQuery):
            how["using"] = "dense"
        grouping = how | {"params": self._draw.choice([EXACT, None])}
        path = self._draw.choice(PATHS)
        limit, size = self._draw.choice([1, 3, 10, ALL]), self._draw.choice([1, 2, 5, ALL])
        ranked = [hit.id for hit in await self._rows.query(query, limit=ALL, **how)]
        assert set(ranked) <= passing.keys()
        expected = model.groups(ranked, passing, path, limit, size)
        found = await self._rows.query_groups(
            query, group_by=path, limit=limit, group_size=size, with_payload=True, **grouping
        )
        assert [(group.id, [hit.id for hit in group.hits]) for group in found] == expected
        for group in found:
            assert all(hit.payload == passing[hit.id] for hit in group.hits)

    def _query(self):
        """A query without ties."""
        vector = self._numbers.standard_normal(DIM).tolist()
        other = self._numbers.standard_normal(DIM).tolist()
        prefetch = [
            m.Prefetch(query=one, using="dense", limit=self._draw.choice([20, 100]), params=EXACT)
            for one in (vector, other)
        ]
        strategy = m.RecommendStrategy.BEST_SCORE
        liked = m.RecommendInput(positive=[vector], negative=[other], strategy=strategy)
        mmr = m.Mmr(candidates_limit=60)
        return self._draw.choice(
            [
                (None, {}),
                (vector, {}),
                (vector, {"prefetch": prefetch}),
                (m.RecommendQuery(recommend=liked), {}),
                (m.FusionQuery(fusion=m.Fusion.RRF), {"prefetch": prefetch}),
                (m.FormulaQuery(formula={"neg": "$score"}), {"prefetch": prefetch[:1]}),
                (m.NearestQuery(nearest=vector, mmr=mmr), {}),
            ]
        )

    async def _check_order(self, filter, passing):
        path = self._draw.choice(
            [path for path, kind in self._kinds.items() if kind in model.ORDERED] or [None]
        )
        if path is None:
            return
        kind = self._kinds[path]
        start = self._draw.choice([None, *STARTS[kind]])
        is_descending, limit = self._draw.random() < 0.5, self._draw.choice([1, 5, ALL])
        expected = model.order(passing, path, kind, start, is_descending=is_descending)
        direction = m.Direction.DESC if is_descending else m.Direction.ASC
        order = m.OrderBy(key=path, direction=direction, start_from=start)
        page, following = await self._rows.scroll(filter=filter, order_by=order, limit=limit)
        pairs = [(record.order_value, record.id) for record in page]
        assert following is None
        assert [value for value, _ in pairs] == [value for value, _ in expected[:limit]]
        assert set(pairs) <= set(expected)
        assert len(set(pairs)) == len(pairs)
        assert all(record.payload == passing[record.id] for record in page)

    async def _check_facet(self, filter, passing):
        path = self._draw.choice(
            [path for path, kind in self._kinds.items() if kind in model.COUNTED] or [None]
        )
        if path is None:
            return
        limit = self._draw.choice([1, 3, ALL])
        expected = model.facet(passing, path, self._kinds[path], limit)
        hits = await self._rows.facet(path, filter=filter, limit=limit)
        assert [(hit.value, hit.count) for hit in hits] == expected
