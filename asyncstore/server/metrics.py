"""What Prometheus collects: docs/operation.md has the table for people."""

from __future__ import annotations

from contextlib import suppress

from asyncstore import Store
from asyncstore.errors import CollectionNotFoundError, CorruptionError
from asyncstore.models import StoreStatistics
from asyncstore.server.counters import Counters
from asyncstore.server.exposition import Exposition
from asyncstore.version import __version__

# Name, kind, meaning, and the field of the store's statistics.
_OF_STORE = (
    ("asyncstore_workers", "gauge", "search threads", "workers"),
    ("asyncstore_tasks_waiting", "gauge", "reads that no worker has begun", "tasks_waiting"),
    ("asyncstore_tasks_running", "gauge", "reads begun and not ended", "tasks_running"),
    ("asyncstore_searches_total", "counter", "searches answered, each of a batch", "searches"),
    ("asyncstore_candidates_total", "counter", "points preselected by codes", "candidates"),
    ("asyncstore_rows_rescored_total", "counter", "rows scored by originals", "rows_rescored"),
    ("asyncstore_rows_skipped_total", "counter", "candidates not read", "rows_skipped"),
    ("asyncstore_reads_total", "counter", "reads asked of the kernel", "reads_submitted"),
    ("asyncstore_read_bytes_total", "counter", "bytes of these reads", "read_bytes"),
    ("asyncstore_reads_retried_total", "counter", "reads asked for again", "reads_retried"),
    ("asyncstore_reads_in_flight_max", "gauge", "most reads of a worker at once", "inflight_max"),
    ("asyncstore_direct_io", "gauge", "1: reads go past the page cache", "direct_io"),
    ("asyncstore_cache_hits_total", "counter", "rows found in the store's cache", "cache_hits"),
    ("asyncstore_cache_bytes", "gauge", "memory of the store's cache", "cache_bytes"),
)


async def exposition(store: Store, counters: Counters, interface_version: str) -> str:
    """All metrics as text; names of Qdrant's are as its users know them."""
    told = Exposition()
    told.family("app_info", "gauge", "information about qdrant server")
    told.sample("app_info", 1, name="qdrant", version=interface_version)
    await _tell_collections(told, store)
    statistics = store.statistics()
    _tell_store(told, statistics)
    _tell_stages(told, statistics)
    _tell_requests(told, counters)
    return told.text()


async def _tell_collections(told: Exposition, store: Store) -> None:
    names = await store.list_collections()
    told.family("collections_total", "gauge", "number of collections")
    told.sample("collections_total", len(names))
    told.family("collection_points", "gauge", "number of points of a collection")
    for name in names:
        # One that is damaged, or was deleted meanwhile, is counted as a collection alone.
        with suppress(CorruptionError, CollectionNotFoundError):
            points = (await store.get_collection(name)).statistics().points
            told.sample("collection_points", points, id=name)


def _tell_store(told: Exposition, statistics: StoreStatistics) -> None:
    told.family("asyncstore_build_info", "gauge", "what runs here")
    told.sample("asyncstore_build_info", 1, version=__version__)
    told.family("asyncstore_reader_info", "gauge", "which reader serves, and why")
    told.sample(
        "asyncstore_reader_info", 1, reader=statistics.reader, reason=statistics.reader_reason
    )
    for name, kind, meaning, field in _OF_STORE:
        told.family(name, kind, meaning)
        told.sample(name, int(getattr(statistics, field)))


def _tell_stages(told: Exposition, statistics: StoreStatistics) -> None:
    name = "asyncstore_search_stage_seconds"
    told.family(name, "histogram", "how long searches were in each stage")
    for stage, histogram in statistics.search_stages.items():
        told.histogram(name, histogram, stage=stage.value)


def _tell_requests(told: Exposition, counters: Counters) -> None:
    requests = [
        ({"method": method, "endpoint": path, "status": str(status)}, durations)
        for method, path, status, durations in counters.durations()
    ]
    told.family("rest_responses_total", "counter", "number of replies")
    for labels, durations in requests:
        told.sample("rest_responses_total", durations.count, **labels)
    name = "rest_responses_duration_seconds"
    told.family(name, "histogram", "how long requests took until they were answered")
    for labels, durations in requests:
        told.histogram(name, durations, **labels)
