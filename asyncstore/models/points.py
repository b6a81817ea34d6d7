"""Points and what comes back of them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

# What callers may give as an id; what they get back is an integer or a hyphenated lower-case UUID.
PointIdInput: TypeAlias = int | str | uuid.UUID
PointId: TypeAlias = int | str

# One dense vector, as callers may give it.
VectorInput: TypeAlias = Sequence[float] | NDArray[np.floating] | NDArray[np.integer]

# One multivector likewise: its rows; a flat vector is one row.
MultiVectorInput: TypeAlias = Sequence[VectorInput] | VectorInput


class SparseVector(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A vector most of whose elements are zero.

    Attributes:
        indices: Where it is not zero: whole numbers below 2**32, each once. They come back
            ascending.
        values: The elements there, finite; as many as there are indices.
    """

    indices: Sequence[int] | NDArray[np.integer]
    values: VectorInput


# A sparse vector, as callers may give it.
SparseVectorInput: TypeAlias = SparseVector | Mapping[str, VectorInput]

# Records and scored points are made by the thousand and hold no reference back: ``gc=False`` spares
# the garbage collector, and so the event loop, from walking over them.

# The one unnamed vector as it comes back, or those of a point with named vectors.
VectorOutput: TypeAlias = (
    list[float] | list[list[float]] | dict[str, list[float] | list[list[float]] | SparseVector]
)


class PointStruct(msgspec.Struct, frozen=True, kw_only=True):
    """A point to be written.

    Attributes:
        id: An unsigned 64-bit integer or a UUID.
        vector: The vector of a collection with one unnamed vector; named and sparse vectors by
            name; ``{}`` for a point without any. A multivector is a list of vectors or a 2-D array.
        payload: A JSON object; None and ``{}`` are the same.
    """

    id: PointIdInput
    vector: MultiVectorInput | Mapping[str, MultiVectorInput | SparseVectorInput]
    payload: Mapping[str, object] | None = None


class PointVectors(msgspec.Struct, frozen=True, kw_only=True):
    """Vectors to be written to a point that is there; its other vectors and its payload stay."""

    id: PointIdInput
    vector: MultiVectorInput | Mapping[str, MultiVectorInput | SparseVectorInput]


class PointIdsList(msgspec.Struct, frozen=True, kw_only=True):
    """Points selected by their ids."""

    points: Sequence[PointIdInput]


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A point as it is stored.

    Attributes:
        payload: None when not asked for; ``{}`` when there is none.
        vector: None when not asked for; ``{}`` when there is none.
        order_value: What it was ordered by; of datetimes microseconds since 1970.
    """

    id: PointId
    payload: dict[str, object] | None = None
    vector: VectorOutput | None = None
    order_value: int | float | None = None


class ScoredPoint(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A point that a search found.

    Attributes:
        version: The operation that last changed the point.
        score: Similarity (cosine, dot) or distance (Euclid, Manhattan) to the query.
        payload: None when not asked for; ``{}`` when there is none.
        vector: None when not asked for; ``{}`` when there is none.
        order_value: What it was ordered by; of datetimes microseconds since 1970.
    """

    id: PointId
    version: int
    score: float
    payload: dict[str, object] | None = None
    vector: VectorOutput | None = None
    order_value: int | float | None = None


class PayloadSelectorInclude(msgspec.Struct, frozen=True, kw_only=True):
    """Of a payload only what these JSON paths name; ``a[].b`` keeps b alone in each element."""

    include: Sequence[str]


class PayloadSelectorExclude(msgspec.Struct, frozen=True, kw_only=True):
    """Of a payload all but what these JSON paths name."""

    exclude: Sequence[str]


# What of the payload a read returns: all, nothing, what some JSON paths name, or the rest.
WithPayload: TypeAlias = (
    bool
    | Sequence[str]
    | PayloadSelectorInclude
    | PayloadSelectorExclude
    | Mapping[str, Sequence[str]]
)


class UpdateStatus(StrEnum):
    """How far a write has come. Both words are said after it is durable and visible."""

    ACKNOWLEDGED = "acknowledged"
    COMPLETED = "completed"


class UpdateMode(StrEnum):
    """What an upsert does to points that exist, or do not."""

    UPSERT = "upsert"
    INSERT_ONLY = "insert_only"
    UPDATE_ONLY = "update_only"


class UpdateResult(msgspec.Struct, frozen=True, kw_only=True):
    """A write that was done; ``operation_id`` grows with every write to the collection."""

    operation_id: int | None
    status: UpdateStatus
