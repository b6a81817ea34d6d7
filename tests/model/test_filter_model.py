"""Filters of every kind against brute force: in every state of a collection, by every call.

    make model OPERATIONS=1000000

A case is a filter, a data set and a state. Each reader runs the same ones.
"""

import functools
import random
from dataclasses import replace

import anyio
import msgspec
import numpy as np
import pytest

import asyncstore
from asyncstore import models as m
from filter_model import Point, parts, passes
from filter_strategies import IDS, filters, payloads, text_filters, text_payloads
from model_runs import examples, first_seed, run_data_sets
from text_model import TextRules

CASES = 5_200  # of each reader, with and without indexes
POINTS, FILTERS, WRITES = 200, 260, 12  # of a data set
ALL = 10_000
DIM = 16
VECTORS = {
    "dense": m.VectorParams(
        size=DIM,
        distance=m.Distance.DOT,
        quantization_config=m.RabitqQuantization(rabitq=m.RabitqQuantizationConfig(bits=4)),
        hnsw_config=m.HnswConfigDiff(full_scan_threshold=10),
    ),
    "other": m.VectorParams(size=2, distance=m.Distance.EUCLID),
}
QUERIES = np.random.default_rng(7).standard_normal((3, DIM)).astype(np.float32)
EXACT = m.SearchParams(exact=True)
# Payload indexes that a collection is given: each data set takes another schema for each key. They
# change no result, but for those of texts.
INDEXED = [
    ("a", ["keyword", "integer", "float", "datetime", "bool", "uuid", "geo"]),
    ("a[]", ["integer", "keyword", "float"]),
    ("b", ["float", "integer", "keyword", "uuid", "datetime"]),
    ("ö", ["geo", "keyword"]),
    ("a.b", ["keyword", "integer", "float", "bool"]),
    ("a[].b", ["integer", "keyword", "datetime"]),
]
TEXTS = [
    TextRules(),
    TextRules(stopwords=("RED", "29")),
    TextRules(tokenizer="whitespace", lowercase=False),
    TextRules(tokenizer="prefix", max_token_len=3),
    TextRules(tokenizer="prefix", min_token_len=2),
    TextRules(min_token_len=2, max_token_len=4),
]
INDEXED_TEXTS = [(key, TEXTS) for key in ["a", "b", "a[]", "a[].b", "a[].a", "c"]]
FIRST = first_seed()  # of both readers
ALL_KINDS = (payloads, filters)
INDEXES = [
    pytest.param(ALL_KINDS, [], id="plain"),
    pytest.param(ALL_KINDS, INDEXED, id="indexed"),
    pytest.param((text_payloads, text_filters), INDEXED_TEXTS, id="texts"),
]


@pytest.mark.parametrize(("drawn", "field_schemas"), INDEXES)
@pytest.mark.parametrize("async_scorer", ["auto", False])
def test_filters(tmp_path, async_scorer, drawn, field_schemas):
    performance = {"workers": 1, "prewarm": False}
    storage = {"async_scorer": async_scorer, "durability": "flush", "performance": performance}
    run = Run(tmp_path / "store", {"storage": storage}, drawn, field_schemas)
    run_data_sets(run, cases=CASES, first=FIRST)


@functools.cache
def data_of(number, drawn):
    """Points, filters (of those that all points or none pass, half at most), and a cache.

    ``drawn`` are the strategies of payloads and of filters. The cache is for :meth:`Run._passes`.
    """
    draw = random.Random(number)
    payloads, filters = drawn
    points = {
        point_id: Point(point_id, _some_vectors(draw), payload)
        for point_id, payload in zip(IDS, examples(payloads, POINTS, number), strict=False)
    }
    telling, others = [], []
    for filter in examples(filters, FILTERS * 5 // 4, number):
        passing = sum(passes(filter, point) for point in points.values())
        (telling if 0 < passing < len(points) else others).append(filter)
    others = others[: max(FILTERS // 2, FILTERS - len(telling))]
    return points, [*others, *telling[: FILTERS - len(others)]], {}


def _some_vectors(draw):
    names = [*VECTORS, "words"]
    return frozenset(name for name in names if draw.random() < 0.8)


class Run:
    """One store, and a collection for each data set."""

    def __init__(self, folder, config, drawn, field_schemas):
        self.cases = 0
        self._folder, self._config, self._drawn = folder, config, drawn
        self._field_schemas = field_schemas

    async def data_set(self, number):
        points, self._filters, self._judged = data_of(number, self._drawn)
        self._points = dict(points)
        self._number, self._texts = number, ()
        self._draw = random.Random(number)
        name = f"of-{number}"
        async with asyncstore.open_store(self._folder, config=self._config) as store:
            self._docs = await store.create_collection(
                name, vectors=VECTORS, sparse_vectors={"words": m.SparseVectorParams()}
            )
            await self._create_indexes(first=True)
            await self._upsert(self._points.values())
            await self._check("fresh")
            await self._create_indexes(first=False)
            await self._docs.optimize()
            await self._check("optimized")
            for _ in range(WRITES):
                await self._write()
            await self._check("updated")
        async with asyncstore.open_store(self._folder, config=self._config) as store:
            self._docs = await store.get_collection(name)
            await self._check("reopened")
            await self._docs.optimize()
            await self._check("optimized again")
            await store.delete_collection(name)

    async def _create_indexes(self, *, first):
        """Half of the indexes before there are points, half of them afterwards."""
        for place, (key, schemas) in enumerate(self._field_schemas):
            if place % 2 == first:
                schema = schemas[(self._number + place) % len(schemas)]
                if isinstance(schema, TextRules):
                    self._texts = (*self._texts, (key, schema))
                    schema = schema.schema
                await self._docs.create_payload_index(key, schema)

    # ---- reads ----------------------------------------------------------------------------------

    async def _check(self, state):
        """Every filter in the state that the collection is in."""
        order = sorted(self._points, key=lambda one: (isinstance(one, str), one))
        ranking = await self._found(QUERIES[0], params=EXACT)
        assert set(ranking) == {one for one in order if "dense" in self._points[one].vectors}
        for turn, filter in enumerate(self._filters):
            passing = [one for one in order if self._passes(turn, self._points[one])]
            given = filter if turn % 2 else msgspec.json.decode(msgspec.json.encode(filter))
            with_payload = turn % 8 == 0
            records, following = await self._docs.scroll(
                filter=given, limit=ALL, with_payload=with_payload
            )
            found = [record.id for record in records]
            if found != passing:
                pytest.fail(await self._difference(state, filter, found, passing))
            assert following is None
            if with_payload:
                assert [record.payload for record in records] == [
                    self._points[one].payload for one in passing
                ]
            await self._check_other_reads(turn % 6, given, passing, ranking)
            self.cases += 1

    def _passes(self, number, point):
        """As :func:`passes`; points do not change, the ids in ``self._points`` get other ones."""
        key = number, point, self._texts
        judged = self._judged.get(key)
        if judged is None:
            judged = self._judged[key] = passes(self._filters[number], point, self._texts)
        return judged

    async def _check_other_reads(self, turn, filter, passing, ranking):
        """The reads by turns."""
        hits = [one for one in ranking if one in set(passing)]
        match turn:
            case 0:
                assert await self._docs.count(filter=filter) == len(passing)
                assert 0 <= await self._docs.count(filter=filter, exact=False) <= len(self._points)
            case 1:
                assert await self._found(QUERIES[0], filter=filter, params=EXACT) == hits
            case 2:
                assert await self._found(QUERIES[0], filter=filter) == hits
            case 3:
                found = await self._found(QUERIES[0], filter=filter, params=EXACT, limit=5)
                assert found == hits[:5]
            case 4:
                pages, offset = [], None
                while not pages or offset is not None:
                    page, offset = await self._docs.scroll(
                        filter=filter, limit=7, offset=offset, with_payload=False
                    )
                    pages += [[record.id for record in page]]
                    assert offset not in pages[-1]
                assert [one for page in pages for one in page] == passing
                assert all(len(page) == 7 for page in pages[:-1])
            case 5:
                batch = await self._docs.search_batch(
                    QUERIES, using="dense", filter=filter, limit=5
                )
                for row, query in enumerate(QUERIES):
                    found = batch.ids[row, : batch.counts[row]].tolist()
                    assert found == await self._found(query, filter=filter, limit=5)
                    assert set(found) <= set(hits)
                    assert len(found) == min(5, len(hits))

    async def _found(self, query, *, limit=ALL, **how):
        hits = await self._docs.search(query, using="dense", limit=limit, **how)
        return [hit.id for hit in hits]

    # ---- writes ---------------------------------------------------------------------------------

    async def _write(self):
        """One write by filter, and the same done to the model."""
        filter = self._draw.choice(self._filters)
        passing = {one for one, point in self._points.items() if passes(filter, point, self._texts)}
        some = self._draw.choice(list(self._points.values())).payload if self._points else {}
        kinds = ["set", "overwrite", "remove", "clear", "vectors", "upsert", "update"]
        if len(passing) < POINTS // 4:
            kinds += ["delete"] * 3
        kind = self._draw.choice(kinds)
        docs = self._docs
        match kind:
            case "delete":
                await docs.delete(filter=filter)
                for one in passing:
                    del self._points[one]
            case "set":
                await docs.set_payload(some, filter=filter)
                self._change(passing, lambda payload: {**payload, **some})
            case "overwrite":
                await docs.overwrite_payload(some, filter=filter)
                self._change(passing, lambda payload: some)
            case "remove":
                await docs.delete_payload(["a", '"a.b"'], filter=filter)
                left = ["b", "c", "ö"]
                self._change(
                    passing, lambda payload: {key: payload[key] for key in payload if key in left}
                )
            case "clear":
                await docs.clear_payload(filter=filter)
                self._change(passing, lambda payload: {})
            case "vectors":
                await docs.delete_vectors(["other", "words"], filter=filter)
                for one in passing:
                    before = self._points[one]
                    vectors = before.vectors - {"other", "words"}
                    self._points[one] = replace(before, vectors=vectors)
            case "upsert":
                chosen = self._draw.sample(IDS, 30)
                new = [Point(one, _some_vectors(self._draw), some) for one in chosen]
                await self._upsert(new, update_filter=filter)
                for point in new:
                    if point.id not in self._points or point.id in passing:
                        self._points[point.id] = point
            case "update":
                chosen = self._draw.sample(list(self._points), min(30, len(self._points)))
                await docs.update_vectors(
                    [m.PointVectors(id=one, vector={"other": [1, 2]}) for one in chosen],
                    update_filter=filter,
                )
                for one in passing & set(chosen):
                    before = self._points[one]
                    self._points[one] = replace(before, vectors=before.vectors | {"other"})
        await self._compare(f"{kind} {filter!r}")

    def _change(self, passing, changed):
        for one in passing:
            point = self._points[one]
            self._points[one] = replace(point, payload=changed(point.payload))

    async def _upsert(self, points, **how):
        made = [
            m.PointStruct(
                id=point.id,
                vector={name: self._vector(name) for name in point.vectors},
                payload=point.payload,
            )
            for point in points
        ]
        await self._docs.upsert(made, **how)

    def _vector(self, name):
        if name == "words":
            return m.SparseVector(indices=[1, 5], values=[1.0, 2.0])
        size = VECTORS[name].size
        return [self._draw.uniform(-1, 1) for _ in range(size)]

    async def _compare(self, after):
        """All points, their payloads and which vectors they have."""
        records, _ = await self._docs.scroll(limit=ALL, with_vectors=True)
        found = {record.id: (set(record.vector), repr(record.payload)) for record in records}
        expected = {
            point.id: (set(point.vectors), repr(point.payload)) for point in self._points.values()
        }
        assert found == expected, after

    # ---- a difference ---------------------------------------------------------------------------

    async def _difference(self, state, filter, found, passing):
        """One point that is judged wrongly, and the smallest part of the filter that shows it."""
        wrong = next(iter(set(found) ^ set(passing)), None)
        if wrong is None:
            return f"{state}: {filter!r}: the order is {found}, must be {passing}"
        point = self._points[wrong]
        smallest = filter
        for part in parts(filter):
            part = m.Filter(must=part)
            records, _ = await self._docs.scroll(filter=part, limit=ALL)
            is_found = wrong in [record.id for record in records]
            if is_found != passes(part, point, self._texts) and len(repr(part)) < len(
                repr(smallest)
            ):
                smallest = part
        verb = "passes" if passes(smallest, point, self._texts) else "does not pass"
        return f"{state}: {point!r} {verb} {smallest!r}, a part of {filter!r}"


@pytest.mark.parametrize("total", [1, 2, 3, 10, 1000, 2**64 - 1])
def test_slices_part_the_points(tmp_path, total):
    async def slices():
        async with asyncstore.open_store(tmp_path / "store") as store:
            docs = await store.create_collection("docs")
            await docs.upsert([m.PointStruct(id=one, vector={}) for one in IDS])
            found = []
            for index in range(min(total, 1000)):
                part = m.SliceCondition(slice=m.Slice(total=total, index=index))
                records, _ = await docs.scroll(filter=m.Filter(must=part), limit=ALL)
                assert await docs.count(filter=m.Filter(must=part)) == len(records)
                found.append([record.id for record in records])
            return found, len(IDS)

    found, points = anyio.run(slices)
    all_found = [one for part in found for one in part]
    assert len(all_found) == len(set(all_found))
    if total <= 1000:
        assert set(all_found) == set(IDS)
        assert max(map(len, found)) <= 3 * points / total + 5
