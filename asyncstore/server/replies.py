"""Results as JSON: the envelope, and float32 numbers in their shortest decimal form."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

import msgspec
import numpy as np
import orjson

from asyncstore.models import Record, ScoredPoint, SparseVector
from asyncstore.pace import Pace
from asyncstore.server import results

_JSON = msgspec.json.Encoder()
# Points that become JSON in one go; of more of them the event loop's other tasks take turns.
_SLICE = 32

T = TypeVar("T")
P = TypeVar("P", Record, ScoredPoint)


def envelope(result: object, seconds: float) -> bytes:
    """The JSON of a reply that worked."""
    return _JSON.encode({"result": result, "status": "ok", "time": seconds})


def accepted() -> bytes:
    """The JSON of a reply to what is done behind it."""
    return _JSON.encode({"status": "accepted", "time": 0.0})


def failure(text: str, seconds: float) -> bytes:
    """The JSON of a reply that did not."""
    return _JSON.encode({"status": {"error": text}, "time": seconds})


async def records(found: Sequence[Record]) -> list[results.Record]:
    """Points as they are stored."""
    return await _in_slices(found, lambda part: [record(one) for one in part])


async def scored(found: Sequence[ScoredPoint]) -> list[results.ScoredPoint]:
    """Points that a search found."""
    return await _in_slices(found, _scored)


def record(found: Record) -> results.Record:
    """A point as it is stored."""
    reply: results.Record = {"id": found.id}
    _add_content(reply, found)
    return reply


async def _in_slices(found: Sequence[P], replies_of: Callable[[Sequence[P]], list[T]]) -> list[T]:
    """What stands for points in a reply; of many of them JSON, so that little is left to do."""
    if len(found) <= _SLICE:
        return replies_of(found)
    pace, texts = Pace(), []
    for start in range(0, len(found), _SLICE):
        for one in replies_of(found[start : start + _SLICE]):
            texts.append(msgspec.Raw(_JSON.encode(one)))
            await pace.breathe()
    return cast("list[T]", texts)


def _scored(found: Sequence[ScoredPoint]) -> list[results.ScoredPoint]:
    replies: list[results.ScoredPoint] = []
    for point, score in zip(found, shortest([point.score for point in found]), strict=True):
        reply: results.ScoredPoint = {"id": point.id, "version": point.version, "score": score}
        _add_content(reply, point)
        replies.append(reply)
    return replies


def shortest(values: Sequence[float]) -> list[float]:
    """The doubles that print as the shortest decimals that stand for these float32 numbers."""
    numbers: list[float] = msgspec.json.decode(_float32_json(values))
    return numbers


def _add_content(reply: results.Record | results.ScoredPoint, found: Record | ScoredPoint) -> None:
    if found.payload is not None:
        reply["payload"] = found.payload
    if found.vector is not None:
        reply["vector"] = _vectors(found.vector)
    if found.order_value is not None:
        reply["order_value"] = found.order_value


def _vectors(vector: object) -> Any:
    if isinstance(vector, dict):
        return {name: _vector(one) for name, one in vector.items()}
    return _vector(vector)


def _vector(vector: Any) -> object:
    if isinstance(vector, SparseVector):
        return {"indices": vector.indices, "values": _raw(vector.values)}
    if vector and isinstance(vector[0], list):
        return [_raw(row) for row in vector]
    return _raw(vector)


def _raw(values: Any) -> msgspec.Raw:
    return msgspec.Raw(_float32_json(values))


def _float32_json(values: Any) -> bytes:
    return orjson.dumps(np.asarray(values, np.float32), option=orjson.OPT_SERIALIZE_NUMPY)
