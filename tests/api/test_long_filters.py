"""Filters that the core takes over in slices find what others find."""

import uuid

import pytest

from asyncstore import InvalidArgumentError
from asyncstore import models as m

pytestmark = pytest.mark.anyio

POINTS = 600
PARAMS = m.VectorParams(size=4, distance=m.Distance.DOT)
UUIDS = [str(uuid.UUID(int=number * 7919)) for number in range(5000)]


def equal(key, value):
    return m.FieldCondition(key=key, match=m.MatchValue(value=value))


def any_of(key, values):
    return m.FieldCondition(key=key, match=m.MatchAny(any=values))


async def filled(store, with_indexes=True):
    """Point i: number i, a word and a text of it; every third has a UUID."""
    docs = await store.create_collection("docs", vectors=PARAMS)
    points = [
        m.PointStruct(
            id=UUIDS[i] if i % 3 == 0 else i,
            vector=[i, 1, 0, 0],
            payload={"n": i, "word": f"word {i}", "text": f"Word-{i} text", "in": [{"n": i}]},
        )
        for i in range(POINTS)
    ]
    await docs.upsert(points)
    if with_indexes:
        await docs.create_payload_index("n", m.PayloadSchemaType.INTEGER)
        await docs.create_payload_index("word", m.PayloadSchemaType.KEYWORD)
        await docs.create_payload_index("text", m.PayloadSchemaType.TEXT)
    return docs


def odd(numbers):
    return [number for number in numbers if number % 2]


LONG = {
    "values": (any_of("n", list(range(1, 5000, 2))), odd(range(POINTS))),
    "words": (any_of("word", [f"word {i}" for i in range(4999, 0, -2)]), odd(range(POINTS))),
    "except": (
        m.FieldCondition(key="n", match=m.MatchExcept(except_=list(range(0, 5000, 2)))),
        odd(range(POINTS)),
    ),
    "should": (m.Filter(should=[equal("n", i) for i in range(1, 3000, 2)]), odd(range(POINTS))),
    "must_not": (m.Filter(must_not=[equal("n", i) for i in range(0, 3000, 2)]), odd(range(POINTS))),
    "min_should": (
        m.Filter(
            min_should=m.MinShould(
                conditions=[equal("n", i % 400) for i in range(700)], min_count=2
            )
        ),
        range(300),
    ),
    "ids": (m.HasIdCondition(has_id=[*UUIDS[::-6], *range(1, 3000, 2)]), None),
    "nested": (
        m.NestedCondition(
            nested=m.Nested(
                key="in", filter=m.Filter(should=[equal("n", i) for i in range(1, 3000, 2)])
            )
        ),
        odd(range(POINTS)),
    ),
    "parts": (
        m.Filter(
            must=[m.Filter(must_not=[equal("n", i + j) for j in range(3)]) for i in range(500)]
        ),
        range(502, POINTS),
    ),
}


@pytest.mark.parametrize("name", LONG)
@pytest.mark.parametrize("with_indexes", [False, True])
async def test_what_passes(open_store, name, with_indexes):
    condition, expected = LONG[name]
    if name == "ids":
        wanted = set(condition.has_id)
        expected = [i for i in range(POINTS) if (UUIDS[i] if i % 3 == 0 else i) in wanted]
    async with open_store() as store:
        docs = await filled(store, with_indexes)
        filter = m.Filter(must=[condition])
        assert await docs.count(filter=filter) == len(expected)
        found, _ = await docs.scroll(filter=filter, limit=POINTS)
        assert sorted(one.payload["n"] for one in found) == list(expected)
        hits = await docs.search([1, 0, 0, 0], limit=POINTS, filter=filter, with_payload=True)
        assert [hit.payload["n"] for hit in hits] == sorted(expected, reverse=True)


async def test_one_filter_is_a_part_of_many_searches(open_store):
    async with open_store() as store:
        docs = await filled(store)
        filter = m.Filter(must=[LONG["values"][0]])
        near = [m.Prefetch(query=[1, 0, 0, 0], limit=n, filter=filter) for n in (40, 30)]
        hits = await docs.query({"fusion": "rrf"}, prefetch=near, limit=20, filter=filter)
        assert {hit.id for hit in hits} == {
            UUIDS[i] if i % 3 == 0 else i for i in range(561, 600, 2)
        }
        formula = {"sum": ["$score", {"mult": [1000, filter]}]}
        hits = await docs.query(
            {"formula": formula},
            prefetch=[m.Prefetch(query=[1, 0, 0, 0], limit=POINTS)],
            limit=POINTS,
        )
        assert [hit.score for hit in hits][:2] == [1599, 1597]
        assert len([hit for hit in hits if hit.score > 1000]) == POINTS // 2


async def test_texts_are_looked_for_as_the_index_says(open_store):
    async with open_store() as store:
        docs = await filled(store)
        asked = [
            m.FieldCondition(key="text", match=m.MatchText(text=f"WORD {i}")) for i in range(900)
        ]
        assert await docs.count(filter=m.Filter(should=asked[:100])) == 100
        assert await docs.count(filter=m.Filter(should=asked)) == POINTS
        both = m.Filter(must=[equal("n", 7)], should=asked)
        assert await docs.count(filter=both) == 1
        await docs.delete_payload_index("text")
        assert await docs.count(filter=m.Filter(should=asked)) == 0


async def test_writes(open_store):
    async with open_store() as store:
        docs = await filled(store)
        filter = m.Filter(must=[LONG["words"][0]])
        await docs.set_payload({"seen": True}, filter=filter)
        assert await docs.count(filter=m.Filter(must=[equal("seen", True)])) == POINTS // 2
        more = [m.PointStruct(id=i, vector=[0] * 4, payload={"n": -1}) for i in range(1, 60, 3)]
        await docs.upsert(more, update_filter=filter)
        assert await docs.count(filter=m.Filter(must=[equal("n", -1)])) == 10
        await docs.delete(filter=filter)
        assert await docs.count() == POINTS // 2 + 10


async def test_a_mistake_at_the_end_is_told(open_store):
    async with open_store() as store:
        docs = await filled(store, with_indexes=False)
        conditions = [*[equal("n", 1)] * 1000, m.HasVectorCondition(has_vector="x")]
        with pytest.raises(InvalidArgumentError, match=r"filter\.must\[1000\]\.has_vector: "):
            await docs.count(filter=m.Filter(must=conditions))
