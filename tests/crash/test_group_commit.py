"""Writes that are committed together."""

import asyncio

import numpy as np
import pytest

import asyncstore
from asyncstore import models as m

pytestmark = pytest.mark.asyncio


async def test_writes_of_one_group_add_more_points_than_any_of_them(tmp_path):
    """Room for ids must be made for the sum: 40 × 300 new points cross several steps of it."""
    vectors = np.eye(300, 4, dtype=np.float32)
    async with asyncstore.open_store(tmp_path) as store:
        docs = await store.create_collection(
            "docs", vectors=m.VectorParams(size=4, distance=m.Distance.DOT)
        )
        async with asyncio.TaskGroup() as group:
            for first in range(0, 12_000, 300):
                ids = np.arange(first, first + 300, dtype=np.uint64)
                group.create_task(docs.upsert_arrays(ids, vectors))
        assert await docs.count() == 12_000
