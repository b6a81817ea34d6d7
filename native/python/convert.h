// Between Python's objects and the engine's.
#pragma once

#include <nanobind/nanobind.h>

#include <string>
#include <vector>

#include "base/result.h"
#include "engine/completion_queue.h"
#include "engine/options.h"
#include "fields/schema.h"
#include "payload/path.h"
#include "points/point_id.h"
#include "segment/field.h"

namespace asyncstore::engine {
class Collection;
}

namespace asyncstore::python {

// Makes the class NativeError of the module.
void make_error_class(nanobind::module_& module);
// Makes the classes of what is long in replies (long_reply.h).
void bind_long_replies(nanobind::module_& module);
// An instance of NativeError; not raised.
nanobind::object to_python_error(const base::Error& error);
[[noreturn]] void raise(const base::Error& error);

// An integer 0 … 2^64 - 1 or the text of a UUID; raises naming the position.
points::PointId id_of(nanobind::handle id, size_t position);
// A (n,) array of uint64, ids of a reply, or a sequence of ids.
std::vector<points::PointId> ids_of(nanobind::handle ids);
nanobind::object to_python(const points::PointId& id);
// A JSON path; raises when it does not parse.
payload::Path path_of(nanobind::handle text);
// A dense field.
void check_field(const engine::Collection& collection, uint32_t field);
// Any vector, of whatever kind.
void check_vector(const engine::Collection& collection, uint32_t number);
nanobind::object to_python(engine::Value value);
// As an array of numpy's.
nanobind::object to_python(std::vector<float> numbers);

segment::Field field_of(const std::string& name, uint32_t dim, const std::string& distance,
                        const std::string& datatype, const quantize::Config& quantization,
                        const segment::GraphSettings& graph);
quantize::Config quantization_of(const std::string& kind, float quantile, uint8_t bits,
                                 uint8_t compression, const std::string& encoding,
                                 const std::string& query_encoding);
const char* name_of(fields::Kind kind);
fields::Kind index_kind_of(const std::string& text);
const char* name_of(segment::Distance distance);
const char* name_of(segment::Datatype datatype);
const char* name_of(quantize::Kind kind);
const char* name_of(quantize::BinaryEncoding encoding);
const char* name_of(quantize::QueryEncoding encoding);
engine::Choice choice_of(const std::string& text);
wal::Durability durability_of(const std::string& text);

}  // namespace asyncstore::python
