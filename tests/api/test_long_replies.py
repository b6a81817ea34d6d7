"""Replies that are too long to become objects in one go."""

import uuid
from functools import partial

import numpy as np
import pytest

from asyncstore import models as m

pytestmark = pytest.mark.anyio

ROWS = 3000
IDS = [str(uuid.UUID(int=number * 7919)) for number in range(ROWS)]
PARAMS = m.VectorParams(size=4, distance=m.Distance.DOT)


async def filled(store):
    """Point i has the i-th id, the vector i, 0, 0, 0 and the payload i."""
    docs = await store.create_collection("docs", vectors=PARAMS)
    for start in range(0, ROWS, 1000):
        points = [
            m.PointStruct(id=IDS[i], vector=[i, 0, 0, 0], payload={"n": i, "word": f"w{i}"})
            for i in range(start, start + 1000)
        ]
        await docs.upsert(points)
    await docs.create_payload_index("n", m.PayloadSchemaType.INTEGER)
    await docs.create_payload_index("word", m.PayloadSchemaType.KEYWORD)
    return docs


async def test_columns_of_many_rows_become_objects_when_they_are_asked_for(open_store):
    async with open_store() as store:
        docs = await filled(store)
        engine, native = docs._engine, docs._native

        async def scrolled(limit):
            submit = partial(engine.native.submit_scroll, native, None, limit, [], True)
            (ids, _, versions, _, payloads), _ = await engine.call(engine.reads, submit)
            return ids, versions, payloads

        assert all(type(column) is list for column in await scrolled(512))
        ids, versions, payloads = await scrolled(2000)
        assert [len(ids), len(versions), len(payloads)] == [2000] * 3
        assert not any(type(column) is list for column in (ids, versions, payloads))
        assert ids[500:503].tolist() == IDS[500:503]
        assert ids[500:][1:3].tolist() == IDS[501:503]
        assert ids[1999:4000].tolist() == [IDS[1999]]
        assert payloads[7:9].tolist() == [b'{"n":7,"word":"w7"}', b'{"n":8,"word":"w8"}']
        with pytest.raises(ValueError, match="step"):
            ids[::2]


async def test_long_payloads_become_objects_one_by_one(open_store):
    async with open_store() as store:
        docs = await store.create_collection("docs", vectors=PARAMS)
        text = "x" * 100_000
        await docs.upsert(
            [m.PointStruct(id=i, vector=[1] * 4, payload={"t": text}) for i in range(8)]
        )
        submit = partial(docs._engine.native.submit_scroll, docs._native, None, 8, [], True)
        (ids, *_, payloads), _ = await docs._engine.call(docs._engine.reads, submit)
        assert type(ids) is list
        assert type(payloads) is not list
        hits = await docs.search([1] * 4, with_payload=True)
        assert [hit.payload for hit in hits] == [{"t": text}] * 8


async def test_all_that_is_found_is_there_in_its_order(open_store):
    async with open_store() as store:
        docs = await filled(store)
        backwards = list(range(ROWS))[::-1]
        hits = await docs.search([1, 0, 0, 0], limit=ROWS, with_payload=True, with_vectors=True)
        assert [hit.id for hit in hits] == [IDS[i] for i in backwards]
        assert [hit.score for hit in hits] == backwards
        assert [hit.payload["n"] for hit in hits] == backwards
        assert [hit.vector[0] for hit in hits] == backwards
        hits = await docs.query(m.SampleQuery(sample=m.Sample.RANDOM), limit=ROWS)
        assert sorted(hit.id for hit in hits) == IDS
        records, _ = await docs.scroll(order_by="n", limit=ROWS)
        assert [(one.id, one.order_value) for one in records] == list(
            zip(IDS, range(ROWS), strict=True)
        )
        facets = await docs.facet("word", limit=ROWS)
        assert [one.value for one in facets] == sorted(f"w{i}" for i in range(ROWS))
        batch = await docs.search_batch(np.eye(4, dtype=np.float32)[:2], limit=ROWS + 5)
        assert batch.counts.tolist() == [ROWS, ROWS]
        assert batch.ids[0, :ROWS].tolist() == [IDS[i] for i in backwards]
        assert batch.ids[1, ROWS:].tolist() == [None] * 5


async def test_ids_that_match_are_written_as_they_were_found(open_store):
    async with open_store() as store:
        docs = await filled(store)
        few = m.Filter(must=[m.FieldCondition(key="n", range=m.Range(lt=2500))])
        await docs.set_payload({"seen": True}, filter=few)
        seen = m.Filter(must=[m.FieldCondition(key="seen", match=m.MatchValue(value=True))])
        assert await docs.count(filter=seen) == 2500
        await docs.delete(filter=seen)
        assert [one.id for one in (await docs.scroll(limit=ROWS))[0]] == IDS[2500:]
