"""The operations of ``Collection.batch_update``; of ``points`` and ``filter`` each has one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import msgspec

from asyncstore.models.filters import FilterInput, FilterSelector
from asyncstore.models.points import (
    PointIdInput,
    PointIdsList,
    PointStruct,
    PointVectors,
    UpdateMode,
)


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """Points as columns, as :meth:`Collection.upsert_arrays` takes them."""

    ids: Sequence[PointIdInput]
    vectors: object
    payloads: Sequence[Mapping[str, object] | None] | None = None


class PointsBatch(msgspec.Struct, frozen=True, kw_only=True):
    """Points to be written, given as columns."""

    batch: Batch
    update_filter: FilterInput | None = None
    update_mode: UpdateMode | None = None


class PointsList(msgspec.Struct, frozen=True, kw_only=True):
    """Points to be written."""

    points: Sequence[PointStruct]
    update_filter: FilterInput | None = None
    update_mode: UpdateMode | None = None


class SetPayload(msgspec.Struct, frozen=True, kw_only=True):
    """A payload, and the points that get it.

    Attributes:
        key: The JSON path at which it is set; None: at the root.
    """

    payload: Mapping[str, object]
    points: Sequence[PointIdInput] | None = None
    filter: FilterInput | None = None
    key: str | None = None


class DeletePayload(msgspec.Struct, frozen=True, kw_only=True):
    """JSON paths, and the points that lose what they name."""

    keys: Sequence[str]
    points: Sequence[PointIdInput] | None = None
    filter: FilterInput | None = None


class UpdateVectors(msgspec.Struct, frozen=True, kw_only=True):
    """Vectors to be written to points that are there."""

    points: Sequence[PointVectors]
    update_filter: FilterInput | None = None


class DeleteVectors(msgspec.Struct, frozen=True, kw_only=True):
    """Names of vectors, and the points that lose them."""

    vector: Sequence[str]
    points: Sequence[PointIdInput] | None = None
    filter: FilterInput | None = None


class UpsertOperation(msgspec.Struct, frozen=True, kw_only=True):
    """As :meth:`Collection.upsert` or :meth:`Collection.upsert_arrays`."""

    upsert: PointsList | PointsBatch


class DeleteOperation(msgspec.Struct, frozen=True, kw_only=True):
    """As :meth:`Collection.delete`."""

    delete: PointIdsList | FilterSelector


class SetPayloadOperation(msgspec.Struct, frozen=True, kw_only=True):
    """As :meth:`Collection.set_payload`."""

    set_payload: SetPayload


class OverwritePayloadOperation(msgspec.Struct, frozen=True, kw_only=True):
    """As :meth:`Collection.overwrite_payload`."""

    overwrite_payload: SetPayload


class DeletePayloadOperation(msgspec.Struct, frozen=True, kw_only=True):
    """As :meth:`Collection.delete_payload`."""

    delete_payload: DeletePayload


class ClearPayloadOperation(msgspec.Struct, frozen=True, kw_only=True):
    """As :meth:`Collection.clear_payload`."""

    clear_payload: PointIdsList | FilterSelector


class UpdateVectorsOperation(msgspec.Struct, frozen=True, kw_only=True):
    """As :meth:`Collection.update_vectors`."""

    update_vectors: UpdateVectors


class DeleteVectorsOperation(msgspec.Struct, frozen=True, kw_only=True):
    """As :meth:`Collection.delete_vectors`."""

    delete_vectors: DeleteVectors


UpdateOperation: TypeAlias = (
    UpsertOperation
    | DeleteOperation
    | SetPayloadOperation
    | OverwritePayloadOperation
    | DeletePayloadOperation
    | ClearPayloadOperation
    | UpdateVectorsOperation
    | DeleteVectorsOperation
)
