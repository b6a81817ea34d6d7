#include "engine/operation.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "multivector/multivector.h"
#include "simd/kernels.h"
#include "sparse/sparse_vector.h"

namespace asyncstore::engine {

using base::Bytes;
using base::Error;
using base::MutableBytes;
using base::Result;
using base::Status;
using points::PointId;
using segment::Field;

namespace {

constexpr uint32_t k_payload_section = UINT32_MAX;  // in place of a field's number

uint64_t bitmap_bytes(uint64_t bits) {
  return base::round_up(bits, 64) / 8;
}
uint64_t ids_bytes(uint64_t count) {
  return 16 * count + bitmap_bytes(count);
}

bool is_present(const FieldInput& input, uint32_t index) {
  return input.values != nullptr && (input.present == nullptr || input.present[index]);
}

uint32_t present_count(const OperationInput& input, const FieldInput& given) {
  uint32_t count = 0;
  for (size_t at = 0; at < input.count(); ++at) {
    count += is_present(given, input.index(at)) ? 1 : 0;
  }
  return count;
}

uint64_t section_bytes(const Field& field, uint64_t points, uint64_t rows) {
  return 8 + bitmap_bytes(points) + base::round_up(rows * segment::row_bytes(field), 8);
}

// Values of a section as they are given, by the index of their point.
class GivenPayloads {
 public:
  explicit GivenPayloads(const OperationInput& input) : input_(input) {}
  bool has(uint32_t index) const { return !input_.payloads[index].empty(); }
  uint64_t bytes(uint32_t index) const { return input_.payloads[index].size(); }
  Status put(uint32_t index, std::byte* target) const {
    std::memcpy(target, input_.payloads[index].data(), input_.payloads[index].size());
    return {};
  }

 private:
  const OperationInput& input_;
};

class GivenSparse {
 public:
  explicit GivenSparse(const SparseInput& input) : input_(input) {}
  bool has(uint32_t index) const {
    return input_.offsets != nullptr && (input_.present == nullptr || input_.present[index]);
  }
  uint64_t bytes(uint32_t index) const { return sparse::stored_bytes(elements(index)); }
  Status put(uint32_t index, std::byte* target) const {
    const uint64_t begin = input_.offsets[index];
    return sparse::encode({input_.indices + begin, elements(index)},
                          {input_.values + begin, elements(index)}, index, target);
  }

 private:
  uint64_t elements(uint32_t index) const {
    return input_.offsets[index + 1] - input_.offsets[index];
  }
  const SparseInput& input_;
};

class GivenMultivectors {
 public:
  GivenMultivectors(const MultivectorInput& input, const Field& field, segment::RowCodec* codec)
      : input_(input), field_(field), codec_(codec) {}
  bool has(uint32_t index) const {
    return input_.offsets != nullptr && (input_.present == nullptr || input_.present[index]);
  }
  uint64_t bytes(uint32_t index) const { return rows(index) * segment::row_bytes(field_); }
  Status put(uint32_t index, std::byte* target) const {
    return multivector::encode(field_, *codec_, input_.rows + input_.offsets[index] * field_.dim,
                               rows(index), index, target);
  }

 private:
  uint64_t rows(uint32_t index) const { return input_.offsets[index + 1] - input_.offsets[index]; }
  const MultivectorInput& input_;
  const Field& field_;
  segment::RowCodec* codec_;  // for put() alone
};

struct ValuesSize {
  uint32_t count = 0;
  uint64_t bytes = 0;

  uint64_t section_bytes(uint64_t points) const {
    return 8 + bitmap_bytes(points) + base::round_up(uint64_t{4} * count, 8) +
           base::round_up(bytes, 8);
  }
};

template <typename Given>
ValuesSize size_of(const OperationInput& input, const Given& given) {
  ValuesSize size;
  for (size_t at = 0; at < input.count(); ++at) {
    const uint32_t index = input.index(at);
    if (given.has(index)) {
      ++size.count;
      size.bytes += given.bytes(index);
    }
  }
  return size;
}

void set_bit(std::byte* bitmap, size_t bit) {
  bitmap[bit / 8] |= std::byte{1} << (bit % 8);
}

template <typename T>
std::byte* put(std::byte* at, T value) {
  std::memcpy(at, &value, sizeof value);
  return at + sizeof value;
}

// The target is zeroed already: absent bits need no writing.
std::byte* put_ids(std::byte* at, const OperationInput& input) {
  const size_t points = input.count();
  std::byte* bitmap = at + 16 * points;
  for (size_t i = 0; i < points; ++i) {
    const PointId& id = input.ids[input.index(i)];
    at = put(put(at, id.high), id.low);
    if (id.is_uuid) {
      set_bit(bitmap, i);
    }
  }
  return bitmap + bitmap_bytes(points);
}

// A section of values; `at` moves behind it.
template <typename Given>
Status put_values(std::byte*& at, uint32_t what, const OperationInput& input, const Given& given) {
  const size_t points = input.count();
  const ValuesSize all = size_of(input, given);
  std::byte* bitmap = put(put(at, what), all.count);
  std::byte* size = bitmap + bitmap_bytes(points);
  std::byte* value = size + base::round_up(uint64_t{4} * all.count, 8);
  for (size_t i = 0; i < points; ++i) {
    const uint32_t index = input.index(i);
    if (given.has(index)) {
      set_bit(bitmap, i);
      size = put(size, static_cast<uint32_t>(given.bytes(index)));
      TRY(given.put(index, value));
      value += given.bytes(index);
    }
  }
  at += all.section_bytes(points);
  return {};
}

Error does_not_parse() {
  return base::invalid_argument("an operation of the log does not parse");
}

uint32_t marked_in(const PointBits& present, uint32_t points) {
  uint32_t marked = 0;
  for (uint32_t i = 0; i < points; ++i) {
    marked += present.has(i) ? 1 : 0;
  }
  return marked;
}

Result<FieldRows> parse_rows(std::span<const Field> fields, uint32_t number, uint32_t points,
                             base::ByteReader& reader) {
  FieldRows rows;
  rows.field = number;
  rows.rows = reader.take<uint32_t>();
  rows.present = PointBits(reader.take_bytes(bitmap_bytes(points)));
  if (!reader.ok() || rows.field >= fields.size() || rows.rows > points) {
    return does_not_parse();
  }
  const uint64_t bytes = uint64_t{rows.rows} * segment::row_bytes(fields[rows.field]);
  rows.stored = reader.take_bytes(base::round_up(bytes, 8)).first(reader.ok() ? bytes : 0);
  if (!reader.ok() || marked_in(rows.present, points) != rows.rows) {
    return does_not_parse();
  }
  return rows;
}

Result<Values> parse_values(uint32_t points, base::ByteReader& reader) {
  Values values;
  values.count = reader.take<uint32_t>();
  values.present = PointBits(reader.take_bytes(bitmap_bytes(points)));
  if (!reader.ok() || values.count > points) {
    return does_not_parse();
  }
  const Bytes sizes = reader.take_bytes(base::round_up(uint64_t{4} * values.count, 8));
  if (!reader.ok() || marked_in(values.present, points) != values.count) {
    return does_not_parse();
  }
  values.value.reserve(values.count);
  for (uint32_t i = 0; i < values.count; ++i) {
    uint32_t size;
    std::memcpy(&size, sizes.data() + size_t{4} * i, sizeof size);
    values.value.push_back(reader.take_bytes(size));
    values.bytes += size;
  }
  reader.take_bytes(base::round_up(values.bytes, 8) - values.bytes);
  if (!reader.ok()) {
    return does_not_parse();
  }
  return values;
}

Result<KeptVectors> parse_kept(const Schema& schema, uint32_t number, uint32_t points,
                               base::ByteReader& reader) {
  TRY_ASSIGN(Values values, parse_values(points, reader));
  const bool sound = std::all_of(values.value.begin(), values.value.end(), [&](Bytes value) {
    return number < schema.sparse
               ? sparse::is_sound(value)
               : multivector::is_sound(schema.multivectors[number - schema.sparse], value);
  });
  if (!sound) {
    return does_not_parse();
  }
  return KeptVectors{number, std::move(values)};
}

// The section that comes next; each may be there once.
Status parse_section(const Schema& schema, uint32_t points, base::ByteReader& reader,
                     Operation& operation) {
  const auto number = reader.take<uint32_t>();
  if (number == k_payload_section) {
    if (operation.payload) {
      return does_not_parse();
    }
    TRY_ASSIGN(operation.payload, parse_values(points, reader));
    return {};
  }
  if (number >= schema.dense() && number - schema.dense() < schema.kept()) {
    TRY_ASSIGN(KeptVectors kept, parse_kept(schema, number - schema.dense(), points, reader));
    for (const KeptVectors& before : operation.kept) {
      if (before.number == kept.number) {
        return does_not_parse();
      }
    }
    operation.kept.push_back(std::move(kept));
    return {};
  }
  TRY_ASSIGN(const FieldRows rows, parse_rows(schema.fields, number, points, reader));
  for (const FieldRows& before : operation.fields) {
    if (before.field == rows.field) {
      return does_not_parse();
    }
  }
  operation.fields.push_back(rows);
  return {};
}

std::vector<std::byte> encoded(const IndexDefinition& definition) {
  base::ByteWriter writer;
  put(writer, definition);
  return std::move(writer.buffer());
}

Result<Operation> parse_index_operation(Kind kind, Bytes payload) {
  base::ByteReader reader(payload);
  Operation operation;
  operation.kind = kind;
  operation.payload_index = take_definition(reader);
  if (!operation.payload_index || reader.remaining() != 0) {
    return does_not_parse();
  }
  return operation;
}

}  // namespace

uint64_t operation_bytes(const Schema& schema, const OperationInput& input) {
  if (input.payload_index) {
    return encoded(*input.payload_index).size();
  }
  const size_t points = input.count();
  uint64_t bytes = 8 + ids_bytes(points);
  for (const auto& given : input.fields) {
    bytes += section_bytes(schema.fields[given.field], points, present_count(input, given));
  }
  for (const auto& given : input.sparse) {
    bytes += size_of(input, GivenSparse(given)).section_bytes(points);
  }
  for (const auto& given : input.multivectors) {
    const Field& field = schema.multivectors[given.multivector];
    bytes += size_of(input, GivenMultivectors(given, field, nullptr)).section_bytes(points);
  }
  if (!input.payloads.empty()) {
    bytes += size_of(input, GivenPayloads(input)).section_bytes(points);
  }
  return bytes;
}

Status encode_operation(const Schema& schema, std::span<segment::RowCodec> codecs,
                        const OperationInput& input, MutableBytes target) {
  if (input.payload_index) {
    const std::vector<std::byte> definition = encoded(*input.payload_index);
    std::memcpy(target.data(), definition.data(), definition.size());
    return {};
  }
  const size_t points = input.count();
  const size_t sections = input.fields.size() + input.sparse.size() + input.multivectors.size() +
                          (input.payloads.empty() ? 0 : 1);
  std::byte* at =
      put(put(target.data(), static_cast<uint32_t>(points)), static_cast<uint32_t>(sections));
  at = put_ids(at, input);
  for (const auto& given : input.fields) {
    const Field& field = schema.fields[given.field];
    if (given.values != nullptr) {
      TRY(check_finite(given.values, input.ids.size(), field.dim, given.present));
    }
    const uint32_t rows = present_count(input, given);
    std::byte* bitmap = put(put(at, given.field), rows);
    std::byte* row = bitmap + bitmap_bytes(points);
    for (size_t i = 0; i < points; ++i) {
      const uint32_t index = input.index(i);
      if (is_present(given, index)) {
        set_bit(bitmap, i);
        codecs[given.field].encode(given.values + uint64_t{index} * field.dim, row);
        row += segment::row_bytes(field);
      }
    }
    at += section_bytes(field, points, rows);
  }
  for (const auto& given : input.sparse) {
    TRY(put_values(at, schema.dense() + given.sparse, input, GivenSparse(given)));
  }
  for (const auto& given : input.multivectors) {
    const Field& field = schema.multivectors[given.multivector];
    segment::RowCodec& codec = codecs[schema.dense() + given.multivector];
    TRY(put_values(at, schema.dense() + schema.sparse + given.multivector, input,
                   GivenMultivectors(given, field, &codec)));
  }
  if (!input.payloads.empty()) {
    TRY(put_values(at, k_payload_section, input, GivenPayloads(input)));
  }
  ASSERT(at == target.data() + target.size());
  return {};
}

Result<Operation> parse_operation(const Schema& schema, uint32_t kind, Bytes payload) {
  if (kind == static_cast<uint32_t>(Kind::create_index) ||
      kind == static_cast<uint32_t>(Kind::drop_index)) {
    return parse_index_operation(static_cast<Kind>(kind), payload);
  }
  base::ByteReader reader(payload);
  Operation operation;
  operation.kind = static_cast<Kind>(kind);
  const auto points = reader.take<uint32_t>();
  const auto sections = reader.take<uint32_t>();
  const Bytes words = reader.take_bytes(uint64_t{16} * points);
  const Bytes uuids = reader.take_bytes(bitmap_bytes(points));
  const bool known = kind >= static_cast<uint32_t>(Kind::upsert) &&
                     kind <= static_cast<uint32_t>(Kind::set_payload);
  if (!reader.ok() || !known || sections > schema.vectors() + 1) {
    return does_not_parse();
  }
  operation.ids.reserve(points);
  for (uint32_t i = 0; i < points; ++i) {
    PointId id{(static_cast<uint8_t>(uuids[i / 8]) >> (i % 8) & 1) != 0, 0, 0};
    std::memcpy(&id.high, words.data() + size_t{16} * i, 8);
    std::memcpy(&id.low, words.data() + size_t{16} * i + 8, 8);
    operation.ids.push_back(id);
  }
  for (uint32_t section = 0; section < sections; ++section) {
    TRY(parse_section(schema, points, reader, operation));
  }
  return operation;
}

Status check_finite(const float* values, uint64_t rows, uint32_t dim, const bool* present,
                    uint64_t first_row) {
  const simd::Kernels& kernels = simd::kernels();
  if (present == nullptr && kernels.all_finite(values, rows * dim)) {
    return {};
  }
  for (uint64_t row = 0; row < rows; ++row) {
    const float* vector = values + row * dim;
    if ((present != nullptr && !present[row]) || kernels.all_finite(vector, dim)) {
      continue;
    }
    const float* bad =
        std::find_if(vector, vector + dim, [](float value) { return !std::isfinite(value); });
    const char* what = std::isnan(*bad) ? "NaN" : *bad > 0 ? "infinity" : "-infinity";
    return base::invalid_argument("vector of point " + std::to_string(first_row + row) +
                                  " of the batch holds " + what + " at element " +
                                  std::to_string(bad - vector) + "; vectors must be finite");
  }
  return {};
}

}  // namespace asyncstore::engine
