"""Payload indexes: made, used, told of, kept over reopening, dropped."""

import anyio
import pytest

import asyncstore
from asyncstore import models as m

POINTS = [
    m.PointStruct(id=number, vector=[number, 1], payload={"k": "ab"[number % 2], "n": number})
    for number in range(20)
]


def where(**match):
    ((key, value),) = match.items()
    return m.Filter(must=m.FieldCondition(key=key, match=m.MatchValue(value=value)))


@pytest.fixture
async def docs(open_store, unnamed):
    async with open_store() as store:
        docs = await store.create_collection("docs", vectors=unnamed(size=2))
        await docs.upsert(POINTS)
        yield docs


async def schema_of(docs):
    return (await docs.info()).payload_schema


class TestMaking:
    @pytest.mark.anyio
    async def test_a_kind_is_told_without_parameters(self, docs):
        result = await docs.create_payload_index("k", "keyword")
        assert result.status == m.UpdateStatus.COMPLETED
        assert await schema_of(docs) == {
            "k": m.PayloadIndexInfo(data_type=m.PayloadSchemaType.KEYWORD, points=20)
        }

    @pytest.mark.anyio
    async def test_parameters_are_told_as_they_were_given(self, docs):
        params = m.IntegerIndexParams(type="integer", lookup=False, range=True)
        await docs.create_payload_index("n", params)
        assert (await schema_of(docs))["n"].params == params
        await docs.create_payload_index("n", {"type": "float", "is_principal": True})
        told = (await schema_of(docs))["n"]
        assert told.data_type == "float"
        assert told.params == m.FloatIndexParams(type="float", is_principal=True)

    @pytest.mark.anyio
    @pytest.mark.parametrize(("field", "kind"), [("k", "keyword"), ("n", "integer")])
    async def test_without_a_schema_the_values_tell(self, docs, field, kind):
        await docs.create_payload_index(field)
        assert (await schema_of(docs))[field].data_type == kind

    @pytest.mark.anyio
    async def test_progress_ends_at_the_total(self, docs):
        seen = []
        await docs.create_payload_index("k", "keyword", progress=lambda *now: seen.append(now))
        assert seen[-1][0] == seen[-1][1]

    @pytest.mark.anyio
    async def test_one_that_nobody_waits_for_changes_no_result(self, docs):
        result = await docs.create_payload_index("k", "keyword", wait=False)
        assert result.status == m.UpdateStatus.ACKNOWLEDGED
        assert await docs.count(filter=where(k="a")) == 10

    @pytest.mark.anyio
    async def test_made_again_it_is_there_once(self, docs):
        for _ in range(3):
            await docs.create_payload_index("k", "keyword")
        assert list(await schema_of(docs)) == ["k"]

    @pytest.mark.anyio
    async def test_made_while_points_are_written_it_misses_none(self, docs):
        async def write():
            for first in range(100, 2100, 100):
                await docs.upsert(
                    [
                        m.PointStruct(id=number, vector=[1, 1], payload={"k": "c"})
                        for number in range(first, first + 100)
                    ]
                )
                await docs.delete(points=[first])

        async with anyio.create_task_group() as group:
            group.start_soon(write)
            for field in ("k", "n", "k[]"):
                group.start_soon(docs.create_payload_index, field, "keyword")
        assert await docs.count(filter=where(k="c")) == 20 * 99
        assert (await schema_of(docs))["k"].points == 20 + 20 * 99


class TestBadInput:
    @pytest.mark.anyio
    @pytest.mark.parametrize(
        ("field", "schema", "message"),
        [
            ("a..b", "keyword", "field_name: .*a key is missing"),
            ("k", "keywords", "field_schema: must be one of keyword, integer, .*'keywords'"),
            ("k", {"type": "keyword", "lookup": True}, "keyword has no parameter 'lookup'"),
            ("k", {"type": "keyword", "is_tenant": 3}, r"field_schema.is_tenant: .*3"),
            ("k", {"type": "integer", "lookup": False, "range": False}, "both disabled"),
            ("k", 7, "got 7"),
            ("missing", None, "field_schema: must be given, .*'missing'"),
        ],
    )
    async def test_is_refused_and_changes_nothing(self, docs, field, schema, message):
        with pytest.raises(asyncstore.InvalidArgumentError, match=message):
            await docs.create_payload_index(field, schema)
        assert await schema_of(docs) == {}


@pytest.mark.anyio
async def test_writes_of_every_kind_are_followed(docs):
    await docs.create_payload_index("k", "keyword")
    await docs.set_payload({"k": "x"}, points=[1, 2])
    await docs.overwrite_payload({"k": ["x", "y"]}, points=[3])
    await docs.delete_payload(["k"], points=[4])
    await docs.clear_payload(points=[5])
    await docs.delete(points=[6])
    await docs.upsert([m.PointStruct(id=7, vector=[1, 1], payload={"k": "y"})])
    assert await docs.count(filter=where(k="x")) == 3
    assert await docs.count(filter=where(k="y")) == 2
    assert await docs.count(filter=where(k="a")) == 7
    empty = m.Filter(must=m.IsEmptyCondition(is_empty=m.PayloadField(key="k")))
    assert await docs.count(filter=empty) == 2
    assert (await schema_of(docs))["k"].points == 17


@pytest.mark.anyio
async def test_dropped_it_is_gone_and_filters_go_on(docs):
    await docs.create_payload_index("k", "keyword")
    await docs.delete_payload_index("k")
    await docs.delete_payload_index("k")
    assert await schema_of(docs) == {}
    assert await docs.count(filter=where(k="a")) == 10


@pytest.mark.anyio
async def test_indexes_are_there_after_reopening(open_store, unnamed, tmp_path):
    async with open_store() as store:
        docs = await store.create_collection("docs", vectors=unnamed(size=2))
        await docs.upsert(POINTS)
        await docs.create_payload_index("k", {"type": "keyword", "is_tenant": True})
        await docs.create_payload_index("n", "integer")
        await docs.create_payload_index("gone", "integer")
        await docs.delete_payload_index("gone")
        before = await schema_of(docs)
        assert docs.statistics().ram_bytes["fields"] > 0
    files = list(tmp_path.rglob("*.field"))
    assert len(files) == 2
    async with open_store() as store:
        docs = await store.get_collection("docs")
        assert await schema_of(docs) == before
        assert docs.statistics().disk_bytes["fields"] == sum(one.stat().st_size for one in files)
        assert await docs.count(filter=where(k="a")) == 10
        assert await docs.check() == []


@pytest.mark.anyio
async def test_a_damaged_index_is_made_of_the_payloads(open_store, unnamed, tmp_path):
    async with open_store() as store:
        docs = await store.create_collection("docs", vectors=unnamed(size=2))
        await docs.upsert(POINTS)
        await docs.create_payload_index("k", "keyword")
    (file,) = tmp_path.rglob("*.field")
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.write_bytes(content)
    async with open_store() as store:
        docs = await store.get_collection("docs")
        assert any("index of 'k'" in what for what in docs.statistics().rebuilt)
        await docs.create_payload_index("k", "keyword")  # waits until it is made
        assert await docs.count(filter=where(k="a")) == 10
        assert (await schema_of(docs))["k"].points == 20


@pytest.mark.anyio
async def test_a_check_finds_a_damaged_index_and_a_repair_writes_it_anew(docs, tmp_path):
    await docs.create_payload_index("k", "keyword")
    await docs.optimize()
    (file,) = tmp_path.rglob("*.field")
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.write_bytes(content)
    (found,) = await docs.check()
    assert found.repairable
    assert found.file == str(file)
    (repaired,) = await docs.check(repair=True)
    assert repaired.repaired
    assert await docs.check() == []
    assert await docs.count(filter=where(k="a")) == 10
