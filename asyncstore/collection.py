"""A collection: points written, read and searched with ``await``."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, NoReturn, cast

import msgspec
import numpy as np

from asyncstore.batch import Batch, batch_of_arrays, batch_of_points
from asyncstore.bounds import Bounds, check_number
from asyncstore.engine import CANDIDATES_MAX, WRITE_POINTS_MAX, Engine, NativeCollection
from asyncstore.errors import InvalidArgumentError, UnsupportedError
from asyncstore.ids import LIST_IDS_MAX, IdsInput, point_id, point_ids
from asyncstore.info import collection_info
from asyncstore.models import (
    CollectionInfo,
    CollectionStatistics,
    Finding,
    PointId,
    PointIdInput,
    PointIdsList,
    PointStruct,
    Record,
    ScoredPoint,
    SearchBatch,
    SearchParams,
    Severity,
    UpdateMode,
    UpdateResult,
    UpdateStatus,
    VectorInput,
)
from asyncstore.pace import Pace
from asyncstore.progress import Progress, result_with_progress
from asyncstore.rows import records, scored_points, search_batch_of
from asyncstore.search_plan import SearchPlan, check_limit, check_offset, check_threshold
from asyncstore.settings import CollectionSettings
from asyncstore.vectors import VectorField, find_field, query_matrix, query_vector
from asyncstore.window import WriteWindow

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asyncstore.engine import Batch as NativeBatch
    from asyncstore.engine import Rows, ScrollPage

# Limits above this are cut to the number of points, so that a huge one reserves no memory.
_LIMIT_UNCUT_MAX = 1 << 16
# Points read by one native job, so that taking over its result is no long work for the event loop.
_PAGE_ROWS = 4096


class Collection:
    """Points of one kind: an id, vectors, and (not yet) payload.

    Comes from :meth:`Store.create_collection` or :meth:`Store.get_collection`, and may be used by
    many tasks at once. Every method raises ``StoreClosedError`` when the store has been closed, and
    ``CollectionNotFoundError`` when the collection has been deleted.

    Writes: acknowledged means durable, as far as the configured durability goes, and visible to
    every search that begins afterwards. ``wait=False`` changes nothing about that; the result says
    "acknowledged" instead of "completed".

    Example:
        >>> async def nearest(collection, query):
        ...     return [hit.id for hit in await collection.search(query, limit=3)]
    """

    def __init__(self, engine: Engine, native: NativeCollection) -> None:
        """Made by the store."""
        self._engine = engine
        self._native = native
        self._name = native.name
        self._settings = CollectionSettings.decode(native.config)
        self._fields = {
            name: VectorField(self._name, number, name, params.size)
            for number, (name, params) in enumerate(self._settings.vectors.items())
        }
        self._is_unnamed = self._settings.has_unnamed_vector

    def __repr__(self) -> str:
        return f"<Collection {self._name!r} of {self._engine.path!r}>"

    @property
    def name(self) -> str:
        """The collection's name."""
        return self._name

    async def upsert(
        self,
        points: Sequence[PointStruct],
        *,
        wait: bool = True,
        update_filter: object = None,
        update_mode: UpdateMode | None = None,
    ) -> UpdateResult:
        """Writes points, each replacing the whole point of its id.

        Vectors that a point does not give are gone afterwards. The last of several equal ids wins.
        The batch is checked before anything of it is written.

        Args:
            points: At least one point; vectors are lists or arrays of finite numbers.
            wait: False changes the result's word alone; the write is done when this returns.
            update_filter: Not supported yet.
            update_mode: Only ``UpdateMode.UPSERT`` is supported yet.

        Returns:
            The last operation's id.

        Raises:
            InvalidArgumentError: An id or a number is wrong, a name is unknown, or the batch is
                empty; nothing was written.
            DimensionMismatchError: A vector has the wrong number of dimensions.
            UnsupportedError: A point has payload, or a sparse or multivector.
            StoreFailedError: An earlier write could not be made durable.
            StorageIOError: The disk is full or fails.

        Cancellation: leaves behind nothing, all, or (of a batch larger than 8 MiB or 65,536 points,
        or than 1,024 where there are UUIDs) some of its chunks from the first on, as the death of
        the process does; a point is never written by half.
        """
        self._engine.check_open()
        _refuse_later("update_filter", update_filter)
        if update_mode not in (None, UpdateMode.UPSERT):
            raise UnsupportedError(f"update_mode: {update_mode!r} is not supported yet")
        pace = Pace()
        batch = await batch_of_points(points, self._fields, pace)
        return await self._write(batch, pace, wait=wait)

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
                numbers and lists of lists are converted.
            payloads: Not supported yet, must be None.
            wait: As in :meth:`upsert`.

        Returns:
            The last operation's id.

        Raises:
            InvalidArgumentError: As in :meth:`upsert`; also, lengths differ.
            DimensionMismatchError: ``vectors`` has the wrong number of dimensions.
            UnsupportedError: ``payloads`` is given.
            StoreFailedError: An earlier write could not be made durable.
            StorageIOError: The disk is full or fails.

        Cancellation: as in :meth:`upsert`.
        """
        self._engine.check_open()
        if payloads is not None:
            raise UnsupportedError("payloads: payload is not supported yet")
        pace = Pace()
        batch = await batch_of_arrays(ids, vectors, self._fields, pace)
        return await self._write(batch, pace, wait=wait)

    async def delete(
        self,
        *,
        points: IdsInput | PointIdsList | None = None,
        filter: object = None,
        wait: bool = True,
    ) -> UpdateResult:
        """Deletes points; ids that are not there are passed over.

        Args:
            points: The ids, at least one.
            filter: Not supported yet.
            wait: As in :meth:`upsert`.

        Returns:
            The last operation's id.

        Raises:
            InvalidArgumentError: An id is wrong, or there is none.
            UnsupportedError: ``filter`` is given.

        Cancellation: leaves behind all points, none of them, or (of more than 65,536 ids, or 1,024
        where there are UUIDs) some.
        """
        self._engine.check_open()
        _refuse_later("filter", filter)
        if points is None:
            raise InvalidArgumentError("points: the ids of the points to delete are missing")
        pace = Pace()
        given = points.points if isinstance(points, PointIdsList) else points
        ids = await point_ids(given, pace)
        if len(ids) == 0:
            raise InvalidArgumentError("points: the batch is empty")
        native = self._engine.native
        step = WRITE_POINTS_MAX if isinstance(ids, np.ndarray) else LIST_IDS_MAX
        async with WriteWindow(self._engine) as window:
            for start in range(0, len(ids), step):
                await window.make_room()
                part = ids[start : start + step]
                window.add(partial(native.submit_delete, self._native, part))
            operation_id = await window.finish()
        return _update_result(operation_id, wait)

    async def retrieve(
        self,
        ids: IdsInput,
        *,
        with_payload: bool | object = True,
        with_vectors: bool | Sequence[str] = False,
    ) -> list[Record]:
        """Reads points by their ids.

        Args:
            ids: The ids; an id given twice is returned twice.
            with_payload: As payload is not stored yet, records have ``payload=None`` either way.
            with_vectors: Whether to read vectors, or the names of those to read.

        Returns:
            The records in the order asked; ids that are not there are left out. Vectors are as they
            are stored: normalised with cosine, rounded with float16 and uint8.

        Raises:
            InvalidArgumentError: An id is wrong, or a vector's name is unknown.
        """
        _refuse_payload_selector(with_payload)
        wanted = self._wanted(with_vectors)
        checked_ids = await point_ids(ids, Pace())
        if len(checked_ids) == 0:
            await self._engine.checkpoint()
            return []
        engine, native = self._engine, self._engine.native
        numbers = [field.number for field in wanted]
        found: list[Record] = []
        for start in range(0, len(checked_ids), _PAGE_ROWS):
            part = checked_ids[start : start + _PAGE_ROWS]
            submit = partial(native.submit_retrieve, self._native, part, numbers)
            rows = cast("Rows", await engine.call(engine.reads, submit))
            found += await records(rows, wanted, is_unnamed=self._is_unnamed)
        return found

    async def scroll(
        self,
        *,
        filter: object = None,
        limit: int = 10,
        offset: PointIdInput | None = None,
        order_by: object = None,
        with_payload: bool | object = True,
        with_vectors: bool | Sequence[str] = False,
    ) -> tuple[list[Record], PointId | None]:
        """Reads points page by page: integers ascending, then UUIDs ascending.

        Args:
            filter: Not supported yet.
            limit: Points of a page, at least 1.
            offset: The first id wanted, as the last page's call returned it.
            order_by: Not supported yet.
            with_payload: As in :meth:`retrieve`.
            with_vectors: As in :meth:`retrieve`.

        Returns:
            The page, and the first id of the next one or None.

        Raises:
            InvalidArgumentError: The limit, the offset or a vector's name is wrong.
            UnsupportedError: ``filter`` or ``order_by`` is given.

        Example:
            >>> async def all_ids(collection):
            ...     ids, offset = [], None
            ...     while True:
            ...         page, offset = await collection.scroll(limit=1000, offset=offset)
            ...         ids += [record.id for record in page]
            ...         if offset is None:
            ...             return ids
        """
        _refuse_later("filter", filter)
        _refuse_later("order_by", order_by)
        _refuse_payload_selector(with_payload)
        check_limit(limit)
        first = None if offset is None else point_id(offset, "offset")
        wanted = self._wanted(with_vectors)
        engine, native = self._engine, self._engine.native
        numbers = [field.number for field in wanted]
        found: list[Record] = []
        while True:
            page_limit = min(limit - len(found), _PAGE_ROWS)
            submit = partial(native.submit_scroll, self._native, first, page_limit, numbers)
            rows, first = cast("ScrollPage", await engine.call(engine.reads, submit))
            found += await records(rows, wanted, is_unnamed=self._is_unnamed)
            if first is None or len(found) >= limit:
                return found, first

    async def count(self, *, filter: object = None, exact: bool = True) -> int:
        """The number of points; exact, whatever ``exact`` says.

        Raises:
            UnsupportedError: ``filter`` is given.
        """
        _refuse_later("filter", filter)
        await self._engine.checkpoint()
        return self._native.count()

    async def search(
        self,
        vector: VectorInput,
        *,
        limit: int = 10,
        offset: int = 0,
        using: str = "",
        filter: object = None,
        params: SearchParams | None = None,
        score_threshold: float | None = None,
        with_payload: bool | object = False,
        with_vectors: bool | Sequence[str] = False,
    ) -> list[ScoredPoint]:
        """Finds the points nearest to a vector.

        Args:
            vector: (dim,) finite numbers; a float32 array costs nothing to pass.
            limit: How many points, at least 1.
            offset: How many of the best to leave out.
            using: The vector's name; "" for the unnamed one.
            filter: Not supported yet.
            params: How to search; None leaves it to the engine.
            score_threshold: Leave out what is worse.
            with_payload: Not supported yet, must be False.
            with_vectors: Whether to return vectors, or the names of those to return.

        Returns:
            Points that have the vector, best first, ties by id. Scores are those of the stored
            vectors, unless ``params`` turns rescoring off.

        Raises:
            InvalidArgumentError: The vector, a name or a number is wrong.
            DimensionMismatchError: The vector has the wrong number of dimensions.
            UnsupportedError: ``filter``, payload or ``indexed_only`` is asked for.
            CorruptionError: A row that was needed is damaged on disk.
            StorageIOError: A row that was needed could not be read.

        Cancellation: the search's result is dropped; nothing is left behind.
        """
        _refuse_later("filter", filter)
        if with_payload:
            _refuse_later("with_payload", with_payload)
        check_limit(limit)
        check_offset(offset)
        threshold = check_threshold(score_threshold)
        plan = SearchPlan.of(params)
        field = find_field(self._fields, using)
        wanted = self._wanted(with_vectors) if with_vectors else ()
        query = await query_vector(vector, field)
        engine = self._engine
        rows = await engine.call(
            engine.reads,
            lambda: engine.native.submit_search(
                self._native,
                field.number,
                query,
                limit=self._cut(limit),
                offset=self._cut(offset),
                oversampling=plan.oversampling,
                rescore=plan.rescore,
                ignore_codes=plan.ignore_codes,
                exact=plan.exact,
                score_threshold=threshold,
                with_fields=[wanted_field.number for wanted_field in wanted],
            ),
        )
        return await scored_points(cast("Rows", rows), wanted, is_unnamed=self._is_unnamed)

    async def search_batch(
        self,
        vectors: object,
        *,
        limit: int = 10,
        using: str = "",
        filter: object = None,
        params: SearchParams | None = None,
    ) -> SearchBatch:
        """Does many searches at once; a row that several of them want is read once.

        Args:
            vectors: (q, dim) float32, finite; other numbers are converted.
            limit: How many points for each, 1 to 1,048,576.
            using: As in :meth:`search`.
            filter: Not supported yet.
            params: As in :meth:`search`.

        Returns:
            Arrays of q rows; each row is what the single search gives, bit by bit.

        Raises:
            InvalidArgumentError: A vector, a name or a number is wrong, or there is no vector.
            DimensionMismatchError: The vectors have the wrong number of dimensions.
            UnsupportedError: ``filter`` or ``indexed_only`` is asked for.
            CorruptionError: A row that was needed is damaged on disk.
            StorageIOError: A row that was needed could not be read.

        Cancellation: as in :meth:`search`.
        """
        _refuse_later("filter", filter)
        check_limit(limit, CANDIDATES_MAX)
        plan = SearchPlan.of(params)
        field = find_field(self._fields, using)
        queries = await query_matrix(vectors, field)
        engine = self._engine
        batch = await engine.call(
            engine.reads,
            lambda: engine.native.submit_search_batch(
                self._native,
                field.number,
                queries,
                limit=limit,
                oversampling=plan.oversampling,
                rescore=plan.rescore,
                ignore_codes=plan.ignore_codes,
                exact=plan.exact,
            ),
        )
        return search_batch_of(cast("NativeBatch", batch))

    async def optimize(self, *, progress: Progress | None = None) -> None:
        """Seals, merges and vacuums segments until nothing is left to do.

        Searches and writes go on meanwhile.

        Args:
            progress: Called with (done, total, what), about ten times a second and at the end,
                where done equals total. What it raises is raised here.

        Raises:
            StorageIOError: The disk is full or fails.

        Cancellation: the optimizer goes on in the background.
        """
        native = self._engine.native
        pending = await self._engine.begin(
            self._engine.writes, lambda: native.submit_optimize(self._native)
        )
        await result_with_progress(
            pending, progress, "optimize", lambda: self.statistics().optimizer
        )

    async def prewarm(
        self, *, budget_bytes: int | None = None, progress: Progress | None = None
    ) -> int:
        """Brings originals into the page cache.

        Args:
            budget_bytes: At most so many; None means all.
            progress: As in :meth:`optimize`.

        Returns:
            How many bytes were brought in.

        Raises:
            InvalidArgumentError: The budget is below 1.
            StorageIOError: The disk fails.

        Cancellation: what has been begun goes on in the background.
        """
        if budget_bytes is not None:
            check_number(budget_bytes, Bounds(1), "budget_bytes")
        native = self._engine.native
        pending = await self._engine.begin(
            self._engine.reads, lambda: native.submit_prewarm(self._native, budget_bytes or 0)
        )
        warmed = await result_with_progress(
            pending, progress, "prewarm", lambda: self.statistics().prewarm
        )
        return cast(int, warmed)

    async def check(self) -> list[Finding]:
        """Reads all files of the collection and verifies every checksum.

        Returns:
            What was found; nothing when all is well.

        Raises:
            StorageIOError: The disk fails.

        Cancellation: the check goes on in the background, its result is dropped.
        """
        native = self._engine.native
        found = await self._engine.call(
            self._engine.reads, lambda: native.submit_check(self._native)
        )
        return [
            Finding(severity=Severity(severity), file=file, offset_bytes=offset_bytes, text=text)
            for severity, file, offset_bytes, text in cast("list[tuple[str, str, int, str]]", found)
        ]

    async def info(self) -> CollectionInfo:
        """State and settings; what was set is given back as it was given."""
        await self._engine.checkpoint()
        return collection_info(
            self.statistics(), self._settings, self._engine.config.storage.optimizers
        )

    def statistics(self) -> CollectionStatistics:
        """What the collection holds, in memory and on disk."""
        self._engine.check_open()
        return msgspec.convert(self._native.statistics(), CollectionStatistics)

    async def _write(self, batch: Batch, pace: Pace, *, wait: bool) -> UpdateResult:
        """Hands a batch over chunk by chunk, several at once; all of it is checked before."""
        engine, native = self._engine, self._engine.native
        if len(batch) > batch.chunk_points:
            await batch.check_numbers(pace)
            for matrix in batch.unchecked_float32():
                await engine.call(engine.reads, partial(native.submit_check_vectors, matrix))
        async with WriteWindow(engine) as window:
            for start in range(0, len(batch), batch.chunk_points):
                await window.make_room()
                chunk = await batch.chunk(start, pace)
                window.add(
                    partial(
                        native.submit_upsert, self._native, chunk.ids, chunk.vectors, chunk.present
                    )
                )
            operation_id = await window.finish()
        return _update_result(operation_id, wait)

    def _wanted(self, with_vectors: object) -> list[VectorField]:
        """The fields whose vectors are asked for."""
        if isinstance(with_vectors, bool):
            return list(self._fields.values()) if with_vectors else []
        if isinstance(with_vectors, str | bytes) or not isinstance(with_vectors, Sequence):
            raise InvalidArgumentError(
                f"with_vectors: must be a bool or a list of names, got {with_vectors!r}"
            )
        return [find_field(self._fields, name) for name in with_vectors]

    def _cut(self, limit: int) -> int:
        """A limit above the number of points asks for all of them, and must not reserve more."""
        return limit if limit <= _LIMIT_UNCUT_MAX else min(limit, self._native.count() + 1)


def _update_result(operation_id: int, wait: bool) -> UpdateResult:
    status = UpdateStatus.COMPLETED if wait else UpdateStatus.ACKNOWLEDGED
    return UpdateResult(operation_id=operation_id, status=status)


def _refuse_later(name: str, value: object) -> None:
    """Refuses an argument of the contract that has no effect yet."""
    if value is not None:
        _refuse(name)


def _refuse_payload_selector(with_payload: object) -> None:
    """A selection of payload would be ignored; yes and no come to the same while there is none."""
    if not isinstance(with_payload, bool):
        _refuse("with_payload: a selection of fields")


def _refuse(what: str) -> NoReturn:
    raise UnsupportedError(f"{what} is not supported yet")
