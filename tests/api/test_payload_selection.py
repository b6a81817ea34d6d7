"""Payload read in part: JSON paths, included and excluded."""

import pytest

from asyncstore import InvalidArgumentError
from asyncstore import models as m
from cities import CITY, payload

pytestmark = pytest.mark.asyncio

A_UUID = "550e8400-e29b-41d4-a716-446655440000"


@pytest.mark.parametrize(
    ("paths", "included", "rest"),
    [
        (["name"], {"name": "Ulm"}, CITY.keys() - {"name"}),
        (["size.km2"], {"size": {"km2": 118.7}}, CITY.keys()),
        (["districts[].name"], {"districts": [{"name": "Mitte"}, {"name": "Söflingen"}]}, None),
        (["districts[1].name"], {"districts": [{"name": "Söflingen"}]}, None),
        (['"a.b"."c d"', "nothing"], {"a.b": {"c d": True}, "nothing": None}, None),
        (["absent", "name.x", "big[0]"], {}, CITY.keys()),
        ([], {}, CITY.keys()),
    ],
)
async def test_parts_of_a_payload(docs_with_payload, paths, included, rest):
    async with docs_with_payload as collection:
        for selection in (
            paths,
            tuple(paths),
            {"include": paths},
            m.PayloadSelectorInclude(include=paths),
        ):
            assert await payload(collection, 1, selection) == included
            assert await payload(collection, 3, selection) == {}
        kept = await payload(collection, 1, m.PayloadSelectorExclude(exclude=paths))
        assert await payload(collection, 1, {"exclude": paths}) == kept
        if rest is not None:
            assert kept.keys() == rest
        (record,), _ = await collection.scroll(limit=1, with_payload=paths)
        hits = await collection.search([-1, 0], limit=1, with_payload=paths)
        assert record.payload == hits[0].payload == included


async def test_exclusion_goes_into_arrays(docs_with_payload):
    async with docs_with_payload as collection:
        kept = await payload(collection, 1, {"exclude": ["districts[].code", "size.people"]})
        assert kept == {
            **CITY,
            "districts": [{"name": "Mitte"}, {"name": "Söflingen"}, 7],
            "size": {"km2": 118.7},
        }


@pytest.mark.parametrize(
    "selection",
    ["name", 1, None, {"only": ["a"]}, {}, {"include": "a"}, {"include": ["a"], "exclude": []}],
    ids=repr,
)
async def test_what_is_no_selection(docs_with_payload, selection):
    async with docs_with_payload as collection:
        for call in reads(collection, selection):
            with pytest.raises(InvalidArgumentError, match="with_payload: must be a bool"):
                await call()


BAD_PATHS = ["", ".", "a.", ".a", "a..b", "a[", "a[x]", "a[-1]", "a[4294967296]", "[]", "a b"]
BAD_PATHS += ['"a', 'a"b"', "a]", "a\ud800", "a[]b", ".".join("a" * 65), 5, None, b"a"]


@pytest.mark.parametrize("path", BAD_PATHS, ids=ascii)
async def test_what_is_no_path(docs_with_payload, path):
    async with docs_with_payload as collection:
        for selection in (["a", path], {"exclude": ["a", path]}):
            for call in reads(collection, selection):
                with pytest.raises(InvalidArgumentError, match=r"with_payload\.\w+\[1\]"):
                    await call()
        with pytest.raises(InvalidArgumentError, match=r"keys\[1\]"):
            await collection.delete_payload(["name", path], points=[1])
        if path is not None:
            for setting in (collection.set_payload, collection.overwrite_payload):
                with pytest.raises(InvalidArgumentError, match="key"):
                    await setting({"a": 1}, points=[1], key=path)
        assert await payload(collection, 1) == CITY


def reads(collection, selection):
    return (
        lambda: collection.retrieve([1], with_payload=selection),
        lambda: collection.scroll(with_payload=selection),
        lambda: collection.search([1, 1], with_payload=selection),
    )
