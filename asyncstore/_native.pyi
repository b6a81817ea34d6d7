"""The native core as Python sees it. Only ``asyncstore.engine`` imports this module.

Every ``submit_*`` call returns at once with a ticket, or 0 when the inbox is full (wait for the next
completion and try again). What a ticket came to is handed over by :meth:`Engine.drain`, after the
descriptor of :meth:`Engine.event_fd` became readable. Arrays given to a submit call are read by
native threads until the ticket completes; the engine holds a reference to them until then.
"""

from collections.abc import Sequence
from typing import Any, Generic, Self, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")
PointId: TypeAlias = int | str

# Of the n points of a write, by the number of the vector: dense (n, dim) float32 C-contiguous; sparse
# offsets (n + 1,) uint64, indices uint32 and values float32, as in a CSR matrix, indices ascending;
# multivectors offsets and rows (m, dim) float32.
VectorsOfPoints: TypeAlias = dict[int, NDArray[np.float32] | tuple[NDArray[Any], ...]]
# Sparse queries, likewise: query i is elements offsets[i] … offsets[i + 1] - 1.
SparseQueries: TypeAlias = tuple[NDArray[np.uint64], NDArray[np.uint32], NDArray[np.float32]]
# Multivectors likewise: query or example i is rows offsets[i] … offsets[i + 1] - 1.
MultivectorQueries: TypeAlias = tuple[NDArray[np.uint64], NDArray[np.float32]]
# Of the n points of a reply: dense (present (n,) bool, values (n, dim)); sparse (present, offsets
# (n + 1,), indices, values); multivectors (present, offsets, rows (m, dim)).
NativeVectors: TypeAlias = dict[int, tuple[NDArray[Any], ...]]

class NativeError(Exception):
    """An error of the core; ``asyncstore.engine`` turns it into one of ``asyncstore.errors``."""

    code: str  # "invalid_argument" | "dimension_mismatch" | "collection_not_found" | "point_not_found" |
    #            "already_exists" | "closed" | "failed" | "locked" | "corruption" | "io" | "unsupported"
    message: str
    file: str
    offset_bytes: int
    os_errno: int

class Field:
    """One named vector of a collection."""

    def __init__(
        self,
        *,
        name: str,
        dim: int,
        distance: str,  # "Cosine" | "Dot" | "Euclid" | "Manhattan"
        datatype: str,  # "float32" | "float16" | "uint8"
        quantization: str,  # "none" | "scalar_int8" | "product" | "binary" | "rabitq"
        quantile: float = 1.0,  # scalar_int8: 0.5 … 1
        bits: int = 4,  # rabitq: 1, 2, 4 or 8
        compression: int = 16,  # product: 4, 8, 16, 32 or 64
        encoding: str = "one_bit",  # binary: or "one_and_half_bits", "two_bits"
        query_encoding: str = "default",  # binary: or "binary", "scalar4bits", "scalar8bits"
        graph_m: int = 16,  # 0: no graph
        ef_construct: int = 100,
        graph_threads: int = 0,  # 0: one for each CPU
        full_scan_threshold_kb: int = 10000,
    ) -> None: ...
    @property
    def name(self) -> str: ...
    @property
    def dim(self) -> int: ...
    @property
    def distance(self) -> str: ...
    @property
    def datatype(self) -> str: ...
    @property
    def quantization(self) -> str: ...
    @property
    def quantile(self) -> float: ...
    @property
    def bits(self) -> int: ...
    @property
    def compression(self) -> int: ...
    @property
    def encoding(self) -> str: ...
    @property
    def query_encoding(self) -> str: ...

class OptimizerOverrides:
    """What a collection has of its own of the optimizer's settings; None: the store's."""

    def __init__(
        self,
        *,
        indexing_threshold_kb: int | None = None,
        max_segment_kb: int | None = None,
        deleted_threshold: float | None = None,
        vacuum_min_vector_number: int | None = None,
        default_segment_number: int | None = None,
        flush_interval_s: int | None = None,
    ) -> None: ...

class Collection:
    """A collection that the engine holds open; cheap to copy and to keep."""

    @property
    def name(self) -> str: ...
    @property
    def config(self) -> bytes:
        """What ``submit_create_collection``, or ``submit_configure_collection``, was given last,
        unchanged (JSON of the Python side)."""
    @property
    def config_version(self) -> int:
        """Another number once it is another."""
    @property
    def fields(self) -> list[Field]: ...
    @property
    def sparse(self) -> list[str]:
        """The names of the sparse vectors."""
    @property
    def multivectors(self) -> list[Field]: ...
    def indexes(self) -> list[tuple[str, str, bytes, int | None]]:
        """Of each payload index: field, kind, params as given, points with a value (None while it is
        being made)."""
    def count(self) -> int: ...
    def statistics(self) -> dict[str, object]:
        """points, segments, rows_deleted, appendable_rows, indexed_vectors, ram_bytes {codes, graph,
        ids, payload, fields, caches}, disk_bytes {vectors, codes, rows, points, payload, wal},
        optimizer {state, done, total, what}, prewarm, indexing, wal_bytes, operation_id, rebuilt (list of what was
        rebuilt at open, in words)."""

class Snapshot:
    """A collection's files as of one operation, held open until they are released or it goes."""

    @property
    def operation_id(self) -> int: ...
    def files(self) -> list[tuple[str, int, int]]:
        """Of each file: name in the collection's folder, descriptor to read from, bytes to read."""
    def release(self) -> None:
        """The descriptors are closed. Off the event loop: files may be removed."""

NativeSnapshot: TypeAlias = Snapshot

class LongReply(Generic[T]):
    """Elements of a reply that become objects when they are asked for, a slice at a time."""

    def __len__(self) -> int: ...
    def __getitem__(self, wanted: slice, /) -> Self:
        """Of the step 1; costs nothing."""
    def tolist(self) -> list[T]: ...

class PointIds(LongReply[PointId]): ...

class Payloads(LongReply[bytes | None]):
    """Each can be asked for once."""

class OrderValues(LongReply[int | float]): ...
class ValueCounts(LongReply[tuple[str | int | bool, int]]): ...

# One row per found point, best first (search) or in the order asked (retrieve, scroll):
# ids, scores (empty for retrieve and scroll), versions, and for each field asked for its vectors:
# (present (n,) bool, values (n, dim) float32; rows not present are zero); then the payloads, JSON
# texts, None for a point without; None in their place when they were not asked for. What is long is no
# list.
Rows: TypeAlias = tuple[
    list[PointId] | PointIds,
    list[float] | NDArray[np.float32],
    list[int] | NDArray[np.uint64],
    NativeVectors,
    list[bytes | None] | Payloads | None,
]
# False, True, or which JSON paths: ("include", paths), ("exclude", paths). A path that does not parse
# is invalid_argument at the call.
# ("group_keys", [path]): in place of a payload {"keys": [the strings and integers at the path]}.
PayloadSelection: TypeAlias = bool | tuple[str, list[str]]
# Groups: the points of all groups, each once; of each group, the best first, the string or integer,
# the places of its points in the rows, and whether no other point of it is wanted; and whether no
# other group is.
Groups: TypeAlias = tuple[Rows, list[tuple[str | int, list[int], bool]], bool]
# Scroll: the rows and the first id of the next page.
ScrollPage: TypeAlias = tuple[Rows, PointId | None]
# Batch: ids (q, limit) uint64, or row by row where a UUID is among them; scores (q, limit) float32;
# counts (q,) int32. Short rows are padded with id 0 and score NaN.
Batch: TypeAlias = tuple[NDArray[np.uint64] | PointIds, NDArray[np.float32], NDArray[np.int32]]
# A filter: must, should, must_not, and min_should with how many of it must hold.
#
# A condition is one of
#   ("field", path, tests)      one of the tests holds
#   ("nested", path, filter)    an element of the array at the path passes
#   ("has_id", ids)             as everywhere: an array of uint64, or a list
#   ("has_vector", number)
#   ("slice", total, index)
#   ("filter", filter)
#
# A test is one of
#   ("any", values)  ("except", values)          bool, int of 64 bits, str
#   ("text", text)  ("text_any", text)  ("phrase", text)  ("prefix", text)
#   ("range", gt, gte, lt, lte)                  int of 64 bits, float or None each
#   ("datetime_range", gt, gte, lt, lte)         microseconds since 1970 or None each
#   ("values_count", gt, gte, lt, lte)           int or None each
#   ("is_empty", wanted)  ("is_null", wanted)
#   ("geo_box", left lon, top lat, right lon, bottom lat)
#   ("geo_radius", lon, lat, metres)
#   ("geo_polygon", exterior, interiors)         rings: lists of (lon, lat)
NativeTest: TypeAlias = tuple[Any, ...]
NativeCondition: TypeAlias = tuple[Any, ...]
NativeConditions: TypeAlias = list[NativeCondition] | LongConditions
NativeParts: TypeAlias = tuple[
    NativeConditions,
    NativeConditions,
    NativeConditions,
    tuple[NativeConditions, int] | None,
]
NativeFilter: TypeAlias = NativeParts | LongFilter

# What is too long in a filter to be taken over in one go. Each stands in the place of a list in one
# filter, which takes what is in it.
class LongConditions:
    def __len__(self) -> int: ...
    def reserve(self, count: int) -> None: ...
    def extend(self, conditions: list[NativeCondition]) -> None: ...

class LongValues:  # in its test once it is sorted
    def reserve(self, count: int) -> None: ...
    def extend(self, values: Sequence[bool | int | str]) -> None: ...
    def sort(self) -> None:
        """Takes long; releases the GIL."""

class LongIds:  # in its condition once it is sorted
    def reserve(self, count: int) -> None: ...
    def extend(self, ids: NDArray[np.uint64] | PointIds | Sequence[PointId]) -> None: ...
    def sort(self) -> None:
        """Takes long; releases the GIL."""

class LongFilter:
    """In the place of a filter, in any number of calls and of other filters."""

    def __init__(self, filter: NativeParts) -> None: ...

# Of an index of text: tokenizer, least and greatest length of tokens, lowercase, ascii_folding,
# the stemmer's language or "", stop words.
NativeText: TypeAlias = tuple[str, int, int, bool, bool, str, list[str]]
Completion: TypeAlias = tuple[int, object]  # ticket; the value, or a NativeError

class Opening:
    """How far opening a store has come. Any thread may ask it, and end it."""

    def __init__(self) -> None: ...
    def progress(self) -> dict[str, int]:
        """collections, collections_opened, log_bytes, log_bytes_replayed."""
    def stop(self) -> None:
        """Makes Engine.open raise NativeError (closed), before the next operation of a log or the
        next collection. Afterwards it changes nothing."""

class Engine:
    @staticmethod
    def open(
        path: str,
        *,
        async_scorer: str,  # "auto" | "true" | "false"
        durability: str,  # "fsync" | "flush" | "none"
        workers: int,  # 0: one per CPU
        io_depth: int,
        direct_io: str,  # "auto" | "true" | "false"
        cache_bytes: int,  # for rows that were read; 0: none are kept
        prewarm: bool,
        indexing_threshold_kb: int,  # vectors of one field of a segment that is sealed; 0: never
        max_segment_kb: int,  # 0: no bound
        deleted_threshold: float,
        vacuum_min_vector_number: int,
        default_segment_number: int,  # 0: the engine's choice
        flush_interval_s: int,
        wal_capacity_bytes: int = 32 << 20,  # of one log file
        fault: str = "",  # for tests: a plan of faults in the reader, see native/io/fault_plan.h
        opening: Opening | None = None,  # told how far it has come
    ) -> Engine:
        """Opens or creates the store. Blocks (replays logs, loads codes); releases the GIL."""
    def close(self) -> None:
        """Ends all work: searches in flight are answered with code "closed", writes that were taken
        are finished, the log is synced. Blocks; releases the GIL. Calling it again does nothing."""
    def event_fd(self) -> int:
        """Readable when completions wait. Reading it is drain()'s business."""
    def drain(self) -> list[Completion]:
        """All completions since the last call, but for dropped ones; clears the descriptor."""
    def drop(self, ticket: int) -> None:
        """Nobody waits for a ticket that was not drained: a read may end without having worked."""
    def collections(self) -> list[Collection]: ...
    def broken_collections(self) -> list[tuple[str, NativeError]]:
        """Name (or folder, where the name is unreadable) and error of each that could not be opened."""
    def aliases(self) -> dict[str, str]:
        """The collection of each alias; raises NativeError where they could not be read."""
    def statistics(self) -> dict[str, object]:
        """reader, reader_reason, workers, searches, candidates, rows_rescored, rows_skipped,
        reads_submitted, read_bytes, reads_retried, cache_hits, cache_bytes, direct_io,
        inflight_max, tasks_waiting, tasks_running, search_stages (by name: bounds_s, counts, of
        which there is one more, and sum_s)."""

    def submit_create_collection(
        self,
        name: str,
        config: bytes,
        fields: list[Field],
        sparse: list[str] = ...,
        multivectors: list[Field] = ...,
        optimizers: OptimizerOverrides = ...,
        log_file_bytes: int = ...,
    ) -> int:
        """→ Collection. Vectors are numbered: the fields from 0, the sparse ones, the multivectors."""
    def submit_configure_collection(
        self,
        collection: Collection,
        expected: bytes,
        config: bytes,
        optimizers: OptimizerOverrides,
    ) -> int:
        """→ bool: whether the configuration was the expected one, and now is the other, durably."""
    def submit_delete_collection(self, name: str) -> int:
        """→ bool: whether there was one."""
    def submit_update_aliases(self, actions: list[tuple[str, str, str]]) -> int:
        """→ None. All or none: ("create", alias, collection), ("delete", alias, "") or
        ("rename", alias, new alias)."""
    def submit_check_vectors(self, vectors: NDArray[np.float32]) -> int:
        """→ None, or invalid_argument naming the first row that is not finite (n, dim)."""
    def submit_upsert(
        self,
        collection: Collection,
        ids: NDArray[np.uint64] | PointIds | Sequence[PointId],
        vectors: VectorsOfPoints,
        present: dict[int, NDArray[np.bool_]],  # field number → (n,); a field not named: all present
        payloads: list[bytes | None] | None = None,  # n JSON texts that check_payload() takes
        mode: str = "upsert",  # "upsert" | "insert_only" | "update_only"
        update_filter: NativeFilter | None = None,
    ) -> int:
        """→ operation id (int). At most WRITE_POINTS_MAX points and WRITE_BYTES_MAX of vectors; the
        last of several equal ids wins. Vectors and payload not given are removed from the point.
        The payloads are read by native threads until the ticket completes, like arrays.

        Here and below: with an update_filter, points that are there are changed only if they match
        it when the write's turn comes; submit_delete_vectors and submit_change_payload then pass over
        points that are not there."""
    def submit_set_vectors(
        self,
        collection: Collection,
        ids: NDArray[np.uint64] | PointIds | Sequence[PointId],
        vectors: VectorsOfPoints,
        present: dict[int, NDArray[np.bool_]],
        update_filter: NativeFilter | None = None,
    ) -> int:
        """→ operation id. Sets vectors of points, in the order given; others stay. All points must be
        there, else point_not_found and nothing is written."""
    def submit_delete_vectors(
        self,
        collection: Collection,
        ids: NDArray[np.uint64] | PointIds | Sequence[PointId],
        fields: Sequence[int],
        update_filter: NativeFilter | None = None,
    ) -> int:
        """→ operation id. All points must be there, else point_not_found and nothing is written."""
    def submit_change_payload(
        self,
        collection: Collection,
        ids: NDArray[np.uint64] | PointIds | Sequence[PointId],
        action: str,  # "merge" | "replace" | "remove"
        value: bytes | None,  # JSON object, for merge and replace
        path: str | None,  # where, for merge and replace; None: the root
        keys: list[str],  # JSON paths, for remove
        update_filter: NativeFilter | None = None,
    ) -> int:
        """→ operation id. All points must be there, else point_not_found and nothing is written. A
        path or a value that does not parse is invalid_argument."""
    def submit_create_index(
        self,
        collection: Collection,
        field: str,  # a JSON path
        # "keyword" | "integer" | "float" | "bool" | "datetime" | "uuid" | "geo" | "text"
        kind: str,
        lookup: bool,
        range: bool,
        params: bytes,  # kept as given
        text: NativeText | None,  # of the kind "text" alone
    ) -> int:
        """→ operation id, once writes follow it; submit_build_index() waits until it is in use."""
    def submit_drop_index(self, collection: Collection, field: str) -> int:
        """→ operation id."""
    def submit_build_index(self, collection: Collection, field: str) -> int:
        """→ None, once the index of the field is in use (or is no more). Never 0."""
    def submit_delete(
        self,
        collection: Collection,
        ids: NDArray[np.uint64] | PointIds | Sequence[PointId],
        update_filter: NativeFilter | None = None,
    ) -> int:
        """→ operation id. Unknown ids are passed over."""
    def submit_retrieve(
        self,
        collection: Collection,
        ids: NDArray[np.uint64] | PointIds | Sequence[PointId],
        with_fields: Sequence[int],
        with_payload: PayloadSelection,
    ) -> int:
        """→ Rows, in the order asked, missing ids left out."""
    def submit_scroll(
        self,
        collection: Collection,
        offset: PointId | None,
        limit: int,
        with_fields: Sequence[int],
        with_payload: PayloadSelection,
        filter: NativeFilter | None = None,
    ) -> int:
        """→ ScrollPage. Integers ascending, then UUIDs ascending; offset is the first id wanted."""
    def submit_count(self, collection: Collection, filter: NativeFilter, exact: bool) -> int:
        """→ int: the points that match."""
    def submit_matching_ids(self, collection: Collection, filter: NativeFilter) -> int:
        """→ ids of the points that match: an array of uint64, or PointIds where UUIDs are among them."""
    def submit_sample(
        self, collection: Collection, filter: NativeFilter | None, count: int, seed: int
    ) -> int:
        """→ ids of some points that match, drawn at random, as of submit_matching_ids."""
    def submit_order(
        self,
        collection: Collection,
        filter: NativeFilter | None,
        key: str,
        descending: bool,
        start_from: float | None,  # the first value wanted; of datetimes microseconds since 1970
        from_is_datetime: bool,
        skip: int,
        limit: int,
    ) -> int:
        """→ (PointIds, OrderValues): points by the values of a field, once for each."""
    def submit_facet(
        self, collection: Collection, filter: NativeFilter | None, key: str, limit: int
    ) -> int:
        """→ ValueCounts, of (value, points): the values that most points have."""
    def submit_search(
        self,
        collection: Collection,
        field: int,
        query: NDArray[np.float32],  # (dim,) finite, C-contiguous; copied before the call returns
        *,
        limit: int,
        offset: int,
        oversampling: float,  # 0: as the bounds of the errors say
        hnsw_ef: int,  # 0: as the field says
        rescore: bool,
        early_stop: bool,
        ignore_codes: bool,
        exact: bool,
        score_threshold: float | None,
        with_fields: Sequence[int],
        with_payload: PayloadSelection,
        filter: NativeFilter | None = None,
        # The kind of score ("best_score", "sum_scores", "discover", "context") and how many of the
        # examples are positive ones, which come first; native/engine/query_score.h has the order of
        # examples, of which `query` is then the (examples, dim) matrix. None: the similarity.
        score: tuple[str, int] | None = None,
        excluded: Sequence[PointId] | NDArray[np.uint64] | None = None,  # points that are no results
        # The path that points are grouped by, how many groups are wanted and how many points of each:
        # as far as the best `limit` points tell, and an index of the path; with nothing else of them.
        groups: tuple[str, int, int] | None = None,
    ) -> int:
        """→ Rows; with `groups` → Groups."""
    def submit_search_batch(
        self,
        collection: Collection,
        field: int,
        queries: NDArray[np.float32],  # (q, dim) finite, C-contiguous; copied before the call returns
        *,
        limit: int,
        oversampling: float,
        hnsw_ef: int,
        rescore: bool,
        early_stop: bool,
        ignore_codes: bool,
        exact: bool,
        filter: NativeFilter | None = None,
    ) -> int:
        """→ Batch."""
    def submit_search_sparse(
        self,
        collection: Collection,
        field: int,
        query: SparseQueries,  # one; copied before the call returns, here and below
        *,
        limit: int,
        offset: int,
        idf: bool,  # weights count by how rare their indices are
        score_threshold: float | None,
        with_fields: Sequence[int],
        with_payload: PayloadSelection,
        filter: NativeFilter | None = None,
        score: tuple[str, int] | None = None,  # as of submit_search; examples in place of one query
        excluded: Sequence[PointId] | NDArray[np.uint64] | None = None,
    ) -> int:
        """→ Rows."""
    def submit_search_sparse_batch(
        self,
        collection: Collection,
        field: int,
        queries: SparseQueries,
        *,
        limit: int,
        idf: bool,
        filter: NativeFilter | None = None,
    ) -> int:
        """→ Batch."""
    def submit_search_multivector(
        self,
        collection: Collection,
        field: int,
        query: MultivectorQueries,  # as many examples as `score` says; copied, here and below
        *,
        limit: int,
        offset: int,
        oversampling: float,
        rescore: bool,
        early_stop: bool,
        ignore_codes: bool,
        score_threshold: float | None,
        with_fields: Sequence[int],
        with_payload: PayloadSelection,
        filter: NativeFilter | None = None,
        score: tuple[str, int] | None = None,  # as of submit_search
        excluded: Sequence[PointId] | NDArray[np.uint64] | None = None,
    ) -> int:
        """→ Rows."""
    def submit_search_multivector_batch(
        self,
        collection: Collection,
        field: int,
        queries: MultivectorQueries,
        *,
        limit: int,
        oversampling: float,
        rescore: bool,
        early_stop: bool,
        ignore_codes: bool,
        filter: NativeFilter | None = None,
    ) -> int:
        """→ Batch."""
    def submit_optimize(self, collection: Collection) -> int:
        """→ None, once nothing is left to seal, merge or vacuum. Progress: Collection.statistics()."""
    def submit_prewarm(self, collection: Collection, budget_bytes: int) -> int:
        """→ int: bytes brought into the page cache. budget 0: all. Progress: Collection.statistics()."""
    def submit_snapshot(self, collection: Collection) -> int:
        """→ Snapshot, after a checkpoint."""
    def submit_recover_collections(self, brought: list[tuple[str, str]]) -> int:
        """→ None. Of each: the name it is to have, and a folder in the store's, which goes, with the
        files of a snapshot. All are verified; then each replaces the collection of its name."""
    def submit_check(self, collection: Collection, repair: bool) -> int:
        """→ list of findings, each (severity "error" | "note", file, offset_bytes, text, repairable,
        repaired). Reads all; with repair, what can be mended is mended, and then is a note."""

WRITE_POINTS_MAX: int
WRITE_BYTES_MAX: int
DIM_MAX: int
CANDIDATES_MAX: int
FORMAT_VERSION: int

def isa() -> str:
    """The instruction set of the kernels in use, for example "avx512_vnni"."""

def available_memory_bytes() -> int:
    """What the machine and the control groups that this process is in leave to it."""

def parse_point_id(id: PointId) -> PointId:
    """The canonical form: an integer 0 … 2**64 - 1 or a hyphenated lower-case UUID. ValueError."""

def parse_numbers(text: bytes) -> NDArray[np.float32] | None:
    """The numbers of a flat JSON list of them; None where the text is anything else."""

def parse_datetime(text: str) -> int | None:
    """Microseconds since 1970-01-01T00:00:00Z; None when the text is no date and time."""

def check_path(path: str) -> int:
    """How many steps a JSON path has. Raises NativeError (invalid_argument) unless it is one."""

def check_payload(text: bytes) -> None:
    """Raises NativeError (invalid_argument) unless it is one JSON object, at most 64 levels deep, of
    at most 16 MiB, without lone surrogates."""
