"""A stand-in for ``asyncstore._native``: the same interface, points in a dict, one thread.

For tests of the Python side that need a core they can stop: ``Engine.hold()`` leaves every job in
the inbox until ``release()``; ``inbox_max`` makes it full; ``fail_next`` makes a job fail.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import numpy as np

PointId = int | str
Filter = tuple[Any, ...]

WRITE_POINTS_MAX = 1 << 16
WRITE_BYTES_MAX = 8 << 20
DIM_MAX = 65536
CANDIDATES_MAX = 1 << 20
FORMAT_VERSION = 1


class LongConditions(list[Any]):
    def reserve(self, count: int) -> None:
        """Nothing."""


class LongValues(LongConditions):
    pass


class LongIds(LongConditions):
    pass


class LongFilter(Filter):
    def __new__(cls, filter: Filter) -> LongFilter:
        return super().__new__(cls, filter)


def available_memory_bytes() -> int:
    return 8 << 30


def isa() -> str:
    return "fake"


def parse_point_id(id: PointId) -> PointId:
    if isinstance(id, int):
        if 0 <= id < 1 << 64:
            return id
        raise ValueError(f"{id} is out of range")
    return str(uuid.UUID(id))


def parse_datetime(text: str) -> int | None:
    """Knows what Python does."""
    try:
        known = datetime.fromisoformat(text)
    except ValueError:
        return None
    aware = known if known.tzinfo is not None else known.replace(tzinfo=UTC)
    return (aware - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def check_path(path: str) -> int:
    """Knows keys alone."""
    if not isinstance(path, str) or not all(path.split(".")):
        raise NativeError("invalid_argument", f"{path!r} is not a JSON path: a key is missing.")
    return path.count(".") + 1


def check_payload(text: bytes) -> None:
    value = json.loads(text)
    depth, level = 0, [value]
    while level:
        depth += 1
        level = [
            child
            for parent in level
            if isinstance(parent, dict | list)
            for child in (parent.values() if isinstance(parent, dict) else parent)
        ]
    if not isinstance(value, dict) or depth > 65 or len(text) > 16 << 20:
        raise NativeError("invalid_argument", "The payload is no object, too deep or too large.")


class NativeError(Exception):
    def __init__(
        self, code: str, message: str, file: str = "", offset_bytes: int = 0, os_errno: int = 0
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.file = file
        self.offset_bytes = offset_bytes
        self.os_errno = os_errno


class Field:
    def __init__(self, **settings: Any) -> None:
        self.__dict__.update(settings)


class OptimizerOverrides:
    def __init__(self, **settings: float) -> None:
        assert all(value is not None for value in settings.values())


class Collection:
    def __init__(self, name: str, config: bytes, fields: list[Field]) -> None:
        self.name = name
        self.config = config
        self.config_version = 0
        self.fields = fields
        self.points: dict[PointId, dict[int, np.ndarray]] = {}
        self.payloads: dict[PointId, dict[str, Any]] = {}
        self.versions: dict[PointId, int] = {}
        self.operation_id = 0
        self.deleted = False
        self.progress: dict[str, object] = {"state": "idle", "done": 0, "total": 0, "what": ""}
        self.writes: list[int] = []  # points of each native write, in order

    def indexes(self) -> list[tuple[str, str, bytes, int | None]]:
        return []

    def count(self) -> int:
        return len(self.points)

    def statistics(self) -> dict[str, object]:
        return {
            "points": len(self.points),
            "segments": 1,
            "rows_deleted": 0,
            "appendable_rows": len(self.points),
            "indexed_vectors": 0,
            "ram_bytes": {"codes": 0, "graph": 0, "ids": 0, "payload": 0, "fields": 0, "caches": 0},
            "disk_bytes": {
                "vectors": 0,
                "codes": 0,
                "rows": 0,
                "points": 0,
                "payload": 0,
                "wal": 0,
            },
            "optimizer": self.progress,
            "prewarm": self.progress,
            "indexing": {"state": "idle", "done": 0, "total": 0, "what": ""},
            "wal_bytes": 0,
            "operation_id": self.operation_id,
            "rebuilt": [],
        }


class Opening:
    def progress(self) -> dict[str, int]:
        names = "collections collections_opened log_bytes log_bytes_replayed"
        return dict.fromkeys(names.split(), 0)

    def stop(self) -> None:
        """Nothing."""


class Engine:
    opened: ClassVar[list[Engine]] = []  # every engine since a test cleared the list
    open_error: ClassVar[NativeError | None] = None  # what the next open raises

    def __init__(self, path: str, options: dict[str, object]) -> None:
        self.path = path
        self.options = options
        self.inbox_max = 1 << 12
        self.taken: list[str] = []  # jobs in the order they were submitted
        self.drain_error: Exception | None = None
        self.dropped: list[int] = []
        self._fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._collections: dict[str, Collection] = {}
        self._inbox: deque[tuple[int, Callable[[], object]]] = deque()
        self._done: deque[tuple[int, object]] = deque()
        self._wake = threading.Condition()
        self._held = False
        self._closing = False
        self._ticket = 0
        self._failure: NativeError | None = None
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    @staticmethod
    def open(path: str, **options: object) -> Engine:
        if Engine.open_error is not None:
            error, Engine.open_error = Engine.open_error, None
            raise error
        engine = Engine(path, options)
        Engine.opened.append(engine)
        return engine

    # ---- what tests do ------------------------------------------------------------------------

    def hold(self) -> None:
        with self._wake:
            self._held = True

    def release(self) -> None:
        with self._wake:
            self._held = False
            self._wake.notify()

    def fail_next(self, error: NativeError) -> None:
        self._failure = error

    @property
    def waiting(self) -> int:
        """Jobs in the inbox."""
        return len(self._inbox)

    @property
    def is_closed(self) -> bool:
        return self._closing

    # ---- the interface ------------------------------------------------------------------------

    def close(self) -> None:
        if self._closing:
            return
        with self._wake:
            self._closing = True
            for ticket, _ in self._inbox:
                self._complete(ticket, NativeError("closed", "the store is closed"))
            self._inbox.clear()
            self._wake.notify()
        self._thread.join()

    def event_fd(self) -> int:
        return self._fd

    def drain(self) -> list[tuple[int, object]]:
        if self.drain_error is not None:
            raise self.drain_error
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._fd)
        completions = []
        while self._done:
            ticket, value = self._done.popleft()
            if ticket not in self.dropped:
                completions.append((ticket, value))
        return completions

    def drop(self, ticket: int) -> None:
        self.dropped.append(ticket)

    def collections(self) -> list[Collection]:
        return list(self._collections.values())

    def broken_collections(self) -> list[tuple[str, NativeError]]:
        return [("broken", NativeError("corruption", "manifest of 'broken' is damaged", "/m", 8))]

    def aliases(self) -> dict[str, str]:
        return {}

    def statistics(self) -> dict[str, object]:
        names = (
            "workers searches candidates rows_rescored rows_skipped reads_submitted read_bytes "
            "reads_retried cache_hits cache_bytes inflight_max tasks_waiting tasks_running"
        )
        return {
            "reader": "mmap",
            "reader_reason": "fake",
            "direct_io": False,
            "search_stages": {},
            **dict.fromkeys(names.split(), 0),
        }

    def submit_create_collection(
        self,
        name: str,
        config: bytes,
        fields: list[Field],
        sparse: list[str],
        multivectors: list[Field],
        optimizers: OptimizerOverrides,
        log_file_bytes: int,
    ) -> int:
        assert not sparse
        assert not multivectors

        def create() -> Collection:
            if name in self._collections:
                raise NativeError("already_exists", f"Collection `{name}` already exists!")
            self._collections[name] = Collection(name, config, fields)
            return self._collections[name]

        return self._submit("create", create)

    def submit_delete_collection(self, name: str) -> int:
        def delete() -> bool:
            collection = self._collections.pop(name, None)
            if collection is not None:
                collection.deleted = True
            return collection is not None

        return self._submit("delete_collection", delete)

    def submit_check_vectors(self, vectors: np.ndarray) -> int:
        _assert_matrix(vectors)

        def check() -> None:
            _check_finite(vectors)

        return self._submit("check", check)

    def submit_upsert(
        self,
        collection: Collection,
        ids: Sequence[PointId] | np.ndarray,
        vectors: dict[int, np.ndarray],
        present: dict[int, np.ndarray],
        payloads: list[bytes | None] | None = None,
        mode: str = "upsert",
        update_filter: Filter | None = None,
    ) -> int:
        assert payloads is None or len(payloads) == len(ids)
        assert mode == "upsert"
        for matrix in vectors.values():
            _assert_matrix(matrix)
            assert len(matrix) == len(ids)
        for mask in present.values():
            assert mask.dtype == np.bool_
            assert len(mask) == len(ids)
        assert 0 < len(ids) <= WRITE_POINTS_MAX
        assert sum(matrix.nbytes for matrix in vectors.values()) <= WRITE_BYTES_MAX

        def upsert() -> int:
            self._check(collection)
            for matrix in vectors.values():
                _check_finite(matrix)
            collection.operation_id += 1
            collection.writes.append(len(ids))
            for row, point_id in enumerate(_ids(ids)):
                if point_id in collection.points and not _passes(
                    collection, point_id, update_filter
                ):
                    continue
                collection.points[point_id] = {
                    number: matrix[row].copy()
                    for number, matrix in vectors.items()
                    if number not in present or present[number][row]
                }
                collection.payloads[point_id] = json.loads((payloads and payloads[row]) or b"{}")
                collection.versions[point_id] = collection.operation_id
            return collection.operation_id

        return self._submit("upsert", upsert)

    def submit_change_payload(
        self,
        collection: Collection,
        ids: Sequence[PointId] | np.ndarray,
        action: str,
        value: bytes | None,
        path: str | None,
        keys: list[str],
        update_filter: Filter | None = None,
    ) -> int:
        """Knows keys of the root alone."""
        assert path is None

        def change() -> int:
            self._check(collection)
            for point_id in _ids(ids):
                if point_id not in collection.points and update_filter is None:
                    raise NativeError("point_not_found", f"No point with id {point_id} found")
            collection.operation_id += 1
            collection.writes.append(len(ids))
            for point_id in _ids(ids):
                if not _passes(collection, point_id, update_filter):
                    continue
                before = collection.payloads[point_id] if action != "replace" else {}
                after = {**before, **json.loads(value or b"{}")}
                collection.payloads[point_id] = {
                    key: after[key] for key in after if key not in keys
                }
            return collection.operation_id

        return self._submit("change_payload", change)

    def submit_delete(
        self,
        collection: Collection,
        ids: Sequence[PointId] | np.ndarray,
        update_filter: Filter | None = None,
    ) -> int:
        def delete() -> int:
            self._check(collection)
            collection.operation_id += 1
            collection.writes.append(len(ids))
            for point_id in _ids(ids):
                if _passes(collection, point_id, update_filter):
                    collection.points.pop(point_id, None)
            return collection.operation_id

        return self._submit("delete", delete)

    def submit_retrieve(
        self,
        collection: Collection,
        ids: Sequence[PointId] | np.ndarray,
        with_fields: Sequence[int],
        with_payload: object,
    ) -> int:
        def retrieve() -> object:
            self._check(collection)
            found = [point_id for point_id in _ids(ids) if point_id in collection.points]
            return _rows(collection, found, [], with_fields, with_payload)

        return self._submit("retrieve", retrieve)

    def submit_scroll(
        self,
        collection: Collection,
        offset: PointId | None,
        limit: int,
        with_fields: Sequence[int],
        with_payload: object,
        filter: Filter | None = None,
    ) -> int:
        def scroll() -> object:
            self._check(collection)
            ordered = _matching(collection, filter)
            if offset is not None:
                ordered = [point_id for point_id in ordered if _order(point_id) >= _order(offset)]
            following = ordered[limit] if len(ordered) > limit else None
            return _rows(collection, ordered[:limit], [], with_fields, with_payload), following

        return self._submit("scroll", scroll)

    def submit_count(self, collection: Collection, filter: Filter, exact: bool) -> int:
        def count() -> int:
            self._check(collection)
            return len(_matching(collection, filter))

        return self._submit("count", count)

    def submit_matching_ids(self, collection: Collection, filter: Filter) -> int:
        def matching_ids() -> object:
            self._check(collection)
            found = _matching(collection, filter)
            return found if any(type(one) is str for one in found) else np.array(found, np.uint64)

        return self._submit("matching_ids", matching_ids)

    def submit_search(
        self,
        collection: Collection,
        field: int,
        query: np.ndarray,
        *,
        limit: int,
        offset: int,
        with_fields: Sequence[int],
        with_payload: object,
        score_threshold: float | None,
        filter: Filter | None = None,
        **how: object,
    ) -> int:
        query = query.copy()

        def search() -> object:
            self._check(collection)
            ids, scores = _nearest(collection, field, query, offset + limit, filter)
            return _rows(collection, ids[offset:], scores[offset:], with_fields, with_payload)

        return self._submit("search", search)

    def submit_search_batch(
        self,
        collection: Collection,
        field: int,
        queries: np.ndarray,
        *,
        limit: int,
        filter: Filter | None = None,
        **how: object,
    ) -> int:
        queries = queries.copy()

        def search() -> object:
            self._check(collection)
            ids: list[PointId] = []
            scores = np.full((len(queries), limit), np.nan, np.float32)
            counts = np.zeros(len(queries), np.int32)
            for row, query in enumerate(queries):
                found, found_scores = _nearest(collection, field, query, limit, filter)
                counts[row] = len(found)
                scores[row, : len(found)] = found_scores
                ids += [*found, *[0] * (limit - len(found))]
            if all(type(point_id) is not str for point_id in ids):
                return np.array(ids, np.uint64).reshape(-1, limit), scores, counts
            return ids, scores, counts

        return self._submit("search_batch", search)

    def submit_optimize(self, collection: Collection) -> int:
        return self._submit("optimize", lambda: None)

    def submit_prewarm(self, collection: Collection, budget_bytes: int) -> int:
        return self._submit("prewarm", lambda: budget_bytes)

    def submit_check(self, collection: Collection, repair: bool) -> int:
        return self._submit("check_files", list)

    # ---- inside -------------------------------------------------------------------------------

    def _submit(self, what: str, job: Callable[[], object]) -> int:
        with self._wake:
            if self._closing:
                raise NativeError("closed", "the store is closed")
            if len(self._inbox) >= self.inbox_max:
                return 0
            self._ticket += 1
            self.taken.append(what)
            self._inbox.append((self._ticket, job))
            self._wake.notify()
            return self._ticket

    def _work(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._closing or (self._inbox and not self._held))
                if self._closing:
                    return
                ticket, job = self._inbox.popleft()
            try:
                if self._failure is not None:
                    failure, self._failure = self._failure, None
                    raise failure
                value = job()
            except NativeError as error:
                value = error
            self._complete(ticket, value)

    def _complete(self, ticket: int, value: object) -> None:
        self._done.append((ticket, value))
        os.eventfd_write(self._fd, 1)

    def _check(self, collection: Collection) -> None:
        if collection.deleted:
            raise NativeError(
                "collection_not_found", f"Collection `{collection.name}` doesn't exist!"
            )


def _assert_matrix(matrix: np.ndarray) -> None:
    assert matrix.dtype == np.float32
    assert matrix.flags.c_contiguous
    assert matrix.ndim == 2


def _check_finite(matrix: np.ndarray) -> None:
    finite = np.isfinite(matrix).all(axis=1)
    if not finite.all():
        row = int(np.argmin(finite))
        raise NativeError("invalid_argument", f"vector {row} has a number that is not finite")


def _ids(ids: Sequence[PointId] | np.ndarray) -> list[PointId]:
    return ids.tolist() if isinstance(ids, np.ndarray) else list(ids)


def _order(point_id: PointId) -> tuple[bool, PointId]:
    return isinstance(point_id, str), point_id


def _passes(collection: Collection, point_id: PointId, filter: Filter | None) -> bool:
    """Knows has_id, and integers and strings at keys of the root."""
    if point_id not in collection.points:
        return False
    if filter is None:
        return True
    must, should, must_not, min_should = filter
    assert min_should is None

    def holds(condition: tuple[Any, ...]) -> bool:
        if condition[0] == "has_id":
            return point_id in _ids(condition[1])
        kind, key, ((test, values),) = condition
        assert (kind, test) == ("field", "any")
        return collection.payloads[point_id].get(key) in values

    return (
        all(map(holds, must))
        and (not should or any(map(holds, should)))
        and not any(map(holds, must_not))
    )


def _matching(collection: Collection, filter: Filter | None) -> list[PointId]:
    ids = [one for one in collection.points if _passes(collection, one, filter)]
    return sorted(ids, key=_order)


def _nearest(
    collection: Collection, field: int, query: np.ndarray, limit: int, filter: Filter | None
) -> tuple[list[PointId], list[float]]:
    """By dot product; ties by id."""
    scored = [
        (-float(vectors[field] @ query), _order(point_id), point_id)
        for point_id, vectors in collection.points.items()
        if field in vectors and _passes(collection, point_id, filter)
    ]
    scored.sort(key=lambda entry: entry[:2])
    return [entry[2] for entry in scored[:limit]], [-entry[0] for entry in scored[:limit]]


def _rows(
    collection: Collection,
    ids: list[PointId],
    scores: list[float],
    with_fields: Sequence[int],
    with_payload: object,
) -> object:
    assert isinstance(with_payload, bool)
    payloads = [json.dumps(collection.payloads[point_id]).encode() for point_id in ids]
    vectors = {}
    for number in with_fields:
        present = np.array([number in collection.points[point_id] for point_id in ids], np.bool_)
        values = np.zeros((len(ids), collection.fields[number].dim), np.float32)
        for row, point_id in enumerate(ids):
            if present[row]:
                values[row] = collection.points[point_id][number]
        vectors[number] = (present, values)
    versions = [collection.versions[point_id] for point_id in ids]
    return ids, scores, versions, vectors, payloads if with_payload else None
