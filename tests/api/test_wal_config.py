"""A collection whose log has files of its own size."""

import pytest

from asyncstore import InvalidArgumentError
from asyncstore import models as m

pytestmark = pytest.mark.asyncio

MIB = 1 << 20


def _log_files(folder):
    return [file.stat().st_size for file in folder.glob("store/collections/*/wal/*.wal")]


async def test_files_of_the_log_are_as_large_as_asked_for(open_store, unnamed, tmp_path):
    small = m.WalConfigDiff(wal_capacity_mb=1)
    async with open_store() as store:
        docs = await store.create_collection("docs", vectors=unnamed(), wal_config=small)
        for one in range(6):
            payload = {"text": "x" * (MIB // 2)}
            await docs.upsert([m.PointStruct(id=one, vector=[1, 2, 3, 4], payload=payload)])
        assert (await docs.info()).config.wal_config == m.WalConfig(wal_capacity_mb=1)
        sizes = _log_files(tmp_path)
        assert len(sizes) >= 3
        assert max(sizes) <= MIB
    async with open_store() as store:
        docs = await store.get_collection("docs")
        assert (await docs.info()).config.wal_config == m.WalConfig(wal_capacity_mb=1)
        await docs.upsert([m.PointStruct(id=7, vector=[1, 2, 3, 4], payload=payload)])
        assert max(_log_files(tmp_path)) <= MIB
        assert await docs.count() == 7


@pytest.mark.parametrize("mib", [0, 4097])
async def test_sizes_that_no_log_can_have(open_store, unnamed, mib):
    async with open_store() as store:
        with pytest.raises(InvalidArgumentError, match=r"wal_capacity_mb.* from 1 to 4096"):
            await store.create_collection(
                "docs", vectors=unnamed(), wal_config=m.WalConfigDiff(wal_capacity_mb=mib)
            )
        assert await store.list_collections() == []
