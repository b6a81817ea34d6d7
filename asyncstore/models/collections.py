"""What a collection is made of: its vectors, its settings, and what ``info()`` says about them.

Where a field is None nothing was said about it, and nothing is written about it: settings are given
back exactly as they came.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

import msgspec

from asyncstore.bounds import Bounds
from asyncstore.models.indexes import PayloadIndexInfo
from asyncstore.models.quantization import QuantizationConfig

DIM_MAX = 65536


class Distance(StrEnum):
    """How near two vectors are. For the first two larger is better, for the others smaller."""

    COSINE = "Cosine"
    DOT = "Dot"
    EUCLID = "Euclid"
    MANHATTAN = "Manhattan"


class Datatype(StrEnum):
    """What a vector is stored as. ``uint8`` truncates and clamps to 0…255, ``float16`` rounds."""

    FLOAT32 = "float32"
    UINT8 = "uint8"
    FLOAT16 = "float16"


class MultiVectorComparator(StrEnum):
    """How the rows of two multivectors are compared."""

    MAX_SIM = "max_sim"


class MultiVectorConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Makes a vector a list of vectors, its rows.

    Attributes:
        comparator: ``MAX_SIM``: of each row of the query the nearest row of the point counts, and
            the score is the sum over the query's rows (Euclid: the root of the sum of squares).
    """

    comparator: MultiVectorComparator


class HnswConfigDiff(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Settings of the graph that is made of the codes of rows when they are sealed.

    Attributes:
        m: Links of a row, 4 to 127, up to twice as many at the lowest level; 0: no graph.
        ef_construct: Among how many near rows a row's links are chosen; also how many a search
            keeps in sight unless it says so (``hnsw_ef``).
        full_scan_threshold: From how many KB of vectors on rows get a graph; fewer are scanned.
        max_indexing_threads: Threads that make a graph, no more than CPUs; 0: one for each CPU.
        on_disk: Not supported: a graph is kept in memory.
        payload_m: Not supported yet.
    """

    m: Annotated[int, Bounds(0)] | None = None
    ef_construct: Annotated[int, Bounds(4)] | None = None
    full_scan_threshold: Annotated[int, Bounds(10)] | None = None
    max_indexing_threads: Annotated[int, Bounds(0)] | None = None
    on_disk: bool | None = None
    payload_m: Annotated[int, Bounds(0)] | None = None


class HnswConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of the graph in force."""

    m: int = 16
    ef_construct: int = 100
    full_scan_threshold: int = 10000
    max_indexing_threads: int = 0
    on_disk: bool | None = None


class OptimizersConfigDiff(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Settings that one collection's optimizer has of its own; None: those of the store.

    They mean what :class:`OptimizersConfig` says of them.

    Attributes:
        memmap_threshold: Kept and told as given: originals are on disk in any case.
        max_optimization_threads: "auto" at most: one segment is made at a time, by all cores.
        prevent_unoptimized: False at most: no write waits until segments are sealed.
    """

    deleted_threshold: Annotated[float, Bounds(0.0, 1.0)] | None = None
    vacuum_min_vector_number: Annotated[int, Bounds(0)] | None = None
    default_segment_number: Annotated[int, Bounds(0)] | None = None
    max_segment_size: Annotated[int, Bounds(1)] | None = None
    memmap_threshold: Annotated[int, Bounds(0)] | None = None
    indexing_threshold: Annotated[int, Bounds(0)] | None = None
    flush_interval_sec: Annotated[int, Bounds(0)] | None = None
    max_optimization_threads: int | Literal["auto"] | None = None
    prevent_unoptimized: bool | None = None


class OptimizersConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of the optimizer in force.

    Attributes:
        deleted_threshold: The part of a segment's rows that may be deleted before it is vacuumed.
        vacuum_min_vector_number: Segments with fewer rows are not vacuumed.
        default_segment_number: Segments to aim for; 0 leaves it to the engine.
        max_segment_size: KB of vectors a segment may reach by merging; None means no bound.
        memmap_threshold: As a collection was given it, without effect: originals are always on
            disk. Must be None for a store.
        indexing_threshold: KB of vectors at which a segment is sealed; 0 means never, None the
            default.
        flush_interval_sec: Seconds between two checkpoints of the log.
        max_optimization_threads: Not supported yet, must be None.
    """

    deleted_threshold: Annotated[float, Bounds(0.0, 1.0)] = 0.2
    vacuum_min_vector_number: Annotated[int, Bounds(0)] = 1000
    default_segment_number: Annotated[int, Bounds(0)] = 0
    max_segment_size: Annotated[int, Bounds(1)] | None = None
    memmap_threshold: Annotated[int, Bounds(0)] | None = None
    indexing_threshold: Annotated[int, Bounds(0)] | None = 10000
    flush_interval_sec: Annotated[int, Bounds(0)] = 5
    max_optimization_threads: int | Literal["auto"] | None = None


class WalConfigDiff(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Settings of one collection's write-ahead log: the size of one of its files, in MiB.

    A log is read again when its store opens, until there is a checkpoint: after four such files,
    or when nothing was written for ``flush_interval_sec``.
    """

    wal_capacity_mb: Annotated[int, Bounds(1, 4096)] | None = None
    wal_segments_ahead: Annotated[int, Bounds(0)] | None = None
    wal_retain_closed: Annotated[int, Bounds(1)] | None = None


class WalConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of the write-ahead log in force."""

    wal_capacity_mb: int = 32
    wal_segments_ahead: int = 0
    wal_retain_closed: int = 1


class VectorParams(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One dense vector of a collection, or a multivector: a list of dense ones.

    Attributes:
        size: Dimensions, 1 to 65,536.
        distance: How near two vectors are. With cosine, vectors are normalised when written.
        hnsw_config: The graph over its codes; what is None is that of the collection.
        quantization_config: The codes in memory; None means those of the collection, "auto" that
            the store chooses.
        on_disk: Kept and told as given: originals are on disk in any case, and the page cache keeps
            what fits.
        datatype: What originals are stored as; None means float32.
        multivector_config: Makes it a multivector; then a graph (other than ``m=0``) and "auto" are
            not supported yet, and the codes of the collection are not for it. Product codes are
            trained in the background once there are 65,536 rows; until then int8 stands in.
    """

    size: Annotated[int, Bounds(1, DIM_MAX)]
    distance: Distance
    hnsw_config: HnswConfigDiff | None = None
    quantization_config: QuantizationConfig | None = None
    on_disk: bool | None = None
    datatype: Datatype | None = None
    multivector_config: MultiVectorConfig | None = None


class Modifier(StrEnum):
    """What is done to the weights of a sparse query."""

    NONE = "none"
    IDF = "idf"


class SparseIndexParams(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Settings of a sparse vector's index: kept and told as given, they change nothing.

    Attributes:
        full_scan_threshold: There is no other way to search than by the index.
        on_disk: The index is held in memory.
        datatype: Only float32.
    """

    full_scan_threshold: Annotated[int, Bounds(0)] | None = None
    on_disk: bool | None = None
    datatype: Datatype | None = None


class SparseVectorParams(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One sparse vector of a collection.

    Attributes:
        index: Not supported yet.
        modifier: ``IDF``: a query's weights are multiplied by ln(1 + (N - n + 0.5) / (n + 0.5)),
            where N points have the vector and n of them its index. None means ``NONE``.
    """

    index: SparseIndexParams | None = None
    modifier: Modifier | None = None


class Disabled(StrEnum):
    """In the place of a quantization: none any more."""

    DISABLED = "Disabled"


class VectorParamsDiff(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is to change of one dense vector or multivector; None: stays as it is.

    Attributes:
        hnsw_config: Field by field.
        quantization_config: As a whole; ``Disabled.DISABLED``: from now on that of the collection.
        on_disk: Told as given; originals are on disk in any case.
    """

    hnsw_config: HnswConfigDiff | None = None
    quantization_config: object = None
    on_disk: bool | None = None


class CollectionParamsDiff(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is to change of where a collection is kept; None: stays as it is.

    A store is one copy on disk: other values than True, 1 and 0 are not supported.
    """

    replication_factor: Annotated[int, Bounds(1)] | None = None
    write_consistency_factor: Annotated[int, Bounds(1)] | None = None
    read_fan_out_factor: Annotated[int, Bounds(0)] | None = None
    read_fan_out_delay_ms: Annotated[int, Bounds(0)] | None = None
    on_disk_payload: bool | None = None


class CollectionStatus(StrEnum):
    """``green``: nothing to do; ``yellow``: the optimizer works; ``red``: something failed."""

    GREEN = "green"
    YELLOW = "yellow"
    GREY = "grey"
    RED = "red"


class CollectionParams(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Vectors and placement of a collection.

    Attributes:
        vectors: The one unnamed vector, or the named ones by name; None when there are none.
    """

    vectors: VectorParams | dict[str, VectorParams] | None = None
    # The sentinel default keeps the fields that clients insist on when defaults are left out.
    shard_number: int = msgspec.field(default_factory=lambda: 1)
    replication_factor: int = msgspec.field(default_factory=lambda: 1)
    write_consistency_factor: int = msgspec.field(default_factory=lambda: 1)
    on_disk_payload: bool = msgspec.field(default_factory=lambda: True)
    sparse_vectors: dict[str, SparseVectorParams] | None = None


class CollectionConfig(msgspec.Struct, frozen=True, kw_only=True):
    """All settings of a collection."""

    params: CollectionParams
    hnsw_config: HnswConfig
    optimizer_config: OptimizersConfig
    wal_config: WalConfig
    quantization_config: QuantizationConfig | None = None
    metadata: dict[str, object] | msgspec.UnsetType | None = msgspec.UNSET


class CollectionInfo(msgspec.Struct, frozen=True, kw_only=True):
    """State and settings of a collection.

    Attributes:
        status: Green when nothing is left to do in the background.
        optimizer_status: "ok", or what went wrong.
        points_count: Exact.
        indexed_vectors_count: Vectors in sealed segments.
        segments_count: Sealed segments and the appendable one.
        payload_schema: Payload indexes by their fields.
    """

    status: CollectionStatus
    optimizer_status: str
    points_count: int
    indexed_vectors_count: int
    segments_count: int
    config: CollectionConfig
    payload_schema: dict[str, PayloadIndexInfo] = {}
