#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "base/limits.h"
#include "python/convert.h"
#include "python/engine_handle.h"
#include "python/filter_input.h"
#include "python/submit.h"
#include "python/text_input.h"
#include "python/vector_input.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace asyncstore::python {

using engine::Collection;
using engine::Kind;
using engine::OperationInput;
using engine::UpdateMode;
using engine::WriteJob;

namespace {

using CollectionHandle = std::shared_ptr<Collection>;

// The shape (n, dim) of a field; anything else is the caller's mistake.
const float* rows_of(const FloatArray& array, const segment::Field& field, size_t rows) {
  if (array.ndim() != 2 || array.shape(0) != rows || array.shape(1) != field.dim) {
    raise(base::invalid_argument("vectors must have the shape (" + std::to_string(rows) + ", " +
                                 std::to_string(field.dim) + ")"));
  }
  return array.data();
}

OperationInput operation_of(Kind kind, nb::handle ids) {
  OperationInput operation;
  operation.kind = kind;
  operation.ids = ids_of(ids);
  if (operation.ids.size() > base::k_write_points_max) {
    raise(base::invalid_argument("a write takes at most " +
                                 std::to_string(base::k_write_points_max) + " points"));
  }
  return operation;
}

void check_points(const FlatArray<uint64_t>& offsets, size_t points) {
  if (offsets.shape(0) != points + 1) {
    raise(base::invalid_argument("there must be one vector, which may count as absent, a point"));
  }
}

engine::SparseInput sparse_of(nb::handle given, uint32_t sparse, size_t points) {
  const SparseArrays arrays = sparse_arrays_of(given);
  check_points(arrays.offsets, points);
  return {sparse, arrays.offsets.data(), arrays.indices.data(), arrays.values.data(), nullptr};
}

engine::MultivectorInput multivector_of(nb::handle given, uint32_t multivector,
                                        const segment::Field& field, size_t points) {
  const MultivectorArrays arrays = multivector_arrays_of(given, field.dim);
  check_points(arrays.offsets, points);
  return {multivector, arrays.offsets.data(), arrays.rows.data(), nullptr};
}

const bool* mask_of(nb::dict present, nb::handle number, size_t points) {
  if (!present.contains(number)) {
    return nullptr;
  }
  const auto mask = nb::cast<BoolArray>(present[number], false);
  if (mask.shape(0) != points) {
    raise(base::invalid_argument("the mask of present vectors must have one element a point"));
  }
  return mask.data();
}

void add_vectors(OperationInput& operation, const Collection& collection, nb::dict vectors,
                 nb::dict present) {
  const size_t points = operation.ids.size();
  const engine::Schema schema = collection.schema();
  for (auto [key, value] : vectors) {
    const auto number = nb::cast<uint32_t>(key);
    check_vector(collection, number);
    if (number >= schema.dense() + schema.sparse) {
      const uint32_t at = number - schema.dense() - schema.sparse;
      engine::MultivectorInput multivector =
          multivector_of(value, at, schema.multivectors[at], points);
      multivector.present = mask_of(present, key, points);
      operation.multivectors.push_back(multivector);
      continue;
    }
    if (number >= schema.dense()) {
      engine::SparseInput sparse = sparse_of(value, number - schema.dense(), points);
      sparse.present = mask_of(present, key, points);
      operation.sparse.push_back(sparse);
      continue;
    }
    engine::FieldInput field;
    field.field = number;
    const auto array = nb::cast<FloatArray>(value, false);
    field.values = rows_of(array, collection.fields()[number], points);
    field.present = mask_of(present, key, points);
    operation.fields.push_back(field);
  }
}

base::Bytes bytes_of(nb::handle text) {
  if (PyBytes_Check(text.ptr()) == 0) {
    raise(base::invalid_argument("a payload must be bytes"));
  }
  return {reinterpret_cast<const std::byte*>(PyBytes_AsString(text.ptr())),
          static_cast<size_t>(PyBytes_Size(text.ptr()))};
}

void add_payloads(OperationInput& operation, nb::handle payloads) {
  if (payloads.is_none()) {
    return;
  }
  constexpr size_t k_empty_object_bytes = 2;
  for (nb::handle text : payloads) {
    const base::Bytes given = text.is_none() ? base::Bytes() : bytes_of(text);
    operation.payloads.push_back(given.size() > k_empty_object_bytes ? given : base::Bytes());
  }
  if (operation.payloads.size() != operation.ids.size()) {
    raise(base::invalid_argument("there must be one payload, or None, a point"));
  }
}

UpdateMode mode_of(const std::string& mode) {
  if (mode == "upsert") {
    return UpdateMode::upsert;
  }
  if (mode == "insert_only") {
    return UpdateMode::insert_only;
  }
  if (mode == "update_only") {
    return UpdateMode::update_only;
  }
  raise(base::invalid_argument("unknown update mode '" + mode + "'"));
}

engine::PayloadChange::Action action_of(const std::string& action) {
  using Action = engine::PayloadChange::Action;
  if (action == "merge") {
    return Action::merge;
  }
  if (action == "replace") {
    return Action::replace;
  }
  if (action == "remove") {
    return Action::remove;
  }
  raise(base::invalid_argument("unknown payload action '" + action + "'"));
}

uint64_t submit(EngineHandle& self, const CollectionHandle& collection, WriteJob job,
                nb::object borrowed) {
  const uint64_t ticket = self.get().next_ticket();
  if (!self.get().write(ticket, collection, std::move(job))) {
    return 0;
  }
  self.keep(ticket, std::move(borrowed));
  return ticket;
}

uint64_t submit_upsert(EngineHandle& self, const CollectionHandle& collection, nb::object ids,
                       nb::dict vectors, nb::dict present, nb::object payloads,
                       const std::string& mode, nb::object update_filter) {
  WriteJob job;
  job.operation = operation_of(Kind::upsert, ids);
  job.mode = mode_of(mode);
  job.filter = filter_of(*collection, update_filter);
  add_vectors(job.operation, *collection, vectors, present);
  add_payloads(job.operation, payloads);
  return submit(self, collection, std::move(job), nb::make_tuple(vectors, present, payloads));
}

uint64_t submit_delete(EngineHandle& self, const CollectionHandle& collection, nb::object ids,
                       nb::object update_filter) {
  WriteJob job;
  job.operation = operation_of(Kind::remove, ids);
  job.filter = filter_of(*collection, update_filter);
  return submit(self, collection, std::move(job), nb::none());
}

uint64_t submit_set_vectors(EngineHandle& self, const CollectionHandle& collection, nb::object ids,
                            nb::dict vectors, nb::dict present, nb::object update_filter) {
  WriteJob job;
  job.operation = operation_of(Kind::set_vectors, ids);
  job.must_exist = true;
  job.filter = filter_of(*collection, update_filter);
  add_vectors(job.operation, *collection, vectors, present);
  return submit(self, collection, std::move(job), nb::make_tuple(vectors, present));
}

uint64_t submit_delete_vectors(EngineHandle& self, const CollectionHandle& collection,
                               nb::object ids, const std::vector<uint32_t>& fields,
                               nb::object update_filter) {
  WriteJob job;
  job.operation = operation_of(Kind::delete_vectors, ids);
  job.filter = filter_of(*collection, update_filter);
  job.must_exist = !job.filter;  // with a filter, the ids are those that passed a moment ago
  const engine::Schema schema = collection->schema();
  for (const uint32_t number : fields) {
    check_vector(*collection, number);
    if (number < schema.dense()) {
      job.operation.fields.push_back({number, nullptr, nullptr});
    } else if (number < schema.dense() + schema.sparse) {
      job.operation.sparse.push_back({number - schema.dense(), nullptr, nullptr, nullptr, nullptr});
    } else {
      job.operation.multivectors.push_back(
          {number - schema.dense() - schema.sparse, nullptr, nullptr, nullptr});
    }
  }
  return submit(self, collection, std::move(job), nb::none());
}

uint64_t submit_change_payload(EngineHandle& self, const CollectionHandle& collection,
                               nb::object ids, const std::string& action, nb::object value,
                               nb::object path, nb::list keys, nb::object update_filter) {
  WriteJob job;
  job.operation = operation_of(Kind::set_payload, ids);
  job.filter = filter_of(*collection, update_filter);
  job.must_exist = !job.filter;
  engine::PayloadChange change;
  change.action = action_of(action);
  if (!value.is_none()) {
    change.value = bytes_of(value);
  }
  if (!path.is_none()) {
    change.path = path_of(path);
  }
  for (nb::handle key : keys) {
    change.keys.push_back(path_of(key));
  }
  job.change = std::move(change);
  return submit(self, collection, std::move(job), std::move(value));
}

uint64_t submit_create_index(EngineHandle& self, const CollectionHandle& collection,
                             nb::handle field, const std::string& kind, bool lookup, bool range,
                             nb::object params, nb::handle text) {
  const base::Bytes given = bytes_of(params);
  WriteJob job;
  job.operation.kind = Kind::create_index;
  job.operation.payload_index = {{path_of(field), nb::cast<std::string>(field), index_kind_of(kind),
                                  lookup, range, analyzer_of(kind, text)},
                                 {given.begin(), given.end()}};
  return submit(self, collection, std::move(job), nb::none());
}

uint64_t submit_drop_index(EngineHandle& self, const CollectionHandle& collection,
                           nb::handle field) {
  WriteJob job;
  job.operation.kind = Kind::drop_index;
  job.operation.payload_index = {{path_of(field), nb::cast<std::string>(field)}, {}};
  return submit(self, collection, std::move(job), nb::none());
}

uint64_t submit_build_index(EngineHandle& self, const CollectionHandle& collection,
                            const std::string& field) {
  const uint64_t ticket = self.get().next_ticket();
  self.get().build_index(ticket, collection, field);
  return ticket;
}

}  // namespace

void bind_writes(nb::handle engine_class) {
  auto engine = nb::cast<nb::class_<EngineHandle>>(engine_class);
  engine
      .def("submit_upsert", &submit_upsert, "collection"_a, "ids"_a, "vectors"_a, "present"_a,
           "payloads"_a.none() = nb::none(), "mode"_a = "upsert",
           "update_filter"_a.none() = nb::none())
      .def("submit_create_index", &submit_create_index, "collection"_a, "field"_a, "kind"_a,
           "lookup"_a, "range"_a, "params"_a, "text"_a.none())
      .def("submit_drop_index", &submit_drop_index, "collection"_a, "field"_a)
      .def("submit_build_index", &submit_build_index, "collection"_a, "field"_a)
      .def("submit_delete", &submit_delete, "collection"_a, "ids"_a,
           "update_filter"_a.none() = nb::none())
      .def("submit_set_vectors", &submit_set_vectors, "collection"_a, "ids"_a, "vectors"_a,
           "present"_a, "update_filter"_a.none() = nb::none())
      .def("submit_delete_vectors", &submit_delete_vectors, "collection"_a, "ids"_a, "fields"_a,
           "update_filter"_a.none() = nb::none())
      .def("submit_change_payload", &submit_change_payload, "collection"_a, "ids"_a, "action"_a,
           "value"_a.none(), "path"_a.none(), "keys"_a, "update_filter"_a.none() = nb::none());
}

}  // namespace asyncstore::python
