"""The reads of a collection: by id, page by page, by nearness."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from asyncstore.engine import CANDIDATES_MAX
from asyncstore.errors import InvalidArgumentError
from asyncstore.filter import lower_reading
from asyncstore.handle import Handle
from asyncstore.ids import LIST_IDS_MAX, Ids, IdsInput, point_id, point_ids
from asyncstore.models import (
    FacetHit,
    FilterInput,
    MultiVectorInput,
    OrderByInput,
    PointId,
    PointIdInput,
    Record,
    ScoredPoint,
    SearchBatch,
    SearchParams,
    SparseVectorInput,
    WithPayload,
)
from asyncstore.multivectors import (
    MultivectorArrays,
    multivector_queries,
    multivector_query,
)
from asyncstore.names import check_name
from asyncstore.pace import Long, Pace, listed, slices
from asyncstore.payload import PayloadSelection, check_path, payload_selection
from asyncstore.query import Order
from asyncstore.rows import (
    Contents,
    PointVectors,
    distinct,
    in_order,
    records,
    scored_points,
    search_batch_of,
    unscored_points,
)
from asyncstore.search_plan import SearchPlan, check_limit, check_offset, check_threshold
from asyncstore.sparse import SparseArrays, sparse_queries, sparse_query
from asyncstore.vectors import (
    AnyField,
    Matrix,
    MultivectorField,
    SparseField,
    VectorField,
    find_field,
    query_matrix,
    query_vector,
)

if TYPE_CHECKING:
    from asyncstore.engine import Batch as NativeBatch
    from asyncstore.engine import NativeFilter, Rows, ScrollPage, ValueCounts

# Limits above this are cut to the number of points, so that a huge one reserves no memory.
_LIMIT_UNCUT_MAX = 1 << 16
_LIMIT_MAX = 2**64 - 1  # that the core takes
# Points read by one native job, so that taking over its result is no long work for the event loop;
# payloads are objects to be made and bytes to be copied.
_PAGE_ROWS = 4096
_PAGE_ROWS_WITH_PAYLOAD = 1024


class Reads(Handle):
    """The calls that change nothing."""

    async def retrieve(
        self,
        ids: IdsInput,
        *,
        with_payload: WithPayload = True,
        with_vectors: bool | Sequence[str] = False,
    ) -> list[Record]:
        """Reads points by their ids.

        Args:
            ids: The ids; an id given twice is returned twice.
            with_payload: Whether to read the payload; or a list of JSON paths (``a.b``, ``a[].b``,
                ``a[0].b``, ``"quoted.key"``), of which only what they name is returned; or a
                ``PayloadSelectorInclude`` or ``PayloadSelectorExclude`` of paths.
            with_vectors: Whether to read vectors, or the names of those to read.

        Returns:
            The records in the order asked; ids that are not there are left out. Vectors are as they
            are stored: normalised with cosine, rounded with float16 and uint8.

        Raises:
            InvalidArgumentError: An id or a path is wrong, or a vector's name is unknown.
            CorruptionError: A value that was needed is damaged on disk.
            StorageIOError: A value that was needed could not be read.
        """
        contents = Contents(self._wanted(with_vectors), payload_selection(with_payload))
        checked_ids = await point_ids(ids, Pace())
        if len(checked_ids) == 0:
            await self._engine.checkpoint()
            return []
        return await self._records(checked_ids, contents)

    async def scroll(
        self,
        *,
        filter: FilterInput | None = None,
        limit: int = 10,
        offset: PointIdInput | None = None,
        order_by: OrderByInput | None = None,
        with_payload: WithPayload = True,
        with_vectors: bool | Sequence[str] = False,
    ) -> tuple[list[Record], PointId | None]:
        """Reads points page by page: integers ascending, then UUIDs ascending.

        Args:
            filter: What points must be like; None: any. A ``Filter`` or the dict that one is in
                JSON.
            limit: Points of a page, at least 1.
            offset: The first id wanted, as the last page's call returned it.
            order_by: The JSON path of a field with an index of numbers or datetimes, or an
                ``OrderBy``: points by its values, once for each, with ``order_value``; then there
                is no next id, and ``start_from`` goes on.
            with_payload: As in :meth:`retrieve`.
            with_vectors: As in :meth:`retrieve`.

        Returns:
            The page, and the first id of the next one or None.

        Raises:
            InvalidArgumentError: The filter, the limit, the offset, a path or a vector's name is
                wrong; or there is no index for ``order_by``, or it is given with an offset.
            CorruptionError: A value that was needed is damaged on disk.
            StorageIOError: A value that was needed could not be read.

        Example:
            >>> async def all_ids(collection):
            ...     ids, offset = [], None
            ...     while True:
            ...         page, offset = await collection.scroll(limit=1000, offset=offset)
            ...         ids += [record.id for record in page]
            ...         if offset is None:
            ...             return ids
        """
        selection = payload_selection(with_payload)
        check_limit(limit)
        first = None if offset is None else point_id(offset, "offset")
        contents = Contents(self._wanted(with_vectors), selection)
        lowered = await lower_reading(filter, self._fields, Pace())
        if order_by is not None:
            if first is not None:
                raise InvalidArgumentError("offset: cannot be used with order_by; use start_from")
            order = Order.of(order_by, "order_by")
            return await self._ordered_records(order, lowered, limit, contents), None
        engine, native = self._engine, self._engine.native
        found: list[Record] = []
        while True:
            page_limit = min(limit - len(found), _page_rows(selection))
            submit = partial(
                native.submit_scroll,
                self._native,
                first,
                page_limit,
                contents.fields,
                contents.payload,
                filter=lowered,
            )
            rows, first = cast("ScrollPage", await engine.call(engine.reads, submit))
            found += await records(rows, contents.vectors, is_unnamed=self._is_unnamed)
            if first is None or len(found) >= limit:
                return found, first

    async def _ordered_records(
        self, order: Order, filter: NativeFilter | None, limit: int, contents: Contents
    ) -> list[Record]:
        ids, values = await self._in_order(order, filter, limit)
        found: dict[PointId, Record] = {}
        async for rows in self._pages(await distinct(ids), contents):
            page = await records(rows, contents.vectors, is_unnamed=self._is_unnamed)
            found.update((one.id, one) for one in page)
        return await in_order(found, ids, values)

    async def facet(
        self,
        key: str,
        *,
        limit: int = 10,
        filter: FilterInput | None = None,
        exact: bool = False,
    ) -> list[FacetHit]:
        """The values of a payload field that most points have.

        Args:
            key: The JSON path of a field with an index of keywords, integers, uuids or booleans.
            limit: How many values, at least 1.
            filter: What points must be like; None: any.
            exact: Counts are exact in any case.

        Returns:
            Values and how many points have them, the greatest counts first, equal ones by value.

        Raises:
            InvalidArgumentError: The path, the limit or the filter is wrong, or there is no index.
            CorruptionError: A payload that was needed is damaged on disk.
            StorageIOError: A payload that was needed could not be read.
        """
        check_path(key, "key")
        check_limit(limit)
        lowered = await lower_reading(filter, self._fields, Pace())
        submit = partial(
            self._engine.native.submit_facet, self._native, lowered, key, min(limit, _LIMIT_MAX)
        )
        found = cast("ValueCounts", await self._engine.call(self._engine.reads, submit))
        pace = Pace()
        hits: list[FacetHit] = []
        async for part in slices(found, pace):
            hits += [FacetHit(value=value, count=count) for value, count in part]
        return hits

    async def count(self, *, filter: FilterInput | None = None, exact: bool = True) -> int:
        """The number of points that match a filter, or of all.

        Args:
            filter: As in :meth:`scroll`.
            exact: False: an estimate will do, from 0 to the number of all points.

        Raises:
            InvalidArgumentError: The filter is wrong.
            CorruptionError: A payload that was needed is damaged on disk.
            StorageIOError: A payload that was needed could not be read.

        Example:
            >>> async def count_cheap(collection):
            ...     cheap = m.FieldCondition(key="price", range=m.Range(lt=10))
            ...     return await collection.count(filter=m.Filter(must=[cheap]))
        """
        lowered = await lower_reading(filter, self._fields, Pace())
        if lowered is None:
            await self._engine.checkpoint()
            return self._native.count()
        return await self._count(lowered, exact=bool(exact))

    async def search(
        self,
        vector: MultiVectorInput | SparseVectorInput,
        *,
        limit: int = 10,
        offset: int = 0,
        using: str = "",
        filter: FilterInput | None = None,
        params: SearchParams | None = None,
        score_threshold: float | None = None,
        with_payload: WithPayload = False,
        with_vectors: bool | Sequence[str] = False,
    ) -> list[ScoredPoint]:
        """Finds the points nearest to a vector.

        Args:
            vector: (dim,) finite numbers; a float32 array costs nothing to pass. Of a sparse
                vector a ``SparseVector`` or the dict of one: the score is the sum of the products
                at indices that both have, and points without any are not found. Of a multivector
                (rows, dim), or one row: the score is the sum, over its rows, of how near the
                nearest row of the point is.
            limit: How many points, at least 1.
            offset: How many of the best to leave out.
            using: The vector's name; "" for the unnamed one.
            filter: As in :meth:`scroll`; points that do not match are not found.
            params: How to search; None leaves it to the engine.
            score_threshold: Leave out what is worse.
            with_payload: As in :meth:`retrieve`.
            with_vectors: Whether to return vectors, or the names of those to return.

        Returns:
            Points that have the vector, best first, ties by id. Scores are those of the stored
            vectors, unless ``params`` turns rescoring off.

        Raises:
            InvalidArgumentError: The vector, the filter, a name, a path or a number is wrong.
            DimensionMismatchError: The vector has the wrong number of dimensions.
            UnsupportedError: ``indexed_only`` is asked for.
            CorruptionError: A row or value that was needed is damaged on disk.
            StorageIOError: A row or value that was needed could not be read.

        Cancellation: the search's result is dropped; nothing is left behind.
        """
        selection = payload_selection(with_payload)
        check_limit(limit)
        check_offset(offset)
        threshold = check_threshold(score_threshold)
        plan = SearchPlan.of(params)
        field = find_field(self._fields, using, "using")
        contents = Contents(self._wanted(with_vectors), selection)
        lowered = None if filter is None else await lower_reading(filter, self._fields, Pace())
        query: Matrix | SparseArrays | MultivectorArrays
        match field:
            case VectorField():
                query = await query_vector(vector, field)
            case SparseField():
                query = await sparse_query(vector)
            case MultivectorField():
                query = await multivector_query(vector, field)
        submit = self._nearest(
            field,
            query,
            plan,
            limit=limit,
            offset=offset,
            threshold=threshold,
            filter=lowered,
            contents=contents,
        )
        rows = cast("Rows", await self._engine.call(self._engine.reads, submit))
        return await scored_points(rows, contents.vectors, is_unnamed=self._is_unnamed)

    async def search_batch(
        self,
        vectors: object,
        *,
        limit: int = 10,
        using: str = "",
        filter: FilterInput | None = None,
        params: SearchParams | None = None,
    ) -> SearchBatch:
        """Does many searches at once; a row that several of them want is read once.

        Args:
            vectors: (q, dim) float32, finite; other numbers are converted. Of a sparse vector a
                sequence of ``SparseVector``, or a matrix in SciPy's CSR form. Of a multivector a
                sequence of them, or an array (q, rows, dim).
            limit: How many points for each, 1 to 1,048,576.
            using: As in :meth:`search`.
            filter: As in :meth:`scroll`; points that do not match are not found.
            params: As in :meth:`search`.

        Returns:
            Arrays of q rows; each row is what the single search gives, bit by bit.

        Raises:
            InvalidArgumentError: A vector, the filter, a name or a number is wrong, or there is no
                vector.
            DimensionMismatchError: The vectors have the wrong number of dimensions.
            UnsupportedError: ``indexed_only`` is asked for.
            CorruptionError: A row that was needed is damaged on disk.
            StorageIOError: A row that was needed could not be read.

        Cancellation: as in :meth:`search`.
        """
        check_limit(limit, CANDIDATES_MAX)
        plan = SearchPlan.of(params)
        field = find_field(self._fields, using, "using")
        lowered = await lower_reading(filter, self._fields, Pace())
        native = self._engine.native
        submit: Callable[..., int]
        match field:
            case SparseField():
                submit = partial(
                    native.submit_search_sparse_batch,
                    self._native,
                    field.number,
                    await sparse_queries(vectors, field),
                    idf=field.idf,
                )
            case MultivectorField():
                submit = partial(
                    native.submit_search_multivector_batch,
                    self._native,
                    field.number,
                    await multivector_queries(vectors, field),
                    **plan.code_arguments,
                )
            case _:
                submit = partial(
                    native.submit_search_batch,
                    self._native,
                    field.number,
                    await query_matrix(vectors, field),
                    **plan.arguments,
                )
        batch = await self._engine.call(
            self._engine.reads, partial(submit, limit=limit, filter=lowered)
        )
        return await search_batch_of(cast("NativeBatch", batch))

    async def _count(self, filter: NativeFilter, *, exact: bool = True) -> int:
        """How many points pass."""
        engine = self._engine
        submit = partial(engine.native.submit_count, self._native, filter, exact)
        return cast(int, await engine.call(engine.reads, submit))

    def _nearest(
        self,
        field: AnyField,
        examples: Matrix | SparseArrays | MultivectorArrays,
        plan: SearchPlan,
        *,
        limit: int,
        offset: int,
        threshold: float | None,
        filter: NativeFilter | None,
        contents: Contents,
        score: tuple[str, int] | None = None,
        excluded: list[PointId] | None = None,
    ) -> Callable[..., int]:
        """A search by similarity to a vector or to several, which the core takes as they are."""
        native = self._engine.native
        search: Callable[..., int]
        match field:
            case SparseField():
                search = partial(native.submit_search_sparse, idf=field.idf, score=score)
            case MultivectorField():
                search = partial(
                    native.submit_search_multivector, **plan.code_arguments, score=score
                )
            case _:
                search = partial(native.submit_search, **plan.arguments, score=score)
        return partial(
            search,
            self._native,
            field.number,
            examples,
            limit=self._cut(limit),
            offset=self._cut(offset),
            score_threshold=threshold,
            with_fields=contents.fields,
            with_payload=contents.payload,
            filter=filter,
            excluded=excluded or None,
        )

    async def _records(self, ids: Ids, contents: Contents) -> list[Record]:
        """The points with these ids, which were checked; not those that are not there."""
        return [
            record
            async for rows in self._pages(ids, contents)
            for record in await records(rows, contents.vectors, is_unnamed=self._is_unnamed)
        ]

    async def _points(self, ids: Ids, contents: Contents) -> dict[PointId, ScoredPoint]:
        """The same by their ids, with their versions; their scores are 0."""
        return {
            point.id: point
            async for rows in self._pages(ids, contents)
            for point in await unscored_points(rows, contents.vectors, is_unnamed=self._is_unnamed)
        }

    async def _pages(self, ids: Ids, contents: Contents) -> AsyncIterator[Rows]:
        engine, native = self._engine, self._engine.native
        page_rows = _page_rows(contents.payload)
        if isinstance(ids, list):
            page_rows = min(page_rows, LIST_IDS_MAX)
        for start in range(0, len(ids), page_rows):
            part = ids[start : start + page_rows]
            submit = partial(
                native.submit_retrieve, self._native, part, contents.fields, contents.payload
            )
            yield cast("Rows", await engine.call(engine.reads, submit))

    async def _in_order(
        self, order: Order, filter: NativeFilter | None, limit: int, skip: int = 0
    ) -> tuple[list[PointId], list[int | float]]:
        """Ids by the values of a field, with the values."""
        submit = partial(
            self._engine.native.submit_order,
            self._native,
            filter,
            order.key,
            order.is_descending,
            order.start_from,
            order.from_is_datetime,
            min(skip, _LIMIT_MAX),
            min(limit, _LIMIT_MAX),
        )
        found = await self._engine.call(self._engine.reads, submit)
        ids, values = cast("tuple[Long[PointId], Long[int | float]]", found)
        pace = Pace()
        return await listed(ids, pace), await listed(values, pace)

    async def _vectors_of(self, field: AnyField, ids: Sequence[PointId]) -> dict[PointId, Any]:
        """A vector of some points by their ids; None for those that lack it.

        A dense vector is an array, a sparse one indices and values, a multivector its rows.
        """
        found, (present, numbers, *parts) = await self._read_vectors(field, ids)
        if isinstance(field, VectorField):
            return {
                point: numbers[row] if present[row] else None for row, point in enumerate(found)
            }
        offsets = numbers
        cuts = [slice(int(offsets[row]), int(offsets[row + 1])) for row in range(len(found))]
        own = [tuple(part[cut] for part in parts) for cut in cuts]
        is_sparse = isinstance(field, SparseField)
        return {
            point: (one if is_sparse else one[0]) if is_there else None
            for point, one, is_there in zip(found, own, present, strict=True)
        }

    async def _read_vectors(
        self, field: AnyField, ids: Sequence[PointId]
    ) -> tuple[list[PointId], PointVectors]:
        """The points there are of some, in their order, and their vectors as arrays."""
        engine = self._engine
        submit = partial(
            engine.native.submit_retrieve, self._native, list(ids), [field.number], False
        )
        found, _, _, vectors, _ = cast("Rows", await engine.call(engine.reads, submit))
        return await listed(found, Pace()), vectors[field.number]

    def _sibling(self, name: object) -> Reads:
        """Another collection of the store, or this one."""
        check_name(name)
        native = self._find_other(str(name))
        return type(self)(self._engine, native, self._find_other, self._owner)

    def _wanted(self, with_vectors: object) -> list[AnyField]:
        """The fields whose vectors are asked for."""
        if isinstance(with_vectors, bool):
            return list(self._fields.values()) if with_vectors else []
        if isinstance(with_vectors, str | bytes) or not isinstance(with_vectors, Sequence):
            raise InvalidArgumentError(
                f"with_vectors: must be a bool or a list of names, got {with_vectors!r}"
            )
        return [
            find_field(self._fields, name, f"with_vectors[{place}]")
            for place, name in enumerate(with_vectors)
        ]

    def _cut(self, limit: int) -> int:
        """A limit above the number of points asks for all of them, and must not reserve more."""
        return limit if limit <= _LIMIT_UNCUT_MAX else min(limit, self._native.count() + 1)


def _page_rows(selection: PayloadSelection) -> int:
    return _PAGE_ROWS if selection is False else _PAGE_ROWS_WITH_PAYLOAD
