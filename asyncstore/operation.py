"""What a write asks of the core: checked, and cut into pieces that are one log record each.

A piece is written as a whole or not at all. Making an operation checks what can be checked without
the points; running it hands its pieces over in order, several at once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, cast

from asyncstore.batch import Batch
from asyncstore.engine import WRITE_BYTES_MAX, WRITE_POINTS_MAX, Engine, NativeCollection
from asyncstore.errors import InvalidArgumentError, PointNotFoundError
from asyncstore.ids import LIST_IDS_MAX, Ids
from asyncstore.models import UpdateMode
from asyncstore.pace import Pace, listed
from asyncstore.payload import check_depth_at, check_path, check_paths, payload_text
from asyncstore.selection import Selection
from asyncstore.vectors import AnyField, find_field
from asyncstore.window import WriteWindow

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asyncstore.engine import NativeFilter, Rows

# Points whose payloads one log record changes: it holds them as they are afterwards, and how large
# that is, the core alone knows.
PAYLOAD_CHANGES_MAX = 1024

Submit = Callable[[], int]


class Operation(ABC):
    """A write that was checked."""

    # Whether it is an error when a point is not there.
    must_exist = False

    def __init__(self, update_filter: NativeFilter | None = None) -> None:
        """``update_filter``: what points that are there must match then to be changed."""
        self._update_filter = update_filter

    async def run(
        self, engine: Engine, collection: NativeCollection, pace: Pace, *, is_checked: bool = False
    ) -> int | None:
        """Writes all pieces; returns the id of the last one's native operation, None without any.

        Cancellation: leaves behind nothing, all, or some of the pieces from the first on.
        """
        ids = await self._ids_in(engine, collection)
        cuts = self._cuts(ids)
        if len(cuts) > 1:
            if not is_checked:
                await self.check(engine, pace)
            if self.must_exist:
                await _check_exist(ids, engine, collection)
        async with WriteWindow(engine) as window:
            for cut in cuts:
                await window.make_room()
                window.add(await self._submit(ids, cut, engine, collection, pace))
            return await window.finish()

    @abstractmethod
    async def check(self, engine: Engine, pace: Pace) -> None:
        """Checks what the core would find in a piece only when it takes it, but for the points.

        Needed only where an error must leave behind no other piece and no other operation.
        """

    @abstractmethod
    async def _ids_in(self, engine: Engine, collection: NativeCollection) -> Ids:
        """The points that it is about."""

    @abstractmethod
    def _cuts(self, ids: Ids) -> list[slice]:
        """The pieces, as slices of the points."""

    @abstractmethod
    async def _submit(
        self, ids: Ids, cut: slice, engine: Engine, collection: NativeCollection, pace: Pace
    ) -> Submit:
        """What hands one piece over."""


class _BatchOperation(Operation):
    """An operation on a batch of vectors."""

    def __init__(self, batch: Batch, update_filter: NativeFilter | None = None) -> None:
        super().__init__(update_filter)
        self.batch = batch

    async def _ids_in(self, engine: Engine, collection: NativeCollection) -> Ids:
        return self.batch.ids

    def _cuts(self, ids: Ids) -> list[slice]:
        return list(self.batch.cuts())

    async def check(self, engine: Engine, pace: Pace) -> None:
        """Checks how large a point is, and all numbers."""
        self._cuts(self.batch.ids)
        await self.batch.check_numbers(pace)
        for matrix in self.batch.unchecked_float32():
            submit = partial(engine.native.submit_check_vectors, matrix)
            await engine.call(engine.reads, submit)


class Upsert(_BatchOperation):
    """Writes whole points."""

    def __init__(
        self, batch: Batch, mode: object = None, update_filter: NativeFilter | None = None
    ) -> None:
        super().__init__(batch, update_filter)
        try:
            self.mode = UpdateMode.UPSERT if mode is None else UpdateMode(cast(str, mode))
        except ValueError as error:
            choices = ", ".join(UpdateMode)
            raise InvalidArgumentError(
                f"update_mode: {mode!r} invalid, must be one of {choices}"
            ) from error

    async def _submit(
        self, ids: Ids, cut: slice, engine: Engine, collection: NativeCollection, pace: Pace
    ) -> Submit:
        chunk = await self.batch.chunk(cut, pace)
        return partial(
            engine.native.submit_upsert,
            collection,
            chunk.ids,
            chunk.vectors,
            chunk.present,
            chunk.payloads,
            self.mode.value,
            update_filter=self._update_filter,
        )


class SetVectors(_BatchOperation):
    """Sets vectors of points that are there, in the order given."""

    must_exist = True

    async def _submit(
        self, ids: Ids, cut: slice, engine: Engine, collection: NativeCollection, pace: Pace
    ) -> Submit:
        chunk = await self.batch.chunk(cut, pace)
        return partial(
            engine.native.submit_set_vectors,
            collection,
            chunk.ids,
            chunk.vectors,
            chunk.present,
            update_filter=self._update_filter,
        )


class _IdsOperation(Operation):
    """An operation on points, all alike: given ones, or those that match a filter.

    Which ones match is asked when the operation's turn comes. One that does not match any more when
    the turn of its piece comes is left alone.
    """

    def __init__(self, selection: Selection) -> None:
        super().__init__(selection.filter)
        self._selection = selection
        if selection.filter is not None:  # its points were there a moment ago
            self.must_exist = False

    async def check(self, engine: Engine, pace: Pace) -> None:
        """Nothing: what can be wrong was checked when it was made."""

    async def _ids_in(self, engine: Engine, collection: NativeCollection) -> Ids:
        return await self._selection.ids_in(engine, collection)

    @property
    def _points_max(self) -> int:
        return WRITE_POINTS_MAX

    def _cuts(self, ids: Ids) -> list[slice]:
        points_max = max(1, self._points_max)
        step = min(points_max, LIST_IDS_MAX) if isinstance(ids, list) else points_max
        return [slice(start, min(start + step, len(ids))) for start in range(0, len(ids), step)]


class Delete(_IdsOperation):
    """Deletes points."""

    @classmethod
    async def of(
        cls, points: object, filter: object, fields: Mapping[str, AnyField], pace: Pace
    ) -> Delete:
        """Checks the arguments of ``delete``."""
        return cls(await Selection.of(points, filter, fields, pace))

    async def _submit(
        self, ids: Ids, cut: slice, engine: Engine, collection: NativeCollection, pace: Pace
    ) -> Submit:
        return partial(
            engine.native.submit_delete, collection, ids[cut], update_filter=self._update_filter
        )


class DeleteVectors(_IdsOperation):
    """Takes vectors from points; ``fields`` are the numbers of their fields."""

    must_exist = True

    def __init__(self, selection: Selection, fields: list[int]) -> None:
        super().__init__(selection)
        self._fields = fields

    @classmethod
    async def of(
        cls,
        names: object,
        points: object,
        filter: object,
        fields: Mapping[str, AnyField],
        pace: Pace,
    ) -> DeleteVectors:
        """Checks the arguments of ``delete_vectors``."""
        if isinstance(names, str | bytes) or not isinstance(names, Sequence):
            raise InvalidArgumentError(f"vectors: must be a list of names, got {names!r}")
        if len(names) == 0:
            raise InvalidArgumentError("vectors: must specify the names of vectors to delete")
        numbers = sorted({find_field(fields, name).number for name in names})
        return cls(await Selection.of(points, filter, fields, pace), numbers)

    async def _submit(
        self, ids: Ids, cut: slice, engine: Engine, collection: NativeCollection, pace: Pace
    ) -> Submit:
        return partial(
            engine.native.submit_delete_vectors,
            collection,
            ids[cut],
            self._fields,
            update_filter=self._update_filter,
        )


class ChangePayload(_IdsOperation):
    """Changes the payloads of points, in the core's words: merge, replace, remove."""

    must_exist = True

    def __init__(
        self,
        selection: Selection,
        action: str,
        value: bytes | None = None,
        path: str | None = None,
        keys: Sequence[str] = (),
    ) -> None:
        super().__init__(selection)
        self._action = action
        self._value = value
        self._path = path
        self._keys = list(keys)

    @classmethod
    async def setting(
        cls,
        action: str,
        payload: object,
        points: object,
        filter: object,
        key: object,
        fields: Mapping[str, AnyField],
        pace: Pace,
    ) -> ChangePayload:
        """Checks the arguments of ``set_payload`` and ``overwrite_payload``."""
        text = await payload_text(payload, "payload")
        if key is not None:
            await check_depth_at(text, check_path(key, "key"), "payload")
        selection = await Selection.of(points, filter, fields, pace)
        return cls(selection, action, text, None if key is None else str(key))

    @classmethod
    async def removing(
        cls,
        keys: object,
        points: object,
        filter: object,
        fields: Mapping[str, AnyField],
        pace: Pace,
    ) -> ChangePayload:
        """Checks the arguments of ``delete_payload``."""
        paths = check_paths(keys, "keys")
        if not paths:
            raise InvalidArgumentError("keys: must specify what to delete, is empty")
        return cls(await Selection.of(points, filter, fields, pace), "remove", keys=paths)

    @classmethod
    async def clearing(
        cls, points: object, filter: object, fields: Mapping[str, AnyField], pace: Pace
    ) -> ChangePayload:
        """Checks the arguments of ``clear_payload``."""
        return cls(await Selection.of(points, filter, fields, pace), "replace", b"{}")

    @property
    def _points_max(self) -> int:
        value_bytes = len(self._value or b"")
        return min(PAYLOAD_CHANGES_MAX, WRITE_BYTES_MAX // max(value_bytes, 1))

    async def _submit(
        self, ids: Ids, cut: slice, engine: Engine, collection: NativeCollection, pace: Pace
    ) -> Submit:
        return partial(
            engine.native.submit_change_payload,
            collection,
            ids[cut],
            self._action,
            self._value,
            self._path,
            self._keys,
            update_filter=self._update_filter,
        )


async def _check_exist(ids: Ids, engine: Engine, collection: NativeCollection) -> None:
    """Raises for the first id that is not there, so that no piece is written in vain."""
    for start in range(0, len(ids), LIST_IDS_MAX):
        part = ids[start : start + LIST_IDS_MAX]
        submit = partial(engine.native.submit_retrieve, collection, part, [], False)
        rows = cast("Rows", await engine.call(engine.reads, submit))
        found = set(await listed(rows[0], Pace()))
        for known in await listed(part, Pace()):
            if known not in found:
                raise PointNotFoundError(f"No point with id {known} found")
