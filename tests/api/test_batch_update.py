"""Several writes in one call."""

import math

import numpy as np
import pytest

from asyncstore import InvalidArgumentError, PointNotFoundError
from asyncstore import models as m
from cities import CITY, payloads

pytestmark = pytest.mark.asyncio

A_UUID = "550e8400-e29b-41d4-a716-446655440000"


def every_operation():
    return [
        m.UpsertOperation(
            upsert=m.PointsList(points=[m.PointStruct(id=4, vector=[4, 0], payload={"a": 1})])
        ),
        m.UpsertOperation(
            upsert=m.PointsBatch(
                batch=m.Batch(ids=[5, 6], vectors=[[5, 0], [6, 0]], payloads=[{"b": 1}, None])
            )
        ),
        m.SetPayloadOperation(set_payload=m.SetPayload(payload={"c": 1}, points=[4, 5, 6])),
        m.OverwritePayloadOperation(
            overwrite_payload=m.SetPayload(payload={"d": 1}, points=[6], key="c")
        ),
        m.DeletePayloadOperation(delete_payload=m.DeletePayload(keys=["a"], points=[4, 5])),
        m.ClearPayloadOperation(clear_payload=m.PointIdsList(points=[5])),
        m.UpdateVectorsOperation(
            update_vectors=m.UpdateVectors(points=[m.PointVectors(id=4, vector=[9, 0])])
        ),
        m.DeleteVectorsOperation(delete_vectors=m.DeleteVectors(vector=[""], points=[5])),
        m.DeleteOperation(delete=m.PointIdsList(points=[1, 2, 3])),
    ]


async def test_batch_update(docs_with_payload):
    async with docs_with_payload as collection:
        results = await collection.batch_update(every_operation())
        assert [result.status for result in results] == [m.UpdateStatus.COMPLETED] * 9
        numbers = [result.operation_id for result in results]
        assert numbers == sorted(set(numbers))
        records, _ = await collection.scroll(with_vectors=True)
        assert [(one.id, one.payload, one.vector) for one in records] == [
            (4, {"c": 1}, [9, 0]),
            (5, {}, {}),
            (6, {"c": {"d": 1}}, [6, 0]),
        ]
        assert await collection.batch_update([]) == []


@pytest.mark.parametrize(
    ("operation", "error", "sentence"),
    [
        ("upsert", InvalidArgumentError, "must be one of the update operations"),
        (m.PointIdsList(points=[1]), InvalidArgumentError, "must be one of"),
        (m.DeleteOperation(delete=[1]), InvalidArgumentError, "must be one of"),
        (m.DeleteOperation(delete=m.PointIdsList(points=[])), InvalidArgumentError, "empty"),
        (
            m.SetPayloadOperation(set_payload=m.SetPayload(payload={"a": math.nan}, points=[1])),
            InvalidArgumentError,
            "nan",
        ),
        (
            m.SetPayloadOperation(
                set_payload=m.SetPayload(payload={"a": 1}, points=[1], key="a..b")
            ),
            InvalidArgumentError,
            'key: "a..b" is not a JSON path: a key is missing',
        ),
        (
            m.UpsertOperation(
                upsert=m.PointsBatch(
                    batch=m.Batch(ids=[9], vectors=np.array([[1, np.nan]], np.float32))
                )
            ),
            InvalidArgumentError,
            "finite",
        ),
        (
            m.UpsertOperation(
                upsert=m.PointsBatch(batch=m.Batch(ids=[9], vectors=np.array([[1, 1e300]])))
            ),
            InvalidArgumentError,
            "beyond float32",
        ),
        (
            m.UpsertOperation(upsert=m.PointsList(points=[], update_filter=[])),
            InvalidArgumentError,
            r"operations\[9\]: update_filter: must be a Filter",
        ),
        (
            m.ClearPayloadOperation(clear_payload=m.PointIdsList(points=["x"])),
            InvalidArgumentError,
            "point id",
        ),
    ],
    ids=str,
)
async def test_a_bad_operation_leaves_none_written(docs_with_payload, operation, error, sentence):
    async with docs_with_payload as collection:
        with pytest.raises(error, match=sentence):
            await collection.batch_update([*every_operation(), operation])
        assert await payloads(collection) == [CITY, {"name": "Bern", "n": 2}, {}]


async def test_a_missing_point_stops_a_batch_update(docs_with_payload):
    async with docs_with_payload as collection:
        operations = [
            m.ClearPayloadOperation(clear_payload=m.PointIdsList(points=[number]))
            for number in (1, 9, 2)
        ]
        with pytest.raises(PointNotFoundError, match="9"):
            await collection.batch_update(operations)
        assert await payloads(collection) == [{}, {"name": "Bern", "n": 2}, {}]
