// The Python module: the only place with exceptions, and the only one that knows Python.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <cstring>
#include <unordered_map>
#include <utility>

#include "base/limits.h"
#include "engine/engine.h"
#include "io/storage.h"
#include "python/convert.h"
#include "simd/kernels.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace asyncstore::python {

using engine::Collection;
using engine::Engine;

namespace {

using FloatArray = nb::ndarray<const float, nb::c_contig, nb::device::cpu>;
using BoolArray = nb::ndarray<const bool, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

// An engine and the Python objects that its jobs borrow from.
class EngineHandle {
 public:
  explicit EngineHandle(std::unique_ptr<Engine> engine) : engine_(std::move(engine)) {}

  Engine& get() { return *engine_; }

  void close() {
    const nb::gil_scoped_release released;
    engine_->close();
  }

  // The arrays of a ticket live until its completion was drained.
  void keep(uint64_t ticket, nb::object borrowed) {
    borrowed_.emplace(ticket, std::move(borrowed));
  }

  nb::list drain() {
    nb::list result;
    for (auto& completion : engine_->completions().drain()) {
      borrowed_.erase(completion.ticket);
      nb::object value = completion.error ? to_python_error(*completion.error)
                                          : to_python(std::move(completion.value));
      result.append(nb::make_tuple(completion.ticket, value));
    }
    return result;
  }

 private:
  std::unique_ptr<Engine> engine_;
  std::unordered_map<uint64_t, nb::object> borrowed_;
};

EngineHandle* open_engine(const std::string& path, const std::string& async_scorer,
                          const std::string& durability, uint32_t workers, uint32_t io_depth,
                          const std::string& direct_io, bool prewarm,
                          uint64_t indexing_threshold_kb, uint64_t max_segment_kb,
                          double deleted_threshold, uint64_t vacuum_min_vector_number,
                          uint32_t default_segment_number, double flush_interval_s,
                          uint64_t wal_capacity_bytes, const std::string& fault) {
  engine::Options options;
  options.async_scorer = choice_of(async_scorer);
  options.durability = durability_of(durability);
  options.workers = workers;
  options.io_depth = io_depth;
  options.direct_io = choice_of(direct_io);
  options.prewarm = prewarm;
  options.indexing_threshold_bytes = indexing_threshold_kb << 10;
  options.max_segment_bytes = max_segment_kb << 10;
  options.deleted_threshold = deleted_threshold;
  options.vacuum_min_vector_number = vacuum_min_vector_number;
  options.default_segment_number = default_segment_number;
  options.flush_interval_s = flush_interval_s;
  options.wal_capacity_bytes = wal_capacity_bytes;
  options.fault = fault;
  auto opened = [&] {
    const nb::gil_scoped_release released;
    return Engine::open(io::make_posix_storage(), path, options);
  }();
  if (!opened.ok()) {
    raise(opened.error());
  }
  return new EngineHandle(std::move(opened.value()));
}

// The shape (n, dim) of a field; anything else is the caller's mistake.
const float* rows_of(const FloatArray& array, const segment::Field& field, size_t rows) {
  if (array.ndim() != 2 || array.shape(0) != rows || array.shape(1) != field.dim) {
    raise(base::invalid_argument("vectors must have the shape (" + std::to_string(rows) + ", " +
                                 std::to_string(field.dim) + ")"));
  }
  return array.data();
}

void check_field(const Collection& collection, uint32_t field) {
  if (field >= collection.fields().size()) {
    raise(base::invalid_argument("there is no field number " + std::to_string(field)));
  }
}

uint64_t submit_upsert(EngineHandle& self, const std::shared_ptr<Collection>& collection,
                       nb::object ids, nb::dict vectors, nb::dict present) {
  engine::UpsertInput input;
  input.ids = ids_of(ids);
  if (input.ids.size() > base::k_write_points_max) {
    raise(base::invalid_argument("a write takes at most " +
                                 std::to_string(base::k_write_points_max) + " points"));
  }
  for (auto [key, value] : vectors) {
    engine::FieldInput field;
    field.field = nb::cast<uint32_t>(key);
    check_field(*collection, field.field);
    const auto array = nb::cast<FloatArray>(value, false);
    field.values = rows_of(array, collection->fields()[field.field], input.ids.size());
    if (present.contains(key)) {
      const auto mask = nb::cast<BoolArray>(present[key], false);
      if (mask.shape(0) != input.ids.size()) {
        raise(base::invalid_argument("the mask of present vectors must have one element a point"));
      }
      field.present = mask.data();
    }
    input.fields.push_back(field);
  }
  const uint64_t ticket = self.get().next_ticket();
  if (!self.get().write(ticket, collection, engine::WriteJob{ticket, std::move(input)})) {
    return 0;
  }
  self.keep(ticket, nb::make_tuple(vectors, present));
  return ticket;
}

uint64_t submit_delete(EngineHandle& self, const std::shared_ptr<Collection>& collection,
                       nb::object ids) {
  const uint64_t ticket = self.get().next_ticket();
  return self.get().write(ticket, collection,
                          engine::WriteJob{ticket, engine::DeleteInput{ids_of(ids)}})
             ? ticket
             : 0;
}

engine::SearchRequest search_request(const Collection& collection, uint32_t field,
                                     const FloatArray& queries, uint64_t limit, double oversampling,
                                     bool rescore, bool ignore_codes, bool exact) {
  check_field(collection, field);
  const uint32_t dim = collection.fields()[field].dim;
  if (queries.ndim() < 1 || queries.shape(queries.ndim() - 1) != dim) {
    raise(base::invalid_argument("queries must have " + std::to_string(dim) + " columns"));
  }
  if (limit == 0) {
    raise(base::invalid_argument("limit must be 1 or larger"));
  }
  engine::SearchRequest request;
  request.field = field;
  request.queries.assign(queries.data(), queries.data() + queries.size());
  request.limit = limit;
  request.oversampling = oversampling;
  request.rescore = rescore;
  request.ignore_codes = ignore_codes;
  request.exact = exact;
  return request;
}

uint64_t submit_search(EngineHandle& self, const std::shared_ptr<Collection>& collection,
                       uint32_t field, const FloatArray& query, uint64_t limit, uint64_t offset,
                       double oversampling, bool rescore, bool ignore_codes, bool exact,
                       std::optional<float> score_threshold, std::vector<uint32_t> with_fields) {
  auto request =
      search_request(*collection, field, query, limit, oversampling, rescore, ignore_codes, exact);
  request.offset = offset;
  request.score_threshold = score_threshold;
  for (const uint32_t wanted : with_fields) {
    check_field(*collection, wanted);
  }
  request.with_fields = std::move(with_fields);
  const uint64_t ticket = self.get().next_ticket();
  return self.get().search(ticket, collection, std::move(request)) ? ticket : 0;
}

uint64_t submit_search_batch(EngineHandle& self, const std::shared_ptr<Collection>& collection,
                             uint32_t field, const FloatArray& queries, uint64_t limit,
                             double oversampling, bool rescore, bool ignore_codes, bool exact) {
  auto request = search_request(*collection, field, queries, limit, oversampling, rescore,
                                ignore_codes, exact);
  const uint64_t count = queries.ndim() == 2 ? queries.shape(0) : 1;
  if (count == 0 || limit > base::k_batch_results_max / count) {
    raise(base::invalid_argument("a batch returns at most " +
                                 std::to_string(base::k_batch_results_max) + " results in all"));
  }
  const uint64_t ticket = self.get().next_ticket();
  return self.get().search_batch(ticket, collection, std::move(request)) ? ticket : 0;
}

nb::dict store_statistics(EngineHandle& self) {
  const engine::StoreStatistics statistics = self.get().statistics();
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
  result["cache_hits"] = 0;
  result["inflight_max"] = statistics.io.inflight_max;
  return result;
}

nb::dict progress_dict(const engine::OptimizerProgress& progress) {
  nb::dict result;
  result["state"] = progress.state;
  result["done"] = progress.done;
  result["total"] = progress.total;
  result["what"] = progress.what;
  return result;
}

nb::dict collection_statistics(const Collection& collection) {
  const engine::CollectionStatistics statistics = collection.statistics();
  nb::dict ram;
  ram["codes"] = statistics.ram_codes;
  ram["graph"] = 0;
  ram["ids"] = statistics.ram_ids;
  ram["fields"] = 0;
  ram["caches"] = 0;
  nb::dict disk;
  disk["vectors"] = statistics.disk_vectors;
  disk["codes"] = statistics.disk_codes;
  disk["rows"] = statistics.disk_rows;
  disk["points"] = statistics.disk_points;
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
  result["wal_bytes"] = statistics.wal_bytes;
  result["operation_id"] = statistics.operation_id;
  result["rebuilt"] = statistics.rebuilt;
  return result;
}

void bind_field(nb::module_& module) {
  using segment::Field;
  nb::class_<Field>(module, "Field")
      .def(
          "__init__",
          [](Field* self, const std::string& name, uint32_t dim, const std::string& distance,
             const std::string& datatype, const std::string& quantization, float quantile) {
            new (self) Field(field_of(name, dim, distance, datatype, quantization, quantile));
          },
          nb::kw_only(), "name"_a, "dim"_a, "distance"_a, "datatype"_a, "quantization"_a,
          "quantile"_a)
      .def_prop_ro("name", [](const Field& self) { return self.name; })
      .def_prop_ro("dim", [](const Field& self) { return self.dim; })
      .def_prop_ro("distance", [](const Field& self) { return name_of(self.distance); })
      .def_prop_ro("datatype", [](const Field& self) { return name_of(self.datatype); })
      .def_prop_ro("quantization", [](const Field& self) { return name_of(self.quantization); })
      .def_prop_ro("quantile", [](const Field& self) { return self.quantile; });
}

void bind_collection(nb::module_& module) {
  nb::class_<Collection>(module, "Collection")
      .def_prop_ro("name", [](const Collection& self) { return self.name(); })
      .def_prop_ro("config",
                   [](const Collection& self) {
                     return nb::bytes(self.config().data(), self.config().size());
                   })
      .def_prop_ro("fields", [](const Collection& self) { return self.fields(); })
      .def("count", [](const Collection& self) { return self.view()->points; })
      .def("statistics", &collection_statistics);
}

void bind_engine(nb::module_& module) {
  nb::class_<EngineHandle>(module, "Engine")
      .def_static("open", &open_engine, nb::rv_policy::take_ownership, "path"_a, nb::kw_only(),
                  "async_scorer"_a, "durability"_a, "workers"_a, "io_depth"_a, "direct_io"_a,
                  "prewarm"_a, "indexing_threshold_kb"_a, "max_segment_kb"_a, "deleted_threshold"_a,
                  "vacuum_min_vector_number"_a, "default_segment_number"_a, "flush_interval_s"_a,
                  "wal_capacity_bytes"_a = uint64_t{32} << 20, "fault"_a = "")
      .def("close", &EngineHandle::close)
      .def("event_fd", [](EngineHandle& self) { return self.get().completions().fd(); })
      .def("drain", &EngineHandle::drain)
      .def("collections", [](EngineHandle& self) { return self.get().collections(); })
      .def("broken_collections",
           [](EngineHandle& self) {
             nb::list result;
             for (const auto& broken : self.get().broken()) {
               result.append(nb::make_tuple(broken.name, to_python_error(broken.error)));
             }
             return result;
           })
      .def("statistics", &store_statistics)
      .def("submit_create_collection",
           [](EngineHandle& self, const std::string& name, nb::bytes config,
              std::vector<segment::Field> fields) {
             const auto* begin = static_cast<const std::byte*>(config.data());
             if (fields.size() > base::k_fields_max) {
               raise(base::invalid_argument("a collection has at most " +
                                            std::to_string(base::k_fields_max) + " vectors"));
             }
             const uint64_t ticket = self.get().next_ticket();
             self.get().create_collection(
                 ticket, {name, std::move(fields), {begin, begin + config.size()}});
             return ticket;
           })
      .def("submit_delete_collection",
           [](EngineHandle& self, const std::string& name) {
             const uint64_t ticket = self.get().next_ticket();
             self.get().delete_collection(ticket, name);
             return ticket;
           })
      .def("submit_check_vectors",
           [](EngineHandle& self, const FloatArray& vectors) -> uint64_t {
             if (vectors.ndim() != 2 || vectors.shape(1) == 0) {
               raise(base::invalid_argument("vectors must have the shape (n, dim)"));
             }
             const uint64_t ticket = self.get().next_ticket();
             const auto dim = static_cast<uint32_t>(vectors.shape(1));
             if (!self.get().check_vectors(ticket, vectors.data(), vectors.shape(0), dim)) {
               return 0;
             }
             self.keep(ticket, nb::cast(vectors));
             return ticket;
           })
      .def("submit_upsert", &submit_upsert, "collection"_a, "ids"_a, "vectors"_a, "present"_a)
      .def("submit_delete", &submit_delete, "collection"_a, "ids"_a)
      .def("submit_retrieve",
           [](EngineHandle& self, const std::shared_ptr<Collection>& collection, nb::object ids,
              std::vector<uint32_t> with_fields) -> uint64_t {
             for (const uint32_t field : with_fields) {
               check_field(*collection, field);
             }
             const uint64_t ticket = self.get().next_ticket();
             return self.get().retrieve(ticket, collection, ids_of(ids), std::move(with_fields))
                        ? ticket
                        : 0;
           })
      .def(
          "submit_scroll",
          [](EngineHandle& self, const std::shared_ptr<Collection>& collection, nb::object offset,
             uint64_t limit, std::vector<uint32_t> with_fields) -> uint64_t {
            for (const uint32_t field : with_fields) {
              check_field(*collection, field);
            }
            const points::PointId from =
                offset.is_none() ? points::PointId::integer(0) : id_of(offset, 0);
            const uint64_t ticket = self.get().next_ticket();
            return self.get().scroll(ticket, collection, from, limit, std::move(with_fields))
                       ? ticket
                       : 0;
          },
          "collection"_a, "offset"_a.none(), "limit"_a, "with_fields"_a)
      .def("submit_search", &submit_search, "collection"_a, "field"_a, "query"_a, nb::kw_only(),
           "limit"_a, "offset"_a, "oversampling"_a, "rescore"_a, "ignore_codes"_a, "exact"_a,
           "score_threshold"_a.none(), "with_fields"_a)
      .def("submit_search_batch", &submit_search_batch, "collection"_a, "field"_a, "queries"_a,
           nb::kw_only(), "limit"_a, "oversampling"_a, "rescore"_a, "ignore_codes"_a, "exact"_a)
      .def("submit_optimize",
           [](EngineHandle& self, const std::shared_ptr<Collection>& collection) {
             const uint64_t ticket = self.get().next_ticket();
             self.get().optimize(ticket, collection);
             return ticket;
           })
      .def("submit_prewarm",
           [](EngineHandle& self, const std::shared_ptr<Collection>& collection,
              uint64_t budget_bytes) {
             const uint64_t ticket = self.get().next_ticket();
             self.get().prewarm(ticket, collection, budget_bytes);
             return ticket;
           })
      .def("submit_check", [](EngineHandle& self, const std::shared_ptr<Collection>& collection) {
        const uint64_t ticket = self.get().next_ticket();
        self.get().check(ticket, collection);
        return ticket;
      });
}

}  // namespace

NB_MODULE(_native, module) {
  make_error_class(module);
  bind_field(module);
  bind_collection(module);
  bind_engine(module);
  module.attr("WRITE_POINTS_MAX") = base::k_write_points_max;
  module.attr("WRITE_BYTES_MAX") = base::k_write_bytes_max;
  module.attr("DIM_MAX") = base::k_dim_max;
  module.attr("CANDIDATES_MAX") = base::k_candidates_max;
  module.attr("FORMAT_VERSION") = 1;
  module.def("isa", [] { return simd::name(simd::kernels().isa); });
  module.def("parse_point_id", [](nb::object id) { return to_python(id_of(id, 0)); });
}

}  // namespace asyncstore::python
