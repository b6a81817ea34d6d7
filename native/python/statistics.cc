#include "python/statistics.h"

#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

namespace nb = nanobind;

namespace asyncstore::python {

namespace {

nb::dict progress_dict(const engine::OptimizerProgress& progress) {
  nb::dict result;
  result["state"] = progress.state;
  result["done"] = progress.done;
  result["total"] = progress.total;
  result["what"] = progress.what;
  return result;
}

// In seconds.
nb::dict histogram_dict(const base::HistogramCounts& histogram) {
  constexpr double k_ns = 1e9;
  nb::list bounds;
  for (size_t bucket = 0; bucket < base::HistogramCounts::k_bounds; ++bucket) {
    bounds.append(static_cast<double>(base::HistogramCounts::bound_ns(bucket)) / k_ns);
  }
  nb::list counts;
  for (const uint64_t count : histogram.buckets) {
    counts.append(count);
  }
  nb::dict result;
  result["bounds_s"] = bounds;
  result["counts"] = counts;
  result["sum_s"] = static_cast<double>(histogram.sum_ns) / k_ns;
  return result;
}

}  // namespace

nb::dict opening_progress(const engine::Opening& opening) {
  const engine::Opening::Progress progress = opening.progress();
  nb::dict result;
  result["collections"] = progress.collections;
  result["collections_opened"] = progress.collections_opened;
  result["log_bytes"] = progress.log_bytes;
  result["log_bytes_replayed"] = progress.log_bytes_replayed;
  return result;
}

nb::dict store_statistics(engine::Engine& engine) {
  const engine::StoreStatistics statistics = engine.statistics();
  nb::dict result;
  result["reader"] = io::name(statistics.reader);
  result["reader_reason"] = statistics.reader_reason;
  result["workers"] = statistics.workers;
  result["searches"] = statistics.searches;
  result["candidates"] = statistics.candidates;
  result["rows_rescored"] = statistics.rows_rescored;
  result["rows_skipped"] = statistics.rows_skipped;
  result["reads_submitted"] = statistics.io.reads_submitted;
  result["read_bytes"] = statistics.io.read_bytes;
  result["reads_retried"] = statistics.io.reads_retried;
  result["cache_hits"] = statistics.io.cache_hits;
  result["cache_bytes"] = statistics.cache_bytes;
  result["direct_io"] = statistics.direct;
  result["inflight_max"] = statistics.io.inflight_max;
  result["tasks_waiting"] = statistics.tasks_waiting;
  result["tasks_running"] = statistics.tasks_running;
  nb::dict stages;
  for (size_t stage = 0; stage < engine::k_search_stages; ++stage) {
    stages[name(static_cast<engine::SearchStage>(stage))] =
        histogram_dict(statistics.stages[stage]);
  }
  result["search_stages"] = stages;
  return result;
}

nb::dict collection_statistics(const engine::Collection& collection) {
  const engine::CollectionStatistics statistics = collection.statistics();
  nb::dict ram;
  ram["codes"] = statistics.ram_codes;
  ram["graph"] = statistics.ram_graph;
  ram["ids"] = statistics.ram_ids;
  ram["payload"] = statistics.ram_payload;
  ram["sparse"] = statistics.ram_sparse;
  ram["multivectors"] = statistics.ram_multivectors;
  ram["fields"] = statistics.ram_fields;
  ram["caches"] = statistics.ram_filters;
  nb::dict disk;
  disk["vectors"] = statistics.disk_vectors;
  disk["codes"] = statistics.disk_codes;
  disk["graph"] = statistics.disk_graph;
  disk["rows"] = statistics.disk_rows;
  disk["points"] = statistics.disk_points;
  disk["payload"] = statistics.disk_payload;
  disk["sparse"] = statistics.disk_sparse;
  disk["multivectors"] = statistics.disk_multivectors;
  disk["fields"] = statistics.disk_fields;
  disk["wal"] = statistics.wal_bytes;
  nb::dict result;
  result["points"] = statistics.points;
  result["segments"] = statistics.segments;
  result["rows_deleted"] = statistics.rows_deleted;
  result["appendable_rows"] = statistics.appendable_rows;
  result["indexed_vectors"] = statistics.indexed_vectors;
  result["ram_bytes"] = ram;
  result["disk_bytes"] = disk;
  result["optimizer"] = progress_dict(statistics.optimizer);
  result["prewarm"] = progress_dict(statistics.prewarm);
  result["indexing"] = progress_dict(statistics.indexing);
  result["wal_bytes"] = statistics.wal_bytes;
  result["operation_id"] = statistics.operation_id;
  result["rebuilt"] = statistics.rebuilt;
  return result;
}

}  // namespace asyncstore::python
