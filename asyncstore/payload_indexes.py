"""The payload indexes of a collection: made and dropped."""

from __future__ import annotations

from typing import cast

import anyio.to_thread
import msgspec

from asyncstore.errors import InvalidArgumentError
from asyncstore.field_schema import FieldSchema, kind_of_value
from asyncstore.models import (
    BackgroundWork,
    Filter,
    IsEmptyCondition,
    PayloadField,
    PayloadFieldSchema,
    UpdateResult,
    UpdateStatus,
)
from asyncstore.payload import check_path
from asyncstore.progress import Progress, result_with_progress
from asyncstore.reads import Reads

# Points with a value that are looked at, where no kind of index is given.
_LOOKED_AT = 100


class PayloadIndexes(Reads):
    """The calls about indexes of payload fields."""

    async def create_payload_index(
        self,
        field_name: str,
        field_schema: PayloadFieldSchema | dict[str, object] | None = None,
        *,
        wait: bool = True,
        progress: Progress | None = None,
    ) -> UpdateResult:
        """Makes an index of a payload field, so that filters on it need not read payloads.

        An index changes speed, never results, but for one of text. It is kept up to date by every
        write, also while it is being made of the points that are there; filters test payloads
        until it is ready.

        With an index of text, ``text``, ``text_any`` and ``phrase`` on the field mean tokens in the
        place of characters, in filters that are given after this call returned, ready or not: all
        tokens are there, at least one is, they follow on each other. A text without tokens finds
        nothing. All other matches mean what they do without it.

        Args:
            field_name: The JSON path of the values, as conditions of filters name it; those inside
                of nested conditions by the whole path, ``a[].b``.
            field_schema: "keyword", "integer", "float", "bool", "datetime", "uuid", "geo" or
                "text"; or parameters, as :class:`~asyncstore.models.IntegerIndexParams`. None:
                what the values call for that are there. In place of another index of the field.
            wait: Whether to wait until it is ready.
            progress: As in :meth:`Collection.optimize`.

        Returns:
            The operation's id.

        Raises:
            InvalidArgumentError: The path or the schema is wrong, or none was given and there are
                no values.
            UnsupportedError: Stop words of a language are wanted, and their package is not there.
            CorruptionError: A payload is damaged; the index is made when the store is opened next.
            StorageIOError: The disk is full or fails.

        Cancellation: before it was taken, nothing is left behind; afterwards it is made in the
        background.

        Example:
            >>> async def fast_filters(collection):
            ...     await collection.create_payload_index("registry", "keyword")
            ...     await collection.create_payload_index("stats.stars", "integer")
            ...     await collection.create_payload_index(
            ...         "readme",
            ...         {"type": "text", "stemmer": {"type": "snowball", "language": "english"}},
            ...     )
        """
        check_path(field_name, "field_name")
        given = await self._kind_of_values(field_name) if field_schema is None else field_schema
        schema = await anyio.to_thread.run_sync(FieldSchema.of, given)
        engine, native = self._engine, self._engine.native
        operation_id = await engine.call(
            engine.writes,
            lambda: native.submit_create_index(
                self._native,
                field_name,
                schema.kind,
                schema.lookup,
                schema.range,
                schema.given,
                schema.text,
            ),
        )
        pending = await engine.begin(
            engine.reads, lambda: native.submit_build_index(self._native, field_name)
        )
        if wait:
            what = f"indexing '{field_name}'"
            await result_with_progress(pending, progress, what, self._indexing)
        else:
            pending.abandon()
        return self._result(operation_id, wait=wait)

    async def delete_payload_index(self, field_name: str, *, wait: bool = True) -> UpdateResult:
        """Drops the index of a payload field; there need not be one.

        Args:
            field_name: The JSON path that it was made with.
            wait: As in :meth:`Collection.upsert`.

        Returns:
            The operation's id.

        Raises:
            InvalidArgumentError: The path is none.
            StorageIOError: The disk is full or fails.

        Cancellation: leaves behind nothing, or the index dropped.
        """
        check_path(field_name, "field_name")
        engine, native = self._engine, self._engine.native
        operation_id = await engine.call(
            engine.writes, lambda: native.submit_drop_index(self._native, field_name)
        )
        return self._result(operation_id, wait=wait)

    async def _kind_of_values(self, field_name: str) -> str:
        """The kind of index that the values of a field call for."""
        is_empty = IsEmptyCondition(is_empty=PayloadField(key=field_name))
        records, _ = await self.scroll(
            filter=Filter(must_not=[is_empty]), limit=_LOOKED_AT, with_payload=[field_name]
        )
        for record in records:
            kind = kind_of_value(record.payload)
            if kind is not None:
                return kind
        raise InvalidArgumentError(
            f"field_schema: must be given, as no point has a value at {field_name!r} that tells it"
        )

    def _indexing(self) -> BackgroundWork:
        return msgspec.convert(self._native.statistics()["indexing"], BackgroundWork)

    def _result(self, operation_id: object, *, wait: bool) -> UpdateResult:
        status = UpdateStatus.COMPLETED if wait else UpdateStatus.ACKNOWLEDGED
        return UpdateResult(operation_id=cast(int, operation_id), status=status)
