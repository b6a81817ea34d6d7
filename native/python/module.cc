// The Python module: the only place with exceptions, and the only one that knows Python.
#include <nanobind/nanobind.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "base/limits.h"
#include "base/memory.h"
#include "engine/engine.h"
#include "engine/opening.h"
#include "engine/snapshot.h"
#include "filter/datetime.h"
#include "io/storage.h"
#include "payload/numbers.h"
#include "payload/payload.h"
#include "python/convert.h"
#include "python/engine_handle.h"
#include "python/long_filter.h"
#include "python/statistics.h"
#include "python/submit.h"
#include "simd/kernels.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace asyncstore::python {

using engine::Collection;
using engine::Engine;
using engine::Snapshot;

namespace {

EngineHandle* open_engine(const std::string& path, const std::string& async_scorer,
                          const std::string& durability, uint32_t workers, uint32_t io_depth,
                          const std::string& direct_io, uint64_t cache_bytes, bool prewarm,
                          uint64_t indexing_threshold_kb, uint64_t max_segment_kb,
                          double deleted_threshold, uint64_t vacuum_min_vector_number,
                          uint32_t default_segment_number, uint32_t flush_interval_s,
                          uint64_t wal_capacity_bytes, const std::string& fault,
                          std::shared_ptr<engine::Opening> opening) {
  engine::Options options;
  options.async_scorer = choice_of(async_scorer);
  options.durability = durability_of(durability);
  options.workers = workers;
  options.io_depth = io_depth;
  options.direct_io = choice_of(direct_io);
  options.cache_bytes = cache_bytes;
  options.prewarm = prewarm;
  options.optimizers.indexing_threshold_bytes = indexing_threshold_kb << 10;
  options.optimizers.max_segment_bytes = max_segment_kb << 10;
  options.optimizers.deleted_threshold = deleted_threshold;
  options.optimizers.vacuum_min_vector_number = vacuum_min_vector_number;
  options.optimizers.default_segment_number = default_segment_number;
  options.optimizers.flush_interval_s = flush_interval_s;
  options.wal_capacity_bytes = wal_capacity_bytes;
  options.fault = fault;
  options.opening = std::move(opening);
  auto opened = [&] {
    const nb::gil_scoped_release released;
    return Engine::open(io::make_posix_storage(), path, options);
  }();
  if (!opened.ok()) {
    raise(opened.error());
  }
  return new EngineHandle(std::move(opened.value()));
}

void bind_field(nb::module_& module) {
  using segment::Field;
  const quantize::Config defaults;
  const segment::GraphSettings graph;
  nb::class_<Field>(module, "Field")
      .def(
          "__init__",
          [](Field* self, const std::string& name, uint32_t dim, const std::string& distance,
             const std::string& datatype, const std::string& quantization, float quantile,
             uint8_t bits, uint8_t compression, const std::string& encoding,
             const std::string& query_encoding, uint32_t graph_m, uint32_t ef_construct,
             uint32_t graph_threads, uint64_t full_scan_threshold_kb) {
            new (self) Field(
                field_of(name, dim, distance, datatype,
                         quantization_of(quantization, quantile, bits, compression, encoding,
                                         query_encoding),
                         {graph_m, ef_construct, graph_threads, full_scan_threshold_kb << 10}));
          },
          nb::kw_only(), "name"_a, "dim"_a, "distance"_a, "datatype"_a, "quantization"_a,
          "quantile"_a = defaults.quantile, "bits"_a = defaults.bits,
          "compression"_a = defaults.compression, "encoding"_a = name_of(defaults.encoding),
          "query_encoding"_a = name_of(defaults.query_encoding), "graph_m"_a = graph.m,
          "ef_construct"_a = graph.ef_construct, "graph_threads"_a = graph.threads,
          "full_scan_threshold_kb"_a = graph.full_scan_threshold_bytes >> 10)
      .def_prop_ro("name", [](const Field& self) { return self.name; })
      .def_prop_ro("dim", [](const Field& self) { return self.dim; })
      .def_prop_ro("distance", [](const Field& self) { return name_of(self.distance); })
      .def_prop_ro("datatype", [](const Field& self) { return name_of(self.datatype); })
      .def_prop_ro("quantization",
                   [](const Field& self) { return name_of(self.quantization.kind); })
      .def_prop_ro("quantile", [](const Field& self) { return self.quantization.quantile; })
      .def_prop_ro("bits", [](const Field& self) { return self.quantization.bits; })
      .def_prop_ro("compression", [](const Field& self) { return self.quantization.compression; })
      .def_prop_ro("encoding",
                   [](const Field& self) { return name_of(self.quantization.encoding); })
      .def_prop_ro("query_encoding",
                   [](const Field& self) { return name_of(self.quantization.query_encoding); });
}

void bind_optimizer_overrides(nb::module_& module) {
  using engine::OptimizerOverrides;
  using Number = std::optional<uint64_t>;
  nb::class_<OptimizerOverrides>(module, "OptimizerOverrides")
      .def(
          "__init__",
          [](OptimizerOverrides* self, Number indexing_threshold_kb, Number max_segment_kb,
             std::optional<double> deleted_threshold, Number vacuum_min_vector_number,
             std::optional<uint32_t> default_segment_number,
             std::optional<uint32_t> flush_interval_s) {
            const auto bytes = [](Number kb) { return kb ? Number(*kb << 10) : kb; };
            new (self) OptimizerOverrides{
                deleted_threshold,     vacuum_min_vector_number,     default_segment_number,
                bytes(max_segment_kb), bytes(indexing_threshold_kb), flush_interval_s};
          },
          nb::kw_only(), "indexing_threshold_kb"_a = nb::none(), "max_segment_kb"_a = nb::none(),
          "deleted_threshold"_a = nb::none(), "vacuum_min_vector_number"_a = nb::none(),
          "default_segment_number"_a = nb::none(), "flush_interval_s"_a = nb::none());
}

// Of each: field, kind, params as given, points with a value (None while it is being made).
nb::list payload_indexes(const Collection& self) {
  nb::list result;
  for (const auto& index : *self.indexes().list()) {
    const auto& [schema, params] = index->definition();
    const auto content = index->content();
    const nb::object points = content ? nb::object(nb::int_(content->points())) : nb::none();
    result.append(nb::make_tuple(nb::str(schema.key.c_str(), schema.key.size()),
                                 name_of(schema.kind), nb::bytes(params.data(), params.size()),
                                 points));
  }
  return result;
}

void bind_collection(nb::module_& module) {
  nb::class_<Collection>(module, "Collection")
      .def_prop_ro("name", [](const Collection& self) { return self.name(); })
      .def_prop_ro("config",
                   [](const Collection& self) {
                     const auto config = self.config();
                     return nb::bytes(config.data(), config.size());
                   })
      .def_prop_ro("config_version", [](const Collection& self) { return self.config_version(); })
      .def_prop_ro("fields", [](const Collection& self) { return self.fields(); })
      .def_prop_ro("sparse", [](const Collection& self) { return self.sparse_names(); })
      .def_prop_ro("multivectors", [](const Collection& self) { return self.multivectors(); })
      .def("indexes", &payload_indexes)
      .def("count", [](const Collection& self) { return self.view()->points; })
      .def("statistics", &collection_statistics);
}

std::vector<std::byte> copy_of(const nb::bytes& bytes) {
  const auto* begin = static_cast<const std::byte*>(bytes.data());
  return {begin, begin + bytes.size()};
}

// Each as (what, alias, target): create, delete or rename.
std::vector<engine::AliasAction> to_alias_actions(
    const std::vector<std::tuple<std::string, std::string, std::string>>& given) {
  using Kind = engine::AliasAction::Kind;
  std::vector<engine::AliasAction> actions;
  actions.reserve(given.size());
  for (const auto& [what, alias, target] : given) {
    ASSERT(what == "create" || what == "delete" || what == "rename");
    const Kind kind = what == "create"   ? Kind::create
                      : what == "delete" ? Kind::remove
                                         : Kind::rename;
    actions.push_back({kind, alias, target});
  }
  return actions;
}

// Of each file: its name in the collection's folder, a descriptor, and how many bytes count.
nb::list snapshot_files(const Snapshot& self) {
  nb::list result;
  for (const Snapshot::File& file : self.files()) {
    result.append(nb::make_tuple(file.name, file.file->fd(), file.bytes));
  }
  return result;
}

void bind_snapshot(nb::module_& module) {
  nb::class_<Snapshot>(module, "Snapshot")
      .def_prop_ro("operation_id", &Snapshot::lsn)
      .def("files", &snapshot_files)
      .def("release", &Snapshot::release, nb::call_guard<nb::gil_scoped_release>());
}

void bind_opening(nb::module_& module) {
  using engine::Opening;
  nb::class_<Opening>(module, "Opening")
      .def(nb::init<>())
      .def("progress", [](const Opening& self) { return opening_progress(self); })
      .def("stop", &Opening::stop);
}

void bind_engine(nb::module_& module) {
  nb::class_<EngineHandle> engine(module, "Engine");
  engine
      .def_static("open", &open_engine, nb::rv_policy::take_ownership, "path"_a, nb::kw_only(),
                  "async_scorer"_a, "durability"_a, "workers"_a, "io_depth"_a, "direct_io"_a,
                  "cache_bytes"_a, "prewarm"_a, "indexing_threshold_kb"_a, "max_segment_kb"_a,
                  "deleted_threshold"_a, "vacuum_min_vector_number"_a, "default_segment_number"_a,
                  "flush_interval_s"_a, "wal_capacity_bytes"_a = uint64_t{32} << 20, "fault"_a = "",
                  "opening"_a.none() = nb::none())
      .def("close", &EngineHandle::close)
      .def("event_fd", [](EngineHandle& self) { return self.get().completions().fd(); })
      .def("drain", &EngineHandle::drain)
      .def("drop",
           [](EngineHandle& self, uint64_t ticket) { self.get().completions().drop(ticket); })
      .def("collections", [](EngineHandle& self) { return self.get().collections(); })
      .def("broken_collections",
           [](EngineHandle& self) {
             nb::list result;
             for (const auto& broken : self.get().broken()) {
               result.append(nb::make_tuple(broken.name, to_python_error(broken.error)));
             }
             return result;
           })
      .def("statistics", [](EngineHandle& self) { return store_statistics(self.get()); })
      .def(
          "submit_create_collection",
          [](EngineHandle& self, const std::string& name, const nb::bytes& config,
             std::vector<segment::Field> fields, std::vector<std::string> sparse,
             std::vector<segment::Field> multivectors, const engine::OptimizerOverrides& optimizers,
             uint64_t log_file_bytes) {
            if (fields.size() + sparse.size() + multivectors.size() > base::k_fields_max) {
              raise(base::invalid_argument("a collection has at most " +
                                           std::to_string(base::k_fields_max) + " vectors"));
            }
            const uint64_t ticket = self.get().next_ticket();
            self.get().create_collection(
                ticket, {name, std::move(fields), copy_of(config), 0, std::move(sparse),
                         std::move(multivectors), optimizers, log_file_bytes});
            return ticket;
          },
          "name"_a, "config"_a, "fields"_a, "sparse"_a = std::vector<std::string>(),
          "multivectors"_a = std::vector<segment::Field>(),
          "optimizers"_a = engine::OptimizerOverrides(), "log_file_bytes"_a = 0)
      .def("submit_configure_collection",
           [](EngineHandle& self, const std::shared_ptr<Collection>& collection,
              const nb::bytes& expected, const nb::bytes& config,
              const engine::OptimizerOverrides& optimizers) {
             const uint64_t ticket = self.get().next_ticket();
             self.get().configure_collection(ticket, collection, copy_of(expected), copy_of(config),
                                             optimizers);
             return ticket;
           })
      .def("submit_delete_collection",
           [](EngineHandle& self, const std::string& name) {
             const uint64_t ticket = self.get().next_ticket();
             self.get().delete_collection(ticket, name);
             return ticket;
           })
      .def("aliases",
           [](EngineHandle& self) {
             auto aliases = self.get().aliases();
             if (!aliases.ok()) {
               raise(aliases.error());
             }
             return std::move(aliases.value());
           })
      .def("submit_update_aliases",
           [](EngineHandle& self,
              const std::vector<std::tuple<std::string, std::string, std::string>>& actions) {
             const uint64_t ticket = self.get().next_ticket();
             self.get().update_aliases(ticket, to_alias_actions(actions));
             return ticket;
           })
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
      .def("submit_snapshot",
           [](EngineHandle& self, const std::shared_ptr<Collection>& collection) {
             const uint64_t ticket = self.get().next_ticket();
             self.get().snapshot(ticket, collection);
             return ticket;
           })
      .def("submit_recover_collections",
           [](EngineHandle& self, nb::list brought) {
             std::vector<Engine::Brought> all;
             for (nb::handle one : brought) {
               all.push_back({nb::cast<std::string>(one[0]), nb::cast<std::string>(one[1])});
             }
             const uint64_t ticket = self.get().next_ticket();
             self.get().recover_collections(ticket, std::move(all));
             return ticket;
           })
      .def("submit_check",
           [](EngineHandle& self, const std::shared_ptr<Collection>& collection, bool repair) {
             const uint64_t ticket = self.get().next_ticket();
             self.get().check(ticket, collection, repair);
             return ticket;
           });
  bind_writes(engine);
  bind_reads(engine);
}

// What the build takes for granted (native/CMakeLists.txt).
void refuse_old_processors() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("sse4.2") == 0 || __builtin_cpu_supports("popcnt") == 0) {
    throw nb::import_error("asyncstore needs a processor with SSE4.2 and POPCNT (x86-64-v2)");
  }
#endif
}

}  // namespace

NB_MODULE(_native, module) {
  refuse_old_processors();
  make_error_class(module);
  bind_long_replies(module);
  bind_long_filters(module);
  bind_field(module);
  bind_optimizer_overrides(module);
  bind_collection(module);
  bind_snapshot(module);
  bind_opening(module);
  bind_engine(module);
  module.attr("WRITE_POINTS_MAX") = base::k_write_points_max;
  module.attr("WRITE_BYTES_MAX") = base::k_write_bytes_max;
  module.attr("DIM_MAX") = base::k_dim_max;
  module.attr("CANDIDATES_MAX") = base::k_candidates_max;
  module.attr("FORMAT_VERSION") = 1;
  module.def("check_payload", [](nb::bytes text) {
    const auto* begin = static_cast<const std::byte*>(text.data());
    const base::Bytes bytes(begin, text.size());
    const base::Status sound = [bytes] {
      const nb::gil_scoped_release released;
      return payload::check(bytes);
    }();
    if (!sound.ok()) {
      raise(sound.error());
    }
  });
  module.def("parse_numbers", [](nb::bytes text) -> nb::object {
    auto numbers = payload::parse_numbers({text.c_str(), text.size()});
    return numbers ? to_python(std::move(*numbers)) : nb::none();
  });
  module.def(
      "check_path", [](nb::handle path) { return path_of(path).steps().size(); }, "path"_a.none());
  module.def("parse_datetime", [](const std::string& text) -> nb::object {
    const auto time = filter::parse_datetime(text);
    return time ? nb::object(nb::int_(*time)) : nb::none();
  });
  module.def("available_memory_bytes", [] { return base::available_memory_bytes(); });
  module.def("isa", [] { return simd::name(simd::kernels().isa); });
  module.def("parse_point_id", [](nb::object id) { return to_python(id_of(id, 0)); });
}

}  // namespace asyncstore::python
