"""The writes of a collection: points and their vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from asyncstore.batch import batch_of_arrays, batch_of_points, batch_of_vectors
from asyncstore.batch_update import checked_operations
from asyncstore.filter import lower
from asyncstore.handle import Handle
from asyncstore.ids import IdsInput
from asyncstore.models import (
    FilterInput,
    PointIdsList,
    PointStruct,
    PointVectors,
    UpdateMode,
    UpdateOperation,
    UpdateResult,
)
from asyncstore.operation import Delete, DeleteVectors, SetVectors, Upsert
from asyncstore.pace import Pace


class Writes(Handle):
    """The calls that write points and vectors."""

    async def upsert(
        self,
        points: Sequence[PointStruct],
        *,
        wait: bool = True,
        update_filter: FilterInput | None = None,
        update_mode: UpdateMode | None = None,
    ) -> UpdateResult:
        """Writes points, each replacing the whole point of its id.

        Vectors and payload that a point does not give are gone afterwards. The last of several
        equal ids wins. The batch is checked before anything of it is written.

        Args:
            points: At least one point; vectors are lists or arrays of finite numbers, sparse ones
                ``SparseVector`` or a dict of ``indices`` and ``values``. A payload is a dict of
                what JSON can hold, at most 64 levels deep and 16 MiB as JSON; integers may have any
                size up to 4,300 digits.
            wait: False changes the result's word alone; the write is done when this returns.
            update_filter: A point that is there is replaced only if it matches this when its turn
                comes; one that is not is written. None: all are.
            update_mode: ``INSERT_ONLY`` leaves points that are there as they are, ``UPDATE_ONLY``
                passes over points that are not; None means ``UPSERT``.

        Returns:
            The last operation's id.

        Raises:
            InvalidArgumentError: An id, a number, a payload or the filter is wrong, a name is
                unknown, or the batch is empty; nothing was written.
            DimensionMismatchError: A vector has the wrong number of dimensions.
            StoreFailedError: An earlier write could not be made durable.
            StorageIOError: The disk is full or fails.

        Cancellation: leaves behind nothing, all, or (of a batch larger than 8 MiB or 65,536 points,
        than 16,384 with payload, or than 1,024 where there are UUIDs) some of its chunks from the
        first on, as the death of the process does; a point is never written by half.
        """
        self._engine.check_open()
        pace = Pace()
        lowered = await lower(update_filter, self._fields, pace, "update_filter")
        batch = await batch_of_points(points, self._fields, pace)
        return await self._write(Upsert(batch, update_mode, lowered), pace, wait=wait)

    async def upsert_arrays(
        self,
        ids: IdsInput,
        vectors: object,
        payloads: Sequence[Mapping[str, object] | None] | None = None,
        *,
        wait: bool = True,
    ) -> UpdateResult:
        """Writes points given as arrays; the fast way to write many.

        A C-contiguous float32 array and a uint64 array are read where they are, without a copy: do
        not change them before this has returned, or, if it was cancelled, before the next write
        has. Other types are converted.

        Args:
            ids: (n,) uint64 array, or a sequence of n integers and UUIDs.
            vectors: (n, dim) float32, finite; or a dict of them by vector name. Arrays of other
                numbers and lists of lists are converted. Sparse vectors are a sequence of n
                ``SparseVector`` or None, or a matrix in SciPy's CSR form with n rows; multivectors
                a sequence of n (rows, dim) arrays or None, or an array (n, rows, dim).
            payloads: n dicts or None, as in :meth:`upsert`; None: no point has payload.
            wait: As in :meth:`upsert`.

        Returns:
            The last operation's id.

        Raises:
            InvalidArgumentError: As in :meth:`upsert`; also, lengths differ.
            DimensionMismatchError: ``vectors`` has the wrong number of dimensions.
            StoreFailedError: An earlier write could not be made durable.
            StorageIOError: The disk is full or fails.

        Cancellation: as in :meth:`upsert`.
        """
        self._engine.check_open()
        pace = Pace()
        batch = await batch_of_arrays(ids, vectors, payloads, self._fields, pace)
        return await self._write(Upsert(batch), pace, wait=wait)

    async def delete(
        self,
        *,
        points: IdsInput | PointIdsList | None = None,
        filter: FilterInput | None = None,
        wait: bool = True,
    ) -> UpdateResult:
        """Deletes points; ids that are not there are passed over.

        Args:
            points: The ids, at least one.
            filter: In the place of ``points``: all points that match it. Which ones do is asked
                first; one that does not match any more when its turn comes stays.
            wait: As in :meth:`upsert`.

        Returns:
            The last operation's id; None where no point matches the filter.

        Raises:
            InvalidArgumentError: An id or the filter is wrong, both are given, or there is none.

        Cancellation: leaves behind all points, none of them, or (of more than 65,536 ids, or 1,024
        where there are UUIDs) some.

        Example:
            >>> async def delete_drafts(collection):
            ...     draft = m.FieldCondition(key="state", match=m.MatchValue(value="draft"))
            ...     await collection.delete(filter=m.Filter(must=[draft]))
        """
        self._engine.check_open()
        pace = Pace()
        return await self._write(
            await Delete.of(points, filter, self._fields, pace), pace, wait=wait
        )

    async def update_vectors(
        self,
        points: Sequence[PointVectors],
        *,
        wait: bool = True,
        update_filter: FilterInput | None = None,
    ) -> UpdateResult:
        """Sets vectors of points that are there; their other vectors and their payload stay.

        Points are written in the order given: where an id is there twice, the last write of each
        vector wins.

        Args:
            points: At least one, each with at least one vector.
            wait: As in :meth:`upsert`.
            update_filter: Points that do not match this when their turn comes are left alone.

        Returns:
            The last operation's id.

        Raises:
            InvalidArgumentError: An id, a vector or the filter is wrong, a name is unknown, or
                there is none.
            DimensionMismatchError: A vector has the wrong number of dimensions.
            PointNotFoundError: A point is not there; nothing was written, unless it was deleted
                meanwhile and the batch is larger than one chunk.

        Cancellation: as in :meth:`upsert`.
        """
        self._engine.check_open()
        pace = Pace()
        lowered = await lower(update_filter, self._fields, pace, "update_filter")
        batch = await batch_of_vectors(points, self._fields, pace)
        return await self._write(SetVectors(batch, lowered), pace, wait=wait)

    async def delete_vectors(
        self,
        vectors: Sequence[str],
        *,
        points: IdsInput | PointIdsList | None = None,
        filter: FilterInput | None = None,
        wait: bool = True,
    ) -> UpdateResult:
        """Takes vectors from points that are there; one that a point lacks is passed over.

        Args:
            vectors: The names, at least one; "" for the unnamed vector.
            points: The ids, at least one.
            filter: As in :meth:`delete`.
            wait: As in :meth:`upsert`.

        Returns:
            As :meth:`delete`.

        Raises:
            InvalidArgumentError: A name is unknown, an id or the filter is wrong, both are given,
                or there is none.
            PointNotFoundError: As in :meth:`update_vectors`.

        Cancellation: as in :meth:`delete`.
        """
        self._engine.check_open()
        pace = Pace()
        operation = await DeleteVectors.of(vectors, points, filter, self._fields, pace)
        return await self._write(operation, pace, wait=wait)

    async def batch_update(
        self, operations: Sequence[UpdateOperation], *, wait: bool = True
    ) -> list[UpdateResult]:
        """Does several writes, one after the other.

        All of them are checked before the first is written. What depends on the points (whether
        they are there, whether a payload would grow beyond the limit) shows when an operation's
        turn comes: those before it stay written, those after it are not begun.

        Args:
            operations: ``UpsertOperation``, ``SetPayloadOperation`` and so on; none does nothing.
            wait: As in :meth:`upsert`.

        Returns:
            The result of each operation.

        Raises:
            InvalidArgumentError: An operation is wrong; nothing was written. The message begins
                with its position, as in ``operations[2]``.
            DimensionMismatchError: A vector has the wrong number of dimensions.
            PointNotFoundError: A point is not there when the turn of its operation comes.

        Cancellation: leaves behind the operations done so far, and of the present one what the call
        of its own leaves.

        Example:
            >>> async def replace(collection, old, new):
            ...     await collection.batch_update([
            ...         m.DeleteOperation(delete=m.PointIdsList(points=[old])),
            ...         m.UpsertOperation(upsert=m.PointsList(points=[new])),
            ...     ])
        """
        self._engine.check_open()
        pace = Pace()
        checked = await checked_operations(operations, self._fields, pace)
        for operation in checked:
            await operation.check(self._engine, pace)
        await self._engine.checkpoint()
        return [
            await self._write(operation, pace, wait=wait, is_checked=True) for operation in checked
        ]
