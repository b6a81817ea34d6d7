"""``asyncstore.testing.client``."""

import sys
import warnings

import pytest

import asyncstore
import asyncstore.testing

pytestmark = pytest.mark.asyncio


async def test_it_is_closed_and_the_store_is_not(tmp_path):
    async with asyncstore.open_store(tmp_path / "store") as store:
        async with asyncstore.testing.client(store) as client:
            await client.create_collection("c", vectors_config={})
        assert await store.list_collections() == ["c"]
        with pytest.raises(Exception, match="closed"):
            await client.get_collections()


async def test_it_has_the_key(tmp_path):
    config = {"service": {"api_key": "secret"}}
    async with asyncstore.open_store(tmp_path / "store", config=config) as store:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            async with asyncstore.testing.client(store) as client:
                assert (await client.get_collections()).collections == []


@pytest.mark.parametrize("missing", ["qdrant_client", "httpx"])
async def test_a_package_that_is_missing_is_named(tmp_path, monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    async with asyncstore.open_store(tmp_path / "store") as store:
        with pytest.raises(asyncstore.UnsupportedError, match=missing):
            async with asyncstore.testing.client(store):
                pass
