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

}  // namespace

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
