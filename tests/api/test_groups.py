"""Groups of results by a value of the payload, against brute force, and with lookup."""

import random
from contextlib import asynccontextmanager

import numpy as np
import pytest

from asyncstore import CollectionNotFoundError, InvalidArgumentError
from asyncstore import models as m
from inside import inside

pytestmark = pytest.mark.asyncio

POINTS = 400
EXACT = m.SearchParams(exact=True)
A_UUID = "550e8400-e29b-41d4-a716-446655440000"
# What payloads have at "k"; and the groups that this puts a point into by "k". By "k[]", which goes
# into arrays alone, it is the same for arrays, but for the one in an array.
VALUES = [
    ("a", ["a"]),
    (1, [1]),
    (["a", "b", 2], ["a", "b", 2]),
    ("1", ["1"]),
    (["ö\n", "ö\n"], ["ö\n"]),
    (1.0, []),
    (True, []),
    (None, []),
    ([["c"]], []),
    ({"k": "d"}, []),
    ([], []),
    (-(2**63), [-(2**63)]),
    (2**63, []),
]


@asynccontextmanager
async def many_points(open_store):
    """A collection whose nearest points nearly all are of one group."""
    draw, numbers = random.Random(1), np.random.default_rng(1)
    async with open_store() as store:
        rows = await store.create_collection(
            "rows",
            vectors=m.VectorParams(size=8, distance=m.Distance.EUCLID),
            quantization_config=m.RabitqQuantization(rabitq=m.RabitqQuantizationConfig(bits=4)),
        )
        vectors = np.sort(numbers.standard_normal((POINTS, 1)), axis=0) + np.zeros((1, 8))
        vectors += numbers.standard_normal((POINTS, 8)) * 0.001
        keys, keys_in_arrays = {}, {}
        points = []
        for point in range(POINTS):
            value, keys[point] = ("a", ["a"]) if point < 300 else draw.choice(VALUES)
            keys_in_arrays[point] = keys[point] if isinstance(value, list) else []
            if value == [["c"]]:
                keys_in_arrays[point] = ["c"]
            payload = {"k": value, "deep": [{"k": value}], "number": point}
            points.append(m.PointStruct(id=point, vector=vectors[point].tolist(), payload=payload))
        await rows.upsert(points)
        await rows.optimize()
        yield Many(store, rows, vectors, {"k": keys, "k[]": keys_in_arrays})


class Many:
    def __init__(self, store, rows, vectors, keys):
        self.store, self.rows, self.vectors, self.keys = store, rows, vectors, keys

    def groups(self, query, limit, size, admitted=lambda point: True, path="k"):
        """By brute force: ids of points by group, both best first."""
        far = np.linalg.norm(self.vectors - np.asarray(query), axis=1)
        groups = {}
        for point in np.argsort(far).tolist():
            for key in dict.fromkeys(self.keys[path][point]) if admitted(point) else ():
                group = groups.setdefault(key, [])
                if len(group) < size:
                    group.append(point)
        return dict(list(groups.items())[:limit])


def shape(groups):
    return {group.id: [hit.id for hit in group.hits] for group in groups}


@pytest.mark.parametrize("indexed", [False, True])
@inside(many_points)
async def test_groups_are_full_where_points_are_left(many, indexed):
    if indexed:
        await many.rows.create_payload_index("k", "keyword")
    for seed in range(20):
        draw = random.Random(seed)
        limit, size = draw.choice([1, 3, 10]), draw.choice([1, 3, 50])
        query = [draw.uniform(-3, 3)] * 8
        path = draw.choice(["k", "k[]"])
        found = await many.rows.query_groups(
            query, group_by=path, limit=limit, group_size=size, params=EXACT
        )
        expected = many.groups(query, limit, size, path=path)
        assert list(shape(found)) == list(expected)
        assert shape(found) == expected


@inside(many_points)
async def test_points_of_several_groups_come_no_sooner_than_nearer_ones(many):
    """Point 7 is of one group, point 8, which is farther, of the same one and of another."""
    line = await many.store.create_collection(
        "line", vectors=m.VectorParams(size=1, distance=m.Distance.EUCLID)
    )
    keys = {1: [0, 2], 2: 0, 3: 0, 4: 0, 5: 0, 6: 0, 7: 2, 8: [2, 5]}
    points = [m.PointStruct(id=at, vector=[at], payload={"k": key}) for at, key in keys.items()]
    await line.upsert(points)
    found = await line.query_groups([0], group_by="k", limit=3, group_size=2)
    assert shape(found) == {0: [1, 2], 2: [1, 7], 5: [8]}


@pytest.mark.parametrize("kind", [None, "integer", "keyword"])
@inside(many_points)
async def test_groups_whose_points_lie_anywhere(many, kind):
    """Before and after sealing, with points that changed; by codes, whatever the index holds."""
    draw, numbers = random.Random(2), np.random.default_rng(2)
    rows = await many.store.create_collection(
        "anywhere",
        vectors=m.VectorParams(size=8, distance=m.Distance.EUCLID),
        quantization_config=m.RabitqQuantization(rabitq=m.RabitqQuantizationConfig(bits=8)),
    )
    if kind is not None:
        await rows.create_payload_index("k", kind)
    count, keys = 2_000, {}
    vectors = numbers.standard_normal((count, 8)).astype(np.float32)

    async def write(points):
        for point in points:
            one = draw.randrange(150)
            both = [one, f"text {draw.randrange(150)}"]
            value = draw.choice([one, one, str(one), both, [one, draw.randrange(150)]])
            keys[point] = value if isinstance(value, list) else [value]
        payloads = [{"k": keys[point]} for point in points]
        await rows.upsert_arrays(np.array(points), vectors[points], payloads)

    async def check():
        for _ in range(10):
            query = numbers.standard_normal(8).astype(np.float32)
            found = await rows.query_groups(query, group_by="k", limit=6, group_size=3)
            expected = Many(many.store, rows, vectors, {"k": keys}).groups(query, 6, 3)
            assert list(shape(found).items()) == list(expected.items())

    await write(range(count))
    await check()
    await rows.optimize()
    await check()
    await write(range(0, count, 7))
    await check()


@inside(many_points)
async def test_filters_thresholds_and_other_paths(many):
    query = [0.0] * 8
    above = m.Filter(must=m.FieldCondition(key="number", range=m.Range(gte=200)))
    expected = many.groups(query, 10, 3, lambda point: point >= 200)
    for path in ("k", "deep[].k", "deep[0].k"):
        found = await many.rows.query_groups(query, group_by=path, filter=above, params=EXACT)
        assert shape(found) == expected
    near = await many.rows.query_groups(query, group_by="k", score_threshold=1.0, params=EXACT)
    assert all(hit.score <= 1.0 for group in near for hit in group.hits)
    assert await many.rows.query_groups(query, group_by="nix") == []
    assert await many.rows.query_groups(query, group_by="deep") == []


@inside(many_points)
async def test_every_kind_of_query_has_groups(many):
    query, size = [0.0] * 8, 2
    by_id = await many.rows.query_groups(group_by="k", limit=2, group_size=size)
    assert shape(by_id)["a"] == [0, 1]
    prefetch = m.Prefetch(query=query, limit=50, params=EXACT)
    among = await many.rows.query_groups(
        query, prefetch=prefetch, group_by="k", group_size=size, params=EXACT
    )
    ranked = [hit.id for hit in await many.rows.query(query, limit=50, params=EXACT)]
    assert shape(among) == many.groups(query, 10, size, lambda point: point in ranked)
    fused = await many.rows.query_groups(
        {"fusion": "rrf"}, prefetch=[prefetch, prefetch], group_by="k", group_size=size
    )
    assert shape(fused) == shape(among)
    liked = await many.rows.query_groups(
        {"recommend": {"positive": [399], "strategy": "best_score"}}, group_by="k", params=EXACT
    )
    assert all(hit.id != 399 for group in liked for hit in group.hits)


@inside(many_points)
async def test_payload_and_vectors_of_the_hits(many):
    (group,) = await many.rows.query_groups(
        [0.0] * 8, group_by="k", limit=1, group_size=2, with_payload=["number"], with_vectors=True
    )
    for hit in group.hits:
        assert hit.payload == {"number": hit.id}
        np.testing.assert_allclose(hit.vector, many.vectors[hit.id], rtol=1e-6)
    (group,) = await many.rows.query_groups([0.0] * 8, group_by="k", limit=1)
    assert group.hits[0].payload is None
    assert group.hits[0].vector is None


@inside(many_points)
async def test_lookup(many):
    docs = await many.store.create_collection(
        "docs", vectors=m.VectorParams(size=1, distance=m.Distance.DOT)
    )
    await docs.upsert(
        [
            m.PointStruct(id=1, vector=[1], payload={"title": "one", "x": 1}),
            m.PointStruct(id=A_UUID, vector=[2], payload={"title": "many"}),
        ]
    )
    await many.rows.set_payload({"k": A_UUID.upper()}, points=[5, 6])

    async def lookups(with_lookup):
        groups = await many.rows.query_groups(
            [0.0] * 8, group_by="k", limit=20, group_size=1, with_lookup=with_lookup
        )
        return {group.id: group.lookup for group in groups}

    found = await lookups("docs")
    assert found[1] == m.Record(id=1, payload={"title": "one", "x": 1})
    assert found[A_UUID.upper()] == m.Record(id=A_UUID, payload={"title": "many"})
    assert found["a"] is None  # no point can have this id
    assert found["1"] is None  # a text is not an integer
    assert found[-(2**63)] is None
    some = await lookups(m.WithLookup(collection="docs", with_payload=["x"], with_vectors=True))
    assert some[1] == m.Record(id=1, payload={"x": 1}, vector=[1.0])
    other = await lookups({"collection": "docs", "with_payload": False, "with_vector": True})
    assert other[1] == m.Record(id=1, vector=[1.0])
    with pytest.raises(CollectionNotFoundError, match="`nowhere`"):
        await lookups("nowhere")


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"group_by": "a..b"}, "group_by"),
        ({"group_by": 5}, "group_by"),
        ({"limit": 0}, "limit: value 0 invalid"),
        ({"group_size": 0}, "group_size: value 0 invalid"),
        ({"with_lookup": {"nix": 1}}, "with_lookup: unknown key 'nix'"),
        ({"with_lookup": 5}, "with_lookup: must be a WithLookup"),
    ],
)
@inside(many_points)
async def test_what_is_wrong_is_named(many, wanted, message):
    with pytest.raises(InvalidArgumentError, match=message):
        await many.rows.query_groups([0.0] * 8, **{"group_by": "k", **wanted})
