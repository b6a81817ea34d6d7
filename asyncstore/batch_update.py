"""The operations of one ``batch_update``, each turned into what the core takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from asyncstore import models as m
from asyncstore.batch import batch_of_arrays, batch_of_points, batch_of_vectors
from asyncstore.bounds import OutOfBoundsError
from asyncstore.errors import DimensionMismatchError, InvalidArgumentError
from asyncstore.filter import lower
from asyncstore.operation import ChangePayload, Delete, DeleteVectors, Operation, SetVectors, Upsert
from asyncstore.pace import Pace
from asyncstore.vectors import AnyField


async def checked_operations(
    operations: object, fields: Mapping[str, AnyField], pace: Pace
) -> list[Operation]:
    """Checks the argument of ``batch_update``.

    Raises:
        InvalidArgumentError: An operation is wrong; the message begins with its position.
        DimensionMismatchError: A vector has another number of dimensions.
        UnsupportedError: An operation has a vector of a kind not supported yet.
    """
    if isinstance(operations, str | bytes) or not isinstance(operations, Sequence):
        raise InvalidArgumentError(
            f"operations: must be a sequence, got {type(operations).__name__}"
        )
    checked: list[Operation] = []
    for index, operation in enumerate(operations):
        try:
            checked.append(await _checked_operation(operation, fields, pace))
        except InvalidArgumentError as error:
            raise _within(error, f"operations[{index}]") from error
    return checked


def _within(error: InvalidArgumentError, place: str) -> InvalidArgumentError:
    """The error of one operation as that of them all."""
    match error:
        case OutOfBoundsError(violations=violations):
            return OutOfBoundsError(
                *((f"{place}: {path}" if path else place, what) for path, what in violations)
            )
        case DimensionMismatchError(expected=expected, got=got):
            return DimensionMismatchError(f"{place}: {error}", expected=expected, got=got)
    return InvalidArgumentError(f"{place}: {error}")


async def _checked_operation(
    operation: object, fields: Mapping[str, AnyField], pace: Pace
) -> Operation:
    match operation:
        case m.UpsertOperation(upsert=m.PointsList() | m.PointsBatch() as points):
            return await _upsert(points, fields, pace)
        case m.DeleteOperation(delete=m.PointIdsList() | m.FilterSelector() as selector):
            return await Delete.of(*_selected(selector), fields, pace)
        case m.SetPayloadOperation(set_payload=m.SetPayload() as change):
            return await _setting("merge", change, fields, pace)
        case m.OverwritePayloadOperation(overwrite_payload=m.SetPayload() as change):
            return await _setting("replace", change, fields, pace)
        case m.DeletePayloadOperation(delete_payload=m.DeletePayload() as removal):
            return await ChangePayload.removing(
                removal.keys, removal.points, removal.filter, fields, pace
            )
        case m.ClearPayloadOperation(
            clear_payload=m.PointIdsList() | m.FilterSelector() as selector
        ):
            return await ChangePayload.clearing(*_selected(selector), fields, pace)
        case m.UpdateVectorsOperation(update_vectors=m.UpdateVectors() as update):
            return SetVectors(
                await batch_of_vectors(update.points, fields, pace),
                await lower(update.update_filter, fields, pace, "update_filter"),
            )
        case m.DeleteVectorsOperation(delete_vectors=m.DeleteVectors() as losing):
            return await DeleteVectors.of(losing.vector, losing.points, losing.filter, fields, pace)
    raise InvalidArgumentError(f"must be one of the update operations, got {operation!r}")


async def _upsert(
    points: m.PointsList | m.PointsBatch, fields: Mapping[str, AnyField], pace: Pace
) -> Upsert:
    update_filter = await lower(points.update_filter, fields, pace, "update_filter")
    if isinstance(points, m.PointsList):
        batch = await batch_of_points(points.points, fields, pace)
        return Upsert(batch, points.update_mode, update_filter)
    columns = points.batch
    if not isinstance(columns, m.Batch):
        raise InvalidArgumentError(f"batch: must be a Batch, got {columns!r}")
    batch = await batch_of_arrays(columns.ids, columns.vectors, columns.payloads, fields, pace)
    return Upsert(batch, points.update_mode, update_filter)


async def _setting(
    action: str, change: m.SetPayload, fields: Mapping[str, AnyField], pace: Pace
) -> ChangePayload:
    return await ChangePayload.setting(
        action, change.payload, change.points, change.filter, change.key, fields, pace
    )


def _selected(selector: m.PointIdsList | m.FilterSelector) -> tuple[object, object]:
    """The arguments ``points`` and ``filter`` that it stands for."""
    if isinstance(selector, m.FilterSelector):
        return None, selector.filter
    return selector, None
