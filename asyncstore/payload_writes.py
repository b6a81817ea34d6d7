"""The writes of a collection that change the payload of points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from asyncstore.handle import Handle
from asyncstore.ids import IdsInput
from asyncstore.models import FilterInput, PointIdsList, UpdateResult
from asyncstore.operation import ChangePayload
from asyncstore.pace import Pace


class PayloadWrites(Handle):
    """The calls that change payload and nothing else.

    A change is worked out where writes are put in order, so changes of one point by many tasks are
    all there afterwards. Each of up to 1,024 points is one log record, there as a whole or not at
    all.
    """

    async def set_payload(
        self,
        payload: Mapping[str, object],
        *,
        points: IdsInput | PointIdsList | None = None,
        filter: FilterInput | None = None,
        key: str | None = None,
        wait: bool = True,
    ) -> UpdateResult:
        """Sets keys of the payload of points; other keys stay.

        A value replaces the old one of its key as a whole, also where both are objects.

        Args:
            payload: The keys to set, as in :meth:`Collection.upsert`.
            points: The ids, at least one.
            filter: In the place of ``points``: all points that match it. Which ones do is asked
                first; one that does not match any more when its turn comes is left alone.
            key: The JSON path of the object in which to set them; None: the payload itself. What is
                missing on the way is created; ``a[].b`` sets in every element of ``a``,
                ``a[0].b`` in one.
            wait: As in :meth:`Collection.upsert`.

        Returns:
            The last operation's id; None where no point matches the filter.

        Raises:
            InvalidArgumentError: The payload, the key, the filter or an id is wrong, points and
                filter are both given or there is neither, or a payload would grow beyond the
                limits.
            PointNotFoundError: A point is not there; nothing was written, unless it was deleted
                meanwhile and there are more than 1,024 points.
            StoreFailedError: An earlier write could not be made durable.
            StorageIOError: The disk is full or fails.

        Cancellation: leaves behind nothing, all, or (of more than 1,024 points, or less where the
        payload is large) the first points changed and the others not.
        """
        return await self._set("merge", payload, points, filter, key, wait=wait)

    async def overwrite_payload(
        self,
        payload: Mapping[str, object],
        *,
        points: IdsInput | PointIdsList | None = None,
        filter: FilterInput | None = None,
        key: str | None = None,
        wait: bool = True,
    ) -> UpdateResult:
        """Replaces the payload of points, or the value at one JSON path.

        Args:
            payload: The new payload, or the new value at the path.
            points: As in :meth:`set_payload`.
            filter: As in :meth:`set_payload`.
            key: The JSON path; None: the payload itself.
            wait: As in :meth:`Collection.upsert`.

        Returns:
            As :meth:`set_payload`.

        Raises:
            InvalidArgumentError: As in :meth:`set_payload`.
            PointNotFoundError: As in :meth:`set_payload`.

        Cancellation: as in :meth:`set_payload`.
        """
        return await self._set("replace", payload, points, filter, key, wait=wait)

    async def delete_payload(
        self,
        keys: Sequence[str],
        *,
        points: IdsInput | PointIdsList | None = None,
        filter: FilterInput | None = None,
        wait: bool = True,
    ) -> UpdateResult:
        """Removes values from the payload of points; what is not there is passed over.

        Args:
            keys: The JSON paths of the values, at least one.
            points: As in :meth:`set_payload`.
            filter: As in :meth:`set_payload`.
            wait: As in :meth:`Collection.upsert`.

        Returns:
            As :meth:`set_payload`.

        Raises:
            InvalidArgumentError: A path, an id or the filter is wrong, or there is none.
            PointNotFoundError: As in :meth:`set_payload`.

        Cancellation: as in :meth:`set_payload`.
        """
        self._engine.check_open()
        pace = Pace()
        operation = await ChangePayload.removing(keys, points, filter, self._fields, pace)
        return await self._write(operation, pace, wait=wait)

    async def clear_payload(
        self,
        *,
        points: IdsInput | PointIdsList | None = None,
        filter: FilterInput | None = None,
        wait: bool = True,
    ) -> UpdateResult:
        """Removes the whole payload of points, which leaves ``{}``.

        Args:
            points: As in :meth:`set_payload`.
            filter: As in :meth:`set_payload`.
            wait: As in :meth:`Collection.upsert`.

        Returns:
            As :meth:`set_payload`.

        Raises:
            InvalidArgumentError: An id or the filter is wrong, or there is none.
            PointNotFoundError: As in :meth:`set_payload`.

        Cancellation: as in :meth:`set_payload`.
        """
        self._engine.check_open()
        pace = Pace()
        operation = await ChangePayload.clearing(points, filter, self._fields, pace)
        return await self._write(operation, pace, wait=wait)

    async def _set(
        self,
        action: str,
        payload: object,
        points: object,
        filter: object,
        key: object,
        *,
        wait: bool,
    ) -> UpdateResult:
        self._engine.check_open()
        pace = Pace()
        operation = await ChangePayload.setting(
            action, payload, points, filter, key, self._fields, pace
        )
        return await self._write(operation, pace, wait=wait)
