"""Points by the values of a field, some at random, and counts of values."""

from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from asyncstore import InvalidArgumentError
from asyncstore import models as m
from inside import inside

pytestmark = pytest.mark.asyncio

A_UUID = "550e8400-e29b-41d4-a716-446655440000"
PAYLOADS = [
    {"price": 30, "at": "2024-03-01", "kind": "book", "tags": ["a", "b"], "sold": True},
    {"price": 10, "at": "2024-01-01T12:00:00Z", "kind": "film", "tags": ["b"], "sold": False},
    {"price": [20, 5], "at": "2024-02-01", "kind": "book", "tags": [], "sold": True},
    {"price": "cheap", "kind": "book", "of": A_UUID},
    {"price": 10, "n": 1.5, "of": A_UUID.upper()},
]


@asynccontextmanager
async def goods(open_store):
    """Points 0 to 4, with indexes of their fields."""
    async with open_store() as store:
        rows = await store.create_collection(
            "goods", vectors={"one": m.VectorParams(size=1, distance=m.Distance.DOT)}
        )
        points = [
            m.PointStruct(id=i, vector={"one": [i]}, payload=payload)
            for i, payload in enumerate(PAYLOADS)
        ]
        await rows.upsert(points)
        for field, kind in [
            *(("price", "integer"), ("at", "datetime"), ("kind", "keyword"), ("n", "float")),
            *(("tags[]", "keyword"), ("sold", "bool"), ("of", "uuid")),
        ]:
            await rows.create_payload_index(field, kind)
        yield rows


async def ordered(rows, order_by, **wanted):
    page, following = await rows.scroll(order_by=order_by, with_payload=False, **wanted)
    assert following is None
    return [(record.id, record.order_value) for record in page]


@inside(goods)
async def test_scroll_in_the_order_of_values(rows):
    rising = [(2, 5), (1, 10), (4, 10), (2, 20), (0, 30)]
    assert await ordered(rows, "price") == rising
    assert await ordered(rows, m.OrderBy(key="price", direction=m.Direction.DESC)) == rising[::-1]
    assert await ordered(rows, {"key": "price", "start_from": 10}) == rising[1:]
    assert await ordered(rows, {"key": "price", "start_from": 10.5}) == rising[3:]
    falling = {"key": "price", "start_from": 10, "direction": "desc"}
    assert await ordered(rows, falling) == [(4, 10), (1, 10), (2, 5)]
    assert await ordered(rows, "price", limit=2) == rising[:2]
    books = m.Filter(must=m.FieldCondition(key="kind", match=m.MatchValue(value="book")))
    assert await ordered(rows, "price", filter=books) == [(2, 5), (2, 20), (0, 30)]
    assert await ordered(rows, "n") == [(4, 1.5)]
    (record, *_), _ = await rows.scroll(order_by="price", limit=1, with_vectors=True)
    assert record.payload == PAYLOADS[2]
    assert record.vector == {"one": [2.0]}


@inside(goods)
async def test_datetimes_are_ordered_by_time(rows):
    found = await ordered(rows, "at")
    assert [point for point, _ in found] == [1, 2, 0]
    noon = datetime(2024, 1, 1, 12, tzinfo=UTC)
    assert found[0][1] == int(noon.timestamp() * 1e6)
    for start in ("2024-01-02", datetime(2024, 1, 2), datetime(2024, 1, 2, tzinfo=UTC).date()):
        assert [i for i, _ in await ordered(rows, {"key": "at", "start_from": start})] == [2, 0]


@inside(goods)
async def test_pages_by_start_from_lose_nothing(rows):
    seen, start = [], None
    while True:
        known = m.Filter(must_not=m.HasIdCondition(has_id=seen))
        page = await ordered(rows, m.OrderBy(key="price", start_from=start), filter=known, limit=1)
        if not page:
            break
        ((point, start),) = page
        seen.append(point)
    assert seen == [2, 1, 4, 0]


@inside(goods)
async def test_the_order_follows_writes(rows):
    await rows.set_payload({"price": 1}, points=[3])
    await rows.delete(points=[2])
    assert await ordered(rows, "price") == [(3, 1), (1, 10), (4, 10), (0, 30)]


@inside(goods)
async def test_queries_by_order(rows):
    found = await rows.query(m.OrderByQuery(order_by="price"), limit=2, offset=1)
    assert [(hit.id, hit.score, hit.order_value) for hit in found] == [(1, 0.0, 10), (4, 0.0, 10)]
    found = await rows.query(
        {"order_by": {"key": "price", "direction": "desc"}},
        prefetch=m.Prefetch(query=[1.0], using="one", limit=3),
        with_payload=["kind"],
    )
    assert [(hit.id, hit.order_value) for hit in found] == [(2, 20), (4, 10), (2, 5)]
    groups = await rows.query_groups(m.OrderByQuery(order_by="price"), group_by="kind")
    assert [(group.id, [hit.id for hit in group.hits]) for group in groups] == [
        *(("book", [2, 0]), ("film", [1]))
    ]


@inside(goods)
async def test_samples(rows):
    seen = set()
    for _ in range(100):
        found = await rows.query(m.SampleQuery(sample=m.Sample.RANDOM), limit=3)
        assert len({hit.id for hit in found}) == 3
        assert all(hit.score == 0.0 and hit.version > 0 for hit in found)
        seen.add(tuple(hit.id for hit in found))
    assert len(seen) > 30  # of 60
    books = m.Filter(must=m.FieldCondition(key="kind", match=m.MatchValue(value="book")))
    found = await rows.query({"sample": "random"}, filter=books, with_payload=["kind"])
    assert {hit.id for hit in found} == {0, 2, 3}
    assert all(hit.payload == {"kind": "book"} for hit in found)
    assert len(await rows.query({"sample": "random"}, offset=3)) == 2


@inside(goods)
async def test_facets(rows):
    def hits(**counts):
        return [m.FacetHit(value=value, count=count) for value, count in counts.items()]

    assert await rows.facet("kind") == hits(book=3, film=1)
    assert await rows.facet("kind", limit=1) == hits(book=3)
    assert await rows.facet("tags[]") == hits(b=2, a=1)
    assert await rows.facet("sold") == [
        m.FacetHit(value=True, count=2),
        m.FacetHit(value=False, count=1),
    ]
    assert await rows.facet("price") == [
        m.FacetHit(value=10, count=2),
        *(m.FacetHit(value=value, count=1) for value in (5, 20, 30)),
    ]
    sold = m.Filter(must=m.FieldCondition(key="sold", match=m.MatchValue(value=True)))
    assert await rows.facet("tags[]", filter=sold) == hits(a=1, b=1)
    assert await rows.facet("kind", filter={"must": {"has_id": []}}) == []


@inside(goods)
async def test_what_is_wrong_is_named(rows):
    for order_by, message in [
        ("nix", "There is no index of field 'nix': an order needs one of kind integer"),
        ("kind", "The index of field 'kind' is of another kind: an order needs"),
        ("a..b", "order_by.key"),
        ({"key": "price", "direction": "up"}, "direction: 'up' invalid, must be one of asc, desc"),
        ({"key": "price", "start_from": "2024-01-01"}, "start_from: must be a number"),
        ({"key": "at", "start_from": 5}, "start_from: must be a datetime"),
        ({"key": "at", "start_from": "soon"}, "order_by.start_from: 'soon' is no date and time"),
        ({"key": "price", "start_from": True}, "start_from: must be a number, got True"),
        ({"key": "price", "nix": 1}, "order_by: unknown key 'nix'"),
        (5, "order_by: must be a OrderBy"),
    ]:
        with pytest.raises(InvalidArgumentError, match=message):
            await rows.scroll(order_by=order_by)
        with pytest.raises(InvalidArgumentError, match=message):
            await rows.query({"order_by": order_by})
    with pytest.raises(InvalidArgumentError, match="offset: cannot be used with order_by"):
        await rows.scroll(order_by="price", offset=3)
    with pytest.raises(InvalidArgumentError, match="sample: 'all' invalid, must be one of random"):
        await rows.query({"sample": "all"})
    with pytest.raises(InvalidArgumentError, match="field 'at' is of another kind: a facet needs"):
        await rows.facet("at")
    with pytest.raises(InvalidArgumentError, match="limit: value 0 invalid"):
        await rows.facet("kind", limit=0)
