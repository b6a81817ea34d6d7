"""Filters in every call that takes one."""

from datetime import UTC, datetime

import numpy as np
import pytest

from asyncstore import InvalidArgumentError, PointNotFoundError
from asyncstore import models as m

pytestmark = pytest.mark.asyncio

A_UUID = "550e8400-e29b-41d4-a716-446655440000"
PLACES = [
    {
        "name": "Ulm",
        "tags": ["old", "river"],
        "people": 126_329,
        "founded": "0854-07-22",
        "at": {"lon": 9.99, "lat": 48.4},
        "rivers": [{"name": "Donau", "km": 2857}, {"name": "Blau", "km": 22}],
    },
    {
        "name": "Bern",
        "tags": ["old", "capital"],
        "people": 134_794,
        "founded": "1191-01-01T00:00:00Z",
        "at": {"lon": 7.45, "lat": 46.95},
        "rivers": [{"name": "Aare", "km": 288}],
    },
    {"name": "Wien", "tags": [], "people": 2_005_760, "at": {"lon": 16.37, "lat": 48.21}},
    {"name": None},
]


def field(key, **asked):
    return m.Filter(must=m.FieldCondition(key=key, **asked))


def match(key, value):
    return field(key, match=m.MatchValue(value=value))


OLD = match("tags", "old")
BIG = field("people", range=m.Range(gte=134_794))


@pytest.fixture
def places(open_store):
    """A store with a collection of points 1, 2, 3 and a UUID."""
    return Places(open_store)


class Places:
    def __init__(self, open_store):
        self._open_store = open_store

    async def __aenter__(self):
        self._opening = self._open_store()
        self.store = await self._opening.__aenter__()
        docs = await self.store.create_collection(
            "places",
            vectors={
                "text": m.VectorParams(size=2, distance=m.Distance.DOT),
                "image": m.VectorParams(size=2, distance=m.Distance.DOT),
            },
            quantization_config=m.RabitqQuantization(rabitq=m.RabitqQuantizationConfig(bits=4)),
        )
        points = [
            m.PointStruct(id=point_id, vector={"text": [number, 1]}, payload=payload)
            for number, (point_id, payload) in enumerate(
                zip([1, 2, 3, A_UUID], PLACES, strict=True), start=1
            )
        ]
        await docs.upsert(points)
        await docs.update_vectors([m.PointVectors(id=2, vector={"image": [1, 1]})])
        return docs

    async def __aexit__(self, *error):
        await self._opening.__aexit__(*error)


async def ids_of(collection, filter, **arguments):
    records, _ = await collection.scroll(filter=filter, **arguments)
    return [record.id for record in records]


async def payloads_of(collection):
    records, _ = await collection.scroll()
    return {record.id: record.payload for record in records}


SOME = [
    (match("name", "Ulm"), [1]),
    (field("name", match=m.MatchAny(any=["Ulm", "Wien"])), [1, 3]),
    (field("name", match=m.MatchExcept(except_=["Ulm"])), [2, 3]),
    (field("name", match=m.MatchText(text="e")), [2, 3]),
    (field("name", match=m.MatchTextAny(text_any="lm ie")), [1, 3]),
    (field("name", match=m.MatchPhrase(phrase="Ber")), [2]),
    (field("name", match=m.MatchPrefix(prefix="W")), [3]),
    (OLD, [1, 2]),
    (BIG, [2, 3]),
    (field("founded", range=m.DatetimeRange(lt="1000-01-01")), [1]),
    (field("founded", range=m.DatetimeRange(gte=datetime(1191, 1, 1, tzinfo=UTC))), [2]),
    (field("tags", values_count=m.ValuesCount(gte=1)), [1, 2]),
    (field("tags", values_count=m.ValuesCount(lt=1)), [3, A_UUID]),
    (field("tags", is_empty=True), [3, A_UUID]),
    (field("name", is_null=False), [1, 2, 3]),
    (m.Filter(must=m.IsNullCondition(is_null=m.PayloadField(key="name"))), [A_UUID]),
    (m.Filter(must=m.IsEmptyCondition(is_empty=m.PayloadField(key="rivers[].km"))), [3, A_UUID]),
    (m.Filter(must=m.HasIdCondition(has_id=[A_UUID, 1, 77])), [1, A_UUID]),
    (m.Filter(must_not=m.HasIdCondition(has_id=np.array([1, 2]))), [3, A_UUID]),
    (m.Filter(must=m.HasVectorCondition(has_vector="image")), [2]),
    (
        field(
            "at",
            geo_bounding_box=m.GeoBoundingBox(
                top_left=m.GeoPoint(lon=9, lat=49), bottom_right=m.GeoPoint(lon=17, lat=48)
            ),
        ),
        [1, 3],
    ),
    (
        field("at", geo_radius=m.GeoRadius(center=m.GeoPoint(lon=8, lat=48), radius=200_000)),
        [1, 2],
    ),
    (
        field(
            "at",
            geo_polygon=m.GeoPolygon(
                exterior=m.GeoLineString(
                    points=[
                        m.GeoPoint(lon=lon, lat=lat)
                        for lon, lat in ((5, 45), (12, 45), (12, 50), (5, 50), (5, 45))
                    ]
                )
            ),
        ),
        [1, 2],
    ),
    (
        m.Filter(
            must=m.NestedCondition(
                nested=m.Nested(
                    key="rivers",
                    filter=m.Filter(
                        must=[
                            m.FieldCondition(key="km", range=m.Range(lt=100)),
                            m.FieldCondition(key="name", match=m.MatchValue(value="Blau")),
                        ]
                    ),
                )
            )
        ),
        [1],
    ),
    (m.Filter(must=[OLD, BIG]), [2]),
    (m.Filter(should=[OLD, BIG]), [1, 2, 3]),
    (m.Filter(must_not=[OLD, BIG]), [A_UUID]),
    (m.Filter(min_should=m.MinShould(conditions=[OLD, BIG], min_count=2)), [2]),
    ({"must": {"key": "name", "match": {"value": "Ulm"}}}, [1]),
    ({}, [1, 2, 3, A_UUID]),
    (None, [1, 2, 3, A_UUID]),
]


async def test_reads(places):
    async with places as docs:
        for is_sealed in (False, True):
            if is_sealed:
                await docs.optimize()
            for filter, passing in SOME:
                best = passing[::-1]
                assert await ids_of(docs, filter) == passing, filter
                assert await docs.count(filter=filter) == len(passing)
                assert 0 <= await docs.count(filter=filter, exact=False) <= 4
                for params in (None, m.SearchParams(exact=True)):
                    hits = await docs.search([1, 0], using="text", filter=filter, params=params)
                    assert [hit.id for hit in hits] == best
                batch = await docs.search_batch([[1, 0]] * 2, using="text", filter=filter, limit=4)
                assert batch.counts.tolist() == [len(passing)] * 2
                assert batch.ids[0, : len(passing)].tolist() == best


async def test_a_search_for_less_than_match(places):
    async with places as docs:
        for options in ({"limit": 1}, {"limit": 2}, {"limit": 9, "score_threshold": 1.5}):
            (hit, *_) = hits = await docs.search(
                [1, 0], using="text", filter=OLD, with_payload=["name"], **options
            )
            assert (hit.id, hit.payload) == (2, {"name": "Bern"})
            assert len(hits) == (2 if options["limit"] == 2 else 1)
        (hit,) = await docs.search([1, 0], using="text", filter=OLD, offset=1)
        assert hit.id == 1
        assert await docs.search([1, 0], using="image", filter=match("name", "Ulm")) == []


async def test_pages(places):
    async with places as docs:
        assert await docs.scroll(filter=OLD, limit=2) == (
            (await docs.scroll(limit=2))[0],
            None,
        )
        big_or_null = m.Filter(must_not=match("name", "Ulm"))
        page, offset = await docs.scroll(filter=big_or_null, limit=2)
        assert ([record.id for record in page], offset) == ([2, 3], A_UUID)
        page, offset = await docs.scroll(filter=big_or_null, limit=2, offset=offset)
        assert ([record.id for record in page], offset) == ([A_UUID], None)
        assert await docs.scroll(filter=m.Filter(must=[OLD, match("x", 1)])) == ([], None)


async def test_delete(places):
    async with places as docs:
        result = await docs.delete(filter=OLD)
        assert result.status is m.UpdateStatus.COMPLETED
        assert await ids_of(docs, None) == [3, A_UUID]
        again = await docs.delete(filter=OLD, wait=False)
        assert again == m.UpdateResult(operation_id=None, status=m.UpdateStatus.ACKNOWLEDGED)
        await docs.delete(filter={})
        assert await docs.count() == 0


async def test_payload_writes(places):
    async with places as docs:
        await docs.set_payload({"seen": True, "tags": ["x"]}, filter=OLD)
        assert await ids_of(docs, match("seen", True)) == [1, 2]
        assert await ids_of(docs, OLD) == []
        await docs.set_payload({"m": 0}, filter=match("tags", "x"), key="at")
        assert await ids_of(docs, match("at.m", 0)) == [1, 2]
        await docs.delete_payload(["tags", "at"], filter=match("name", "Ulm"))
        assert await ids_of(docs, match("tags", "x")) == [2]
        await docs.overwrite_payload({"name": "W"}, filter=field("people", range=m.Range(gt=10**6)))
        await docs.overwrite_payload({"m": 1}, filter=match("name", "Bern"), key="at")
        await docs.clear_payload(filter=field("name", is_null=True))
        found = await payloads_of(docs)
        assert "tags" not in found[1]
        assert found[2]["at"] == {"m": 1}
        assert found[3] == {"name": "W"}
        assert found[A_UUID] == {}


async def test_delete_vectors(places):
    async with places as docs:
        await docs.delete_vectors(["image", "text"], filter=BIG)
        assert [hit.id for hit in await docs.search([1, 0], using="text")] == [A_UUID, 1]
        assert await docs.search([1, 0], using="image") == []


async def test_update_filters(places):
    def points(*ids):
        return [m.PointStruct(id=one, vector={}, payload={"new": True}) for one in ids]

    new = match("new", True)
    async with places as docs:
        await docs.upsert(points(1, 3, 4), update_filter=OLD)
        assert await ids_of(docs, new) == [1, 4]
        await docs.upsert(points(2, 5), update_filter=OLD, update_mode=m.UpdateMode.UPDATE_ONLY)
        await docs.upsert(points(2, 6), update_filter={}, update_mode=m.UpdateMode.INSERT_ONLY)
        await docs.upsert(points(3), update_filter=OLD)
        assert await ids_of(docs, new) == [1, 2, 4, 6]
        vectors = [m.PointVectors(id=one, vector={"image": [2, 2]}) for one in (1, 3, A_UUID)]
        await docs.update_vectors(vectors, update_filter=BIG)
        assert await ids_of(docs, m.Filter(must=m.HasVectorCondition(has_vector="image"))) == [3]
        missing = m.PointVectors(id=99, vector={"image": [2, 2]})
        with pytest.raises(PointNotFoundError, match="99"):
            await docs.update_vectors([missing], update_filter=BIG)


async def test_a_batch_of_writes(places):
    async with places as docs:
        results = await docs.batch_update(
            [
                m.SetPayloadOperation(
                    set_payload=m.SetPayload(payload={"tags": ["old"]}, filter=BIG)
                ),
                m.OverwritePayloadOperation(
                    overwrite_payload=m.SetPayload(
                        payload={"name": "x"}, filter=match("name", "Ulm")
                    )
                ),
                m.DeletePayloadOperation(
                    delete_payload=m.DeletePayload(keys=["people"], filter=OLD)
                ),
                m.UpdateVectorsOperation(
                    update_vectors=m.UpdateVectors(
                        points=[m.PointVectors(id=1, vector={"image": [1, 1]})], update_filter=BIG
                    )
                ),
                m.DeleteVectorsOperation(
                    delete_vectors=m.DeleteVectors(vector=["text"], filter=OLD)
                ),
                m.UpsertOperation(
                    upsert=m.PointsBatch(
                        batch=m.Batch(ids=[3, 9], vectors={}, payloads=[{"n": 1}] * 2),
                        update_filter={"must": [{"has_id": [9]}]},
                    )
                ),
                m.ClearPayloadOperation(clear_payload=m.FilterSelector(filter=match("name", "x"))),
                m.DeleteOperation(delete=m.FilterSelector(filter={"must": match("name", "Bern")})),
            ]
        )
        assert all(result.operation_id is not None for result in results)
        records, _ = await docs.scroll(with_vectors=True)
        assert [(record.id, record.payload, list(record.vector)) for record in records] == [
            (1, {}, ["text"]),
            (3, {"name": "Wien", "tags": ["old"], "at": PLACES[2]["at"]}, []),
            (9, {"n": 1}, []),
            (A_UUID, {"name": None}, ["text"]),
        ]


async def test_many_points(open_store, unnamed):
    """More than one piece, of integers and of UUIDs."""
    ids = [*range(3000), *(f"{number:08x}-0000-4000-8000-000000000000" for number in range(2000))]
    async with open_store() as store:
        docs = await store.create_collection("many", vectors=unnamed(size=1))
        payloads = [{"n": row % 10, "text": "x" * (row % 50)} for row in range(5000)]
        await docs.upsert_arrays(ids, np.ones((5000, 1), np.float32), payloads)
        for is_sealed in (False, True):
            if is_sealed:
                await docs.optimize()
            assert await docs.count(filter=field("n", range=m.Range(lt=3))) == 1500
        await docs.set_payload({"even": True}, filter=field("n", match=m.MatchAny(any=[0, 2, 4])))
        assert await docs.count(filter=match("even", True)) == 1500
        await docs.delete(filter=field("even", is_empty=True))
        assert await docs.count() == 1500
        records, offset = await docs.scroll(limit=5000, filter=match("n", 4))
        assert offset is None
        assert [record.id for record in records] == [
            one for row, one in enumerate(ids) if row % 10 == 4
        ]


# ---- bad input ----------------------------------------------------------------------------------

BAD = [
    ([], "must be a Filter or the dict of one, got list"),
    (m.FieldCondition(key="a", is_null=True), "must be a Filter or the dict of one"),
    ({"must": [{"key": "a"}]}, ".must[0]: At least one field condition must be specified"),
    ({"must": [{"kay": "a"}]}, ".must[0]: the keys kay make no condition"),
    (match("a..b", 1), '.must.key: "a..b" is not a JSON path: a key is missing'),
    (match("a", 2**63), ".must.match.value: value 9223372036854775808 invalid"),
    (m.Filter(must=m.HasVectorCondition(has_vector="x")), "Not existing vector name error: x"),
    (m.Filter(must=m.HasIdCondition(has_id=[-1])), ".must.has_id[0]: value -1 invalid"),
    (field("a", range={"gt": "yesterday"}), ".must.range.gt: 'yesterday' is no date and time"),
    (field("a", match=m.MatchText(text="\ud800")), ".must.match.text: '\\ud800' is not valid"),
]


@pytest.mark.parametrize(("bad", "sentence"), BAD, ids=[str(number) for number in range(len(BAD))])
async def test_a_bad_filter_changes_nothing_and_is_named(places, bad, sentence):
    point = m.PointStruct(id=1, vector={})
    vectors = m.PointVectors(id=1, vector={"image": [1, 1]})
    async with places as docs:
        before = await docs.scroll(with_vectors=True)
        for name, call in (
            ("filter", lambda: docs.scroll(filter=bad)),
            ("filter", lambda: docs.count(filter=bad)),
            ("filter", lambda: docs.search([1, 1], using="text", filter=bad)),
            ("filter", lambda: docs.search_batch([[1, 1]], using="text", filter=bad)),
            ("filter", lambda: docs.delete(filter=bad)),
            ("filter", lambda: docs.set_payload({"a": 1}, filter=bad)),
            ("filter", lambda: docs.overwrite_payload({"a": 1}, filter=bad)),
            ("filter", lambda: docs.delete_payload(["a"], filter=bad)),
            ("filter", lambda: docs.clear_payload(filter=bad)),
            ("filter", lambda: docs.delete_vectors(["text"], filter=bad)),
            ("update_filter", lambda: docs.upsert([point], update_filter=bad)),
            ("update_filter", lambda: docs.update_vectors([vectors], update_filter=bad)),
            (
                "operations[1]: update_filter",
                lambda: docs.batch_update(
                    [
                        m.DeleteOperation(delete=m.PointIdsList(points=[1])),
                        m.UpsertOperation(upsert=m.PointsList(points=[point], update_filter=bad)),
                    ]
                ),
            ),
            (
                "operations[0]: filter",
                lambda: docs.batch_update([m.DeleteOperation(delete=m.FilterSelector(filter=bad))]),
            ),
        ):
            with pytest.raises(InvalidArgumentError) as caught:
                await call()
            assert str(caught.value).startswith(name)
            assert sentence in str(caught.value)
        assert await docs.scroll(with_vectors=True) == before


async def test_points_and_a_filter(places):
    async with places as docs:
        before = await docs.scroll()
        for call in (
            docs.delete,
            docs.clear_payload,
            lambda **which: docs.set_payload({"a": 1}, **which),
            lambda **which: docs.delete_vectors(["text"], **which),
        ):
            with pytest.raises(InvalidArgumentError, match="only one of them"):
                await call(points=[1], filter={})
            with pytest.raises(InvalidArgumentError, match="missing"):
                await call()
        assert await docs.scroll() == before
