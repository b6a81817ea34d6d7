"""Frozen snapshots of what the store has done and what it holds."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class SearchStage(StrEnum):
    """What a search does, one after the other; docs/operation.md tells what belongs to each."""

    FILTER = "filter"
    PRESELECT = "preselect"
    READ = "read"
    RESCORE = "rescore"
    GROUP = "group"
    PAYLOAD = "payload"


class DurationHistogram(msgspec.Struct, frozen=True, kw_only=True):
    """How often something took how long.

    Attributes:
        bounds_s: Seconds, ascending.
        counts: How often it took at most as long as each bound, and longer than the one before;
            the last: longer than all. One more than there are bounds.
        sum_s: All of it together, in seconds.
    """

    bounds_s: tuple[float, ...]
    counts: tuple[int, ...]
    sum_s: float

    @property
    def count(self) -> int:
        """How often there was something."""
        return sum(self.counts)


class RecoveryProgress(msgspec.Struct, frozen=True, kw_only=True):
    """How far opening a store has come.

    Attributes:
        collections: All of the store; 0 when they have not been counted yet.
        collections_opened: Those that can be used, or were found to be damaged.
        log_bytes: Of the logs of all collections.
        log_bytes_replayed: Of these, replayed or found to be in what a checkpoint saved.
    """

    collections: int
    collections_opened: int
    log_bytes: int
    log_bytes_replayed: int


class StoreStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """What a store has done since it was opened.

    Attributes:
        reader: "io_uring" or "mmap".
        reader_reason: Why this reader serves, in words.
        workers: Search threads.
        searches: Searches answered.
        candidates: Points preselected by their codes.
        rows_rescored: Rows scored by their originals.
        rows_skipped: Preselected rows that needed no reading, as their bound was too low.
        reads_submitted: Reads asked of the kernel.
        read_bytes: Bytes these reads brought.
        reads_retried: Reads that came short or were interrupted, and were asked for again.
        cache_hits: Rows that were in the store's own cache.
        cache_bytes: Memory that this cache takes now.
        direct_io: Whether originals are read past the page cache now.
        inflight_max: The most reads that a worker has had in flight at once.
        tasks_waiting: Searches and other reads that no worker has begun.
        tasks_running: Those that workers have begun and not ended.
        search_stages: How long searches were in each of their stages. A search counts once in
            each that it came to; of a batch, each part that a worker took.
    """

    reader: str
    reader_reason: str
    workers: int
    searches: int
    candidates: int
    rows_rescored: int
    rows_skipped: int
    reads_submitted: int
    read_bytes: int
    reads_retried: int
    cache_hits: int
    cache_bytes: int
    direct_io: bool
    inflight_max: int
    tasks_waiting: int
    tasks_running: int
    search_stages: dict[SearchStage, DurationHistogram]


class Severity(StrEnum):
    """``error``: something is damaged, and still is; ``note``: nothing is, or not any more."""

    ERROR = "error"
    NOTE = "note"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a check of the files found.

    Attributes:
        severity: Whether anything is damaged now.
        file: The file's path.
        offset_bytes: Where in the file.
        text: What was found, in words; of what is lost also which point it belongs to, and what
            can be done.
        repairable: Whether ``check(repair=True)`` can mend it.
        repaired: Whether it did.
    """

    severity: Severity
    file: str
    offset_bytes: int
    text: str
    repairable: bool = False
    repaired: bool = False


class BackgroundWork(msgspec.Struct, frozen=True, kw_only=True):
    """Work that goes on without anyone waiting for it, like the optimizer's.

    Attributes:
        state: "idle" when nothing is left to do.
        done: Units of the present work that are done.
        total: Units of the present work altogether.
        what: The present work, in words.
    """

    state: str
    done: int = 0
    total: int = 0
    what: str = ""

    @property
    def progress(self) -> float:
        """The part of the present work that is done, 0 to 1; 1 when there is none."""
        return self.done / self.total if self.total else 1.0


class CollectionStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """What a collection holds, in memory and on disk.

    Attributes:
        points: Points that are there.
        segments: Sealed segments and the appendable one.
        rows_deleted: Rows that are still on disk but belong to no point any more.
        appendable_rows: Rows of the appendable segment.
        indexed_vectors: Vectors in sealed segments.
        ram_bytes: Bytes in memory: codes, graph, ids, payload, sparse, multivectors, fields,
            caches.
        disk_bytes: Bytes on disk: vectors, codes, rows, points, payload, sparse, multivectors,
            fields, wal.
        optimizer: What the optimizer is doing.
        prewarm: What prewarming is doing.
        indexing: Which payload index is being made.
        wal_bytes: Bytes of the write-ahead log.
        operation_id: The last operation that was applied.
        rebuilt: What had to be rebuilt when the store was opened, in words.
    """

    points: int
    segments: int
    rows_deleted: int
    appendable_rows: int
    indexed_vectors: int
    ram_bytes: dict[str, int]
    disk_bytes: dict[str, int]
    optimizer: BackgroundWork
    prewarm: BackgroundWork
    indexing: BackgroundWork
    wal_bytes: int
    operation_id: int
    rebuilt: list[str]
