"""The writes of a collection that change the payload of points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from asyncstore.handle import Handle
from asyncstore.ids import IdsInput
from asyncstore.models import PointIdsList, UpdateResult
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
        filter: object = None,
        key: str | None = None,
        wait: bool = True,
    ) -> UpdateResult:
        """Sets keys of the payload of points; other keys stay.

        A value replaces the old one of its key as a whole, also where both are objects.

        Args:
            payload: The keys to set, as in :meth:`Collection.upsert`.
            points: The ids, at least one.
            filter: Not supported yet.
            key: The JSON path of the object in which to set them; None: the payload itself. What is
                missing on the way is created; ``a[].b`` sets in every element of ``a``,
                ``a[0].b`` in one.
            wait: As in :meth:`Collection.upsert`.

        Returns:
            The last operation's id.

        Raises:
            InvalidArgumentError: The payload, the key or an id is wrong, there is no id, or a
                payload would grow beyond the limits.
            PointNotFoundError: A point is not there; nothing was written, unless it was deleted
                meanwhile and there are more than 1,024 points.
            UnsupportedError: ``filter`` is given.
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
        filter: object = None,
        key: str | None = None,
        wait: bool = True,
    ) -> UpdateResult:
        """Replaces the payload of points, or the value at one JSON path.

        Args:
            payload: The new payload, or the new value at the path.
            points: As in :meth:`set_payload`.
            filter: Not supported yet.
            key: The JSON path; None: the payload itself.
            wait: As in :meth:`Collection.upsert`.

        Returns:
            The last operation's id.

        Raises:
            InvalidArgumentError: As in :meth:`set_payload`.
            PointNotFoundError: As in :meth:`set_payload`.
            UnsupportedError: ``filter`` is given.

        Cancellation: as in :meth:`set_payload`.
        """
        return await self._set("replace", payload, points, filter, key, wait=wait)

    async def delete_payload(
        self,
        keys: Sequence[str],
        *,
        points: IdsInput | PointIdsList | None = None,
        filter: object = None,
        wait: bool = True,
    ) -> UpdateResult:
        """Removes values from the payload of points; what is not there is passed over.

        Args:
            keys: The JSON paths of the values, at least one.
            points: As in :meth:`set_payload`.
            filter: Not supported yet.
            wait: As in :meth:`Collection.upsert`.

        Returns:
            The last operation's id.

        Raises:
            InvalidArgumentError: A path or an id is wrong, or there is none.
            PointNotFoundError: As in :meth:`set_payload`.
            UnsupportedError: ``filter`` is given.

        Cancellation: as in :meth:`set_payload`.
        """
        self._engine.check_open()
        pace = Pace()
        operation = await ChangePayload.removing(keys, points, filter, pace)
        return await self._write(operation, pace, wait=wait)

    async def clear_payload(
        self,
        *,
        points: IdsInput | PointIdsList | None = None,
        filter: object = None,
        wait: bool = True,
    ) -> UpdateResult:
        """Removes the whole payload of points, which leaves ``{}``.

        Args:
            points: As in :meth:`set_payload`.
            filter: Not supported yet.
            wait: As in :meth:`Collection.upsert`.

        Returns:
            The last operation's id.

        Raises:
            InvalidArgumentError: An id is wrong, or there is none.
            PointNotFoundError: As in :meth:`set_payload`.
            UnsupportedError: ``filter`` is given.

        Cancellation: as in :meth:`set_payload`.
        """
        self._engine.check_open()
        pace = Pace()
        operation = await ChangePayload.clearing(points, filter, pace)
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
        operation = await ChangePayload.setting(action, payload, points, filter, key, pace)
        return await self._write(operation, pace, wait=wait)
