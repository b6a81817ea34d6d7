#include "engine/operation.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "simd/kernels.h"

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

// Number and bytes of the payloads that are there.
std::pair<uint32_t, uint64_t> payloads_of(const OperationInput& input) {
  uint32_t texts = 0;
  uint64_t bytes = 0;
  for (size_t at = 0; at < input.count() && !input.payloads.empty(); ++at) {
    const Bytes text = input.payloads[input.index(at)];
    texts += text.empty() ? 0 : 1;
    bytes += text.size();
  }
  return {texts, bytes};
}

uint64_t payload_section_bytes(uint64_t points, uint32_t texts, uint64_t bytes) {
  return 8 + bitmap_bytes(points) + base::round_up(uint64_t{4} * texts, 8) +
         base::round_up(bytes, 8);
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

std::byte* put_payloads(std::byte* at, const OperationInput& input) {
  const size_t points = input.count();
  const auto [texts, bytes] = payloads_of(input);
  std::byte* bitmap = put(put(at, k_payload_section), texts);
  std::byte* size = bitmap + bitmap_bytes(points);
  std::byte* text = size + base::round_up(uint64_t{4} * texts, 8);
  for (size_t i = 0; i < points; ++i) {
    const Bytes given = input.payloads[input.index(i)];
    if (!given.empty()) {
      set_bit(bitmap, i);
      size = put(size, static_cast<uint32_t>(given.size()));
      std::memcpy(text, given.data(), given.size());
      text += given.size();
    }
  }
  return at + payload_section_bytes(points, texts, bytes);
}

Error does_not_parse() {
  return base::invalid_argument("an operation of the log does not parse");
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
  uint32_t marked = 0;
  for (uint32_t i = 0; i < points; ++i) {
    marked += rows.has(i) ? 1 : 0;
  }
  if (!reader.ok() || marked != rows.rows) {
    return does_not_parse();
  }
  return rows;
}

Result<PayloadTexts> parse_payloads(uint32_t points, base::ByteReader& reader) {
  PayloadTexts payload;
  payload.texts = reader.take<uint32_t>();
  payload.present = PointBits(reader.take_bytes(bitmap_bytes(points)));
  if (!reader.ok() || payload.texts > points) {
    return does_not_parse();
  }
  const Bytes sizes = reader.take_bytes(base::round_up(uint64_t{4} * payload.texts, 8));
  uint32_t marked = 0;
  for (uint32_t i = 0; i < points; ++i) {
    marked += payload.present.has(i) ? 1 : 0;
  }
  if (!reader.ok() || marked != payload.texts) {
    return does_not_parse();
  }
  for (uint32_t i = 0; i < payload.texts; ++i) {
    uint32_t size;
    std::memcpy(&size, sizes.data() + size_t{4} * i, sizeof size);
    payload.text.push_back(reader.take_bytes(size));
    payload.bytes += size;
  }
  reader.take_bytes(base::round_up(payload.bytes, 8) - payload.bytes);
  if (!reader.ok()) {
    return does_not_parse();
  }
  return payload;
}

}  // namespace

uint64_t operation_bytes(std::span<const Field> fields, const OperationInput& input) {
  const size_t points = input.count();
  uint64_t bytes = 8 + ids_bytes(points);
  for (const auto& given : input.fields) {
    bytes += section_bytes(fields[given.field], points, present_count(input, given));
  }
  if (!input.payloads.empty()) {
    const auto [texts, text_bytes] = payloads_of(input);
    bytes += payload_section_bytes(points, texts, text_bytes);
  }
  return bytes;
}

Status encode_operation(std::span<const Field> fields, std::span<segment::RowCodec> codecs,
                        const OperationInput& input, MutableBytes target) {
  const size_t points = input.count();
  const size_t sections = input.fields.size() + (input.payloads.empty() ? 0 : 1);
  std::byte* at =
      put(put(target.data(), static_cast<uint32_t>(points)), static_cast<uint32_t>(sections));
  at = put_ids(at, input);
  for (const auto& given : input.fields) {
    const Field& field = fields[given.field];
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
  if (!input.payloads.empty()) {
    at = put_payloads(at, input);
  }
  ASSERT(at == target.data() + target.size());
  return {};
}

Result<Operation> parse_operation(std::span<const Field> fields, uint32_t kind, Bytes payload) {
  base::ByteReader reader(payload);
  Operation operation;
  operation.kind = static_cast<Kind>(kind);
  const auto points = reader.take<uint32_t>();
  const auto sections = reader.take<uint32_t>();
  const Bytes words = reader.take_bytes(uint64_t{16} * points);
  const Bytes uuids = reader.take_bytes(bitmap_bytes(points));
  const bool known = kind >= static_cast<uint32_t>(Kind::upsert) &&
                     kind <= static_cast<uint32_t>(Kind::set_payload);
  if (!reader.ok() || !known || sections > fields.size() + 1) {
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
    const auto number = reader.take<uint32_t>();
    if (number == k_payload_section && !operation.payload) {
      TRY_ASSIGN(operation.payload, parse_payloads(points, reader));
      continue;
    }
    TRY_ASSIGN(const FieldRows rows, parse_rows(fields, number, points, reader));
    const bool repeated =
        std::any_of(operation.fields.begin(), operation.fields.end(),
                    [&](const FieldRows& before) { return before.field == rows.field; });
    if (repeated) {
      return does_not_parse();
    }
    operation.fields.push_back(rows);
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
