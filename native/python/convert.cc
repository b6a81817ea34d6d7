#include "python/convert.h"

#include <nanobind/ndarray.h>
#include <nanobind/stl/shared_ptr.h>

#include <cstring>
#include <memory>
#include <utility>

#include "base/limits.h"
#include "engine/collection.h"
#include "engine/snapshot.h"
#include "index/graph_layout.h"
#include "python/long_reply.h"
#include "quantize/factory.h"
#include "sparse/sparse_vector.h"

namespace nb = nanobind;

namespace asyncstore::python {

using points::PointId;

namespace {

// The class lives as long as the interpreter.
nb::handle native_error;

// Every code of the engine and its name in Python.
const char* code_name(base::Code code) {
  switch (code) {
    case base::Code::invalid_argument:
      return "invalid_argument";
    case base::Code::dimension_mismatch:
      return "dimension_mismatch";
    case base::Code::collection_not_found:
      return "collection_not_found";
    case base::Code::point_not_found:
      return "point_not_found";
    case base::Code::already_exists:
      return "already_exists";
    case base::Code::closed:
      return "closed";
    case base::Code::failed:
      return "failed";
    case base::Code::locked:
      return "locked";
    case base::Code::corruption:
      return "corruption";
    case base::Code::io:
      return "io";
    case base::Code::unsupported:
      return "unsupported";
  }
  return "failed";
}

// An array that owns its memory.
template <typename T>
nb::object owning_array(std::vector<T> values, std::initializer_list<size_t> shape) {
  auto* held = new std::vector<T>(std::move(values));
  nb::capsule owner(held,
                    [](void* pointer) noexcept { delete static_cast<std::vector<T>*>(pointer); });
  return nb::cast(nb::ndarray<nb::numpy, T>(held->data(), shape, owner));
}

// The vectors of one name as (present, offsets, indices, values): those of point i are at
// offsets[i] … offsets[i + 1] - 1.
nb::object sparse_of(engine::SparseVectors vectors) {
  const size_t points = vectors.present.size();
  std::vector<uint64_t> offsets = {0};
  offsets.reserve(points + 1);
  for (const auto& value : vectors.values) {
    offsets.push_back(offsets.back() + sparse::elements_of(value.size()));
  }
  const size_t elements = offsets.back();
  std::vector<uint32_t> indices(elements);
  std::vector<float> values(elements);
  for (size_t i = 0; i < points; ++i) {
    const size_t count = offsets[i + 1] - offsets[i];
    if (count > 0) {
      const std::byte* stored = vectors.values[i].data();
      std::memcpy(indices.data() + offsets[i], stored, count * sizeof(uint32_t));
      std::memcpy(values.data() + offsets[i], stored + count * sizeof(uint32_t),
                  count * sizeof(float));
    }
  }
  nb::object present = owning_array(std::move(vectors.present), {points});
  return nb::make_tuple(
      present.attr("view")("bool"), owning_array(std::move(offsets), {points + 1}),
      owning_array(std::move(indices), {elements}), owning_array(std::move(values), {elements}));
}

// The multivectors of one name as (present, offsets, rows): those of point i are rows offsets[i] …
// offsets[i + 1] - 1.
nb::object multivectors_of(engine::Multivectors vectors) {
  const size_t points = vectors.present.size();
  const size_t rows = vectors.offsets.back();
  const size_t dim = vectors.dim;
  nb::object present = owning_array(std::move(vectors.present), {points});
  return nb::make_tuple(present.attr("view")("bool"),
                        owning_array(std::move(vectors.offsets), {points + 1}),
                        owning_array(std::move(vectors.rows), {rows, dim}));
}

nb::object vectors_of(engine::Rows& rows) {
  nb::dict result;
  for (auto& vectors : rows.sparse) {
    const nb::int_ number(vectors.field);
    result[number] = sparse_of(std::move(vectors));
  }
  for (auto& vectors : rows.multivectors) {
    const nb::int_ number(vectors.field);
    result[number] = multivectors_of(std::move(vectors));
  }
  for (auto& vectors : rows.vectors) {
    const size_t points = vectors.present.size();
    const size_t dim = vectors.dim;
    nb::object present = owning_array(std::move(vectors.present), {points});
    result[nb::int_(vectors.field)] = nb::make_tuple(
        present.attr("view")("bool"), owning_array(std::move(vectors.values), {points, dim}));
  }
  return result;
}

// Rows, and bytes of their payloads, that become Python's in about 0.1 ms; more of them are made
// objects later.
constexpr size_t k_listed_rows = 512;
constexpr uint64_t k_listed_bytes = 256 << 10;

using Payload = std::vector<std::byte>;

// None where there is none; the text's memory is free again.
nb::object payload_of(Payload& stored) {
  const Payload text = std::move(stored);
  if (text.empty()) {
    return nb::none();
  }
  return nb::bytes(reinterpret_cast<const char*>(text.data()), text.size());
}

// None where none was asked for.
nb::object payloads_of(engine::Rows& rows) {
  if (rows.payloads.size() != rows.ids.size() || rows.ids.empty()) {
    return nb::none();
  }
  uint64_t size_bytes = 0;
  for (const Payload& text : rows.payloads) {
    size_bytes += text.size();
  }
  if (rows.payloads.size() > k_listed_rows || size_bytes > k_listed_bytes) {
    return nb::cast(LongReply(std::move(rows.payloads)));
  }
  nb::list payloads;
  for (Payload& text : rows.payloads) {
    payloads.append(payload_of(text));
  }
  return payloads;
}

nb::object scalar_of(const filter::Scalar& scalar) {
  return std::visit(
      []<typename T>(const T& one) -> nb::object {
        if constexpr (std::is_same_v<T, std::string>) {
          return nb::str(one.c_str(), one.size());
        } else {
          return nb::cast(one);
        }
      },
      scalar);
}

nb::object count_of(const fields::ValueCount& counted) {
  return nb::make_tuple(scalar_of(counted.value), counted.slots);
}

nb::object long_rows_of(engine::Rows rows) {
  const size_t count = rows.ids.size();
  nb::object payloads = payloads_of(rows);
  nb::object vectors = vectors_of(rows);
  const size_t scores = rows.scores.size();
  return nb::make_tuple(LongReply(std::move(rows.ids)),
                        owning_array(std::move(rows.scores), {scores}),
                        owning_array(std::move(rows.versions), {count}), vectors, payloads);
}

nb::object rows_of(engine::Rows rows) {
  if (rows.ids.size() > k_listed_rows) {
    return long_rows_of(std::move(rows));
  }
  nb::list ids;
  nb::list scores;
  nb::list versions;
  for (const PointId& id : rows.ids) {
    ids.append(to_python(id));
  }
  for (const float score : rows.scores) {
    scores.append(static_cast<double>(score));
  }
  for (const uint64_t version : rows.versions) {
    versions.append(version);
  }
  nb::object payloads = payloads_of(rows);
  return nb::make_tuple(ids, scores, versions, vectors_of(rows), payloads);
}

// A (n,) array of uint64; as they are where a UUID is among them.
nb::object ids_to_python(engine::Ids ids) {
  if (ids.has_uuid) {
    return nb::cast(LongReply(std::move(ids.ids)));
  }
  std::vector<uint64_t> integers;
  integers.reserve(ids.ids.size());
  for (const PointId& id : ids.ids) {
    integers.push_back(id.low);
  }
  const size_t count = integers.size();
  return owning_array(std::move(integers), {count});
}

nb::object batch_of(engine::Batch batch) {
  const size_t queries = batch.queries;
  const size_t limit = batch.limit;
  nb::object ids;
  if (batch.has_uuid) {
    ids = nb::cast(LongReply(std::move(batch.ids)));
  } else {
    std::vector<uint64_t> integers;
    integers.reserve(batch.ids.size());
    for (const PointId& id : batch.ids) {
      integers.push_back(id.low);
    }
    ids = owning_array(std::move(integers), {queries, limit});
  }
  return nb::make_tuple(ids, owning_array(std::move(batch.scores), {queries, limit}),
                        owning_array(std::move(batch.counts), {queries}));
}

struct ToPython {
  nb::object operator()(std::monostate) const { return nb::none(); }
  nb::object operator()(bool value) const { return nb::bool_(value); }
  nb::object operator()(uint64_t value) const { return nb::int_(value); }
  nb::object operator()(std::shared_ptr<engine::Collection> value) const {
    return nb::cast(std::move(value));
  }
  nb::object operator()(std::shared_ptr<engine::Snapshot> value) const {
    return nb::cast(std::move(value));
  }
  nb::object operator()(engine::Rows value) const { return rows_of(std::move(value)); }
  nb::object operator()(engine::Groups value) const {
    nb::list groups;
    for (const auto& group : value.groups) {
      nb::list hits;
      for (const uint32_t hit : group.hits) {
        hits.append(hit);
      }
      groups.append(nb::make_tuple(scalar_of(group.key), hits, group.is_settled));
    }
    return nb::make_tuple(rows_of(std::move(value.rows)), groups, value.are_all);
  }
  nb::object operator()(engine::ScrollPage value) const {
    nb::object next = value.next ? to_python(*value.next) : nb::none();
    return nb::make_tuple(rows_of(std::move(value.rows)), next);
  }
  nb::object operator()(engine::Ids value) const { return ids_to_python(std::move(value)); }
  nb::object operator()(engine::OrderedIds value) const {
    return nb::make_tuple(LongReply(std::move(value.ids)), LongReply(std::move(value.values)));
  }
  nb::object operator()(std::vector<fields::ValueCount> value) const {
    return nb::cast(LongReply(std::move(value)));
  }
  nb::object operator()(engine::Batch value) const { return batch_of(std::move(value)); }
  nb::object operator()(const std::vector<engine::Finding>& value) const {
    nb::list findings;
    for (const auto& finding : value) {
      findings.append(nb::make_tuple(
          finding.error ? "error" : "note", nb::str(finding.file.c_str(), finding.file.size()),
          finding.offset_bytes, nb::str(finding.text.c_str(), finding.text.size()),
          finding.repairable, finding.repaired));
    }
    return findings;
  }
};

template <typename T, size_t N>
T parsed(const std::string& text, const char* what, const std::pair<const char*, T> (&known)[N]) {
  for (const auto& [name, value] : known) {
    if (text == name) {
      return value;
    }
  }
  raise(base::invalid_argument(std::string("unknown ") + what + " '" + text + "'"));
}

constexpr std::pair<const char*, fields::Kind> k_index_kinds[] = {
    {"keyword", fields::Kind::keyword},   {"integer", fields::Kind::integer},
    {"float", fields::Kind::real},        {"bool", fields::Kind::boolean},
    {"datetime", fields::Kind::datetime}, {"uuid", fields::Kind::uuid},
    {"geo", fields::Kind::geo},           {"text", fields::Kind::text}};
constexpr std::pair<const char*, segment::Distance> k_distances[] = {
    {"Cosine", segment::Distance::cosine},
    {"Dot", segment::Distance::dot},
    {"Euclid", segment::Distance::euclid},
    {"Manhattan", segment::Distance::manhattan}};
constexpr std::pair<const char*, segment::Datatype> k_datatypes[] = {
    {"float32", segment::Datatype::float32},
    {"float16", segment::Datatype::float16},
    {"uint8", segment::Datatype::uint8}};
constexpr std::pair<const char*, quantize::Kind> k_kinds[] = {
    {"none", quantize::Kind::none},
    {"scalar_int8", quantize::Kind::scalar_int8},
    {"product", quantize::Kind::product},
    {"binary", quantize::Kind::binary},
    {"rabitq", quantize::Kind::rabitq}};
constexpr std::pair<const char*, quantize::BinaryEncoding> k_encodings[] = {
    {"one_bit", quantize::BinaryEncoding::one_bit},
    {"one_and_half_bits", quantize::BinaryEncoding::one_and_half_bits},
    {"two_bits", quantize::BinaryEncoding::two_bits}};
constexpr std::pair<const char*, quantize::QueryEncoding> k_query_encodings[] = {
    {"default", quantize::QueryEncoding::standard},
    {"binary", quantize::QueryEncoding::binary},
    {"scalar4bits", quantize::QueryEncoding::scalar4bits},
    {"scalar8bits", quantize::QueryEncoding::scalar8bits}};

template <typename T, size_t N>
const char* name_in(T value, const std::pair<const char*, T> (&known)[N]) {
  for (const auto& [name, candidate] : known) {
    if (value == candidate) {
      return name;
    }
  }
  return "";
}

}  // namespace

void make_error_class(nb::module_& module) {
  nb::object created = nb::steal(PyErr_NewExceptionWithDoc(
      "asyncstore._native.NativeError",
      "An error of the core: code, message, file, offset_bytes, os_errno.", nullptr, nullptr));
  native_error = created.ptr();
  Py_INCREF(native_error.ptr());
  module.attr("NativeError") = created;
}

void bind_long_replies(nb::module_& module) {
  bind_long_reply<PointId>(module, "PointIds", [](const PointId& id) { return to_python(id); });
  bind_long_reply<Payload>(module, "Payloads", payload_of);
  bind_long_reply<filter::Number>(module, "OrderValues", [](const filter::Number& value) {
    return std::visit([](auto number) { return nb::cast(number); }, value);
  });
  bind_long_reply<fields::ValueCount>(module, "ValueCounts", count_of);
}

nb::object to_python_error(const base::Error& error) {
  const nb::str message(error.message.c_str(), error.message.size());
  nb::object instance = native_error(message);
  instance.attr("code") = code_name(error.code);
  instance.attr("message") = message;
  instance.attr("file") = nb::str(error.file.c_str(), error.file.size());
  instance.attr("offset_bytes") = error.offset_bytes;
  instance.attr("os_errno") = error.os_errno;
  return instance;
}

void raise(const base::Error& error) {
  const nb::object instance = to_python_error(error);
  PyErr_SetObject(native_error.ptr(), instance.ptr());
  throw nb::python_error();
}

PointId id_of(nb::handle id, size_t position) {
  if (PyLong_CheckExact(id.ptr()) != 0) {
    const unsigned long long value = PyLong_AsUnsignedLongLong(id.ptr());
    if (value != static_cast<unsigned long long>(-1) || PyErr_Occurred() == nullptr) {
      return PointId::integer(value);
    }
    PyErr_Clear();
  } else if (PyUnicode_Check(id.ptr()) != 0) {
    Py_ssize_t size = 0;
    const char* text = PyUnicode_AsUTF8AndSize(id.ptr(), &size);
    if (text != nullptr) {
      if (const auto parsed_id = PointId::parse_uuid({text, static_cast<size_t>(size)})) {
        return *parsed_id;
      }
    } else {
      PyErr_Clear();  // lone surrogates: no UUID either
    }
  }
  const nb::str shown = nb::repr(id);
  raise(base::invalid_argument("id " + std::string(shown.c_str()) + " at position " +
                               std::to_string(position) +
                               " is neither an integer from 0 to 18446744073709551615 nor a UUID"));
}

std::vector<PointId> ids_of(nb::handle ids) {
  using IdArray = nb::ndarray<const uint64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
  std::vector<PointId> result;
  IdArray array;
  if (nb::try_cast<IdArray>(ids, array, false)) {
    result.reserve(array.shape(0));
    for (size_t i = 0; i < array.shape(0); ++i) {
      result.push_back(PointId::integer(array.data()[i]));
    }
    return result;
  }
  if (const LongReply<PointId>* known = nullptr; nb::try_cast(ids, known, false)) {
    const auto elements = known->elements();
    return {elements.begin(), elements.end()};
  }
  result.reserve(nb::len(ids));
  for (nb::handle id : ids) {
    result.push_back(id_of(id, result.size()));
  }
  return result;
}

nb::object to_python(const PointId& id) {
  if (!id.is_uuid) {
    return nb::int_(id.low);
  }
  const std::string text = id.text();
  return nb::str(text.c_str(), text.size());
}

payload::Path path_of(nb::handle text) {
  Py_ssize_t size = 0;
  const char* bytes =
      PyUnicode_Check(text.ptr()) != 0 ? PyUnicode_AsUTF8AndSize(text.ptr(), &size) : nullptr;
  if (bytes == nullptr) {  // no text, or one with lone surrogates
    PyErr_Clear();
    const nb::str shown = nb::repr(text);
    raise(base::invalid_argument(std::string(shown.c_str()) + " is not a JSON path."));
  }
  auto path = payload::Path::parse({bytes, static_cast<size_t>(size)});
  if (!path.ok()) {
    raise(path.error());
  }
  return std::move(path.value());
}

void check_field(const engine::Collection& collection, uint32_t field) {
  if (field >= collection.fields().size()) {
    raise(base::invalid_argument("there is no field number " + std::to_string(field)));
  }
}

void check_vector(const engine::Collection& collection, uint32_t number) {
  if (number >= collection.schema().vectors()) {
    raise(base::invalid_argument("there is no vector number " + std::to_string(number)));
  }
}

nb::object to_python(std::vector<float> numbers) {
  const size_t count = numbers.size();
  return owning_array(std::move(numbers), {count});
}

nb::object to_python(engine::Value value) {
  return std::visit(ToPython{}, std::move(value));
}

segment::Field field_of(const std::string& name, uint32_t dim, const std::string& distance,
                        const std::string& datatype, const quantize::Config& quantization,
                        const segment::GraphSettings& graph) {
  segment::Field field{name,
                       dim,
                       parsed(distance, "distance", k_distances),
                       parsed(datatype, "datatype", k_datatypes),
                       quantization,
                       graph};
  const base::Status possible =
      quantize::check(quantization, dim, segment::metric_of(field.distance));
  if (!possible.ok()) {
    raise(possible.error());
  }
  if (!segment::is_possible(graph)) {
    raise(base::invalid_argument("hnsw_config: m " + std::to_string(graph.m) + " or ef_construct " +
                                 std::to_string(graph.ef_construct) + " invalid: m must be 0 or " +
                                 std::to_string(index::k_m_min) + " to " +
                                 std::to_string(index::k_m_max) + ", ef_construct 4 or larger"));
  }
  return field;
}

quantize::Config quantization_of(const std::string& kind, float quantile, uint8_t bits,
                                 uint8_t compression, const std::string& encoding,
                                 const std::string& query_encoding) {
  return {.kind = parsed(kind, "quantization", k_kinds),
          .quantile = quantile,
          .bits = bits,
          .compression = compression,
          .encoding = parsed(encoding, "encoding", k_encodings),
          .query_encoding = parsed(query_encoding, "query_encoding", k_query_encodings)};
}

const char* name_of(fields::Kind kind) {
  return name_in(kind, k_index_kinds);
}
fields::Kind index_kind_of(const std::string& text) {
  return parsed(text, "kind of index", k_index_kinds);
}
const char* name_of(segment::Distance distance) {
  return name_in(distance, k_distances);
}
const char* name_of(segment::Datatype datatype) {
  return name_in(datatype, k_datatypes);
}
const char* name_of(quantize::Kind kind) {
  return name_in(kind, k_kinds);
}
const char* name_of(quantize::BinaryEncoding encoding) {
  return name_in(encoding, k_encodings);
}
const char* name_of(quantize::QueryEncoding encoding) {
  return name_in(encoding, k_query_encodings);
}

engine::Choice choice_of(const std::string& text) {
  constexpr std::pair<const char*, engine::Choice> k_choices[] = {
      {"auto", engine::Choice::automatic},
      {"true", engine::Choice::yes},
      {"false", engine::Choice::no}};
  return parsed(text, "choice", k_choices);
}

wal::Durability durability_of(const std::string& text) {
  constexpr std::pair<const char*, wal::Durability> k_durabilities[] = {
      {"fsync", wal::Durability::fsync},
      {"flush", wal::Durability::flush},
      {"none", wal::Durability::none}};
  return parsed(text, "durability", k_durabilities);
}

}  // namespace asyncstore::python
