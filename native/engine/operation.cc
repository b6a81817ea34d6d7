#include "engine/operation.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "simd/kernels.h"

namespace asyncstore::engine {

using base::Bytes;
using base::MutableBytes;
using base::Result;
using base::Status;
using points::PointId;
using segment::Field;

namespace {

uint64_t bitmap_bytes(uint64_t bits) {
  return base::round_up(bits, 64) / 8;
}
uint64_t ids_bytes(uint64_t count) {
  return 16 * count + bitmap_bytes(count);
}

uint32_t present_count(const FieldInput& input, size_t points) {
  return static_cast<uint32_t>(
      input.present == nullptr
          ? points
          : static_cast<size_t>(std::count(input.present, input.present + points, true)));
}

uint64_t section_bytes(const Field& field, uint64_t points, uint64_t rows) {
  return 8 + bitmap_bytes(points) + base::round_up(rows * segment::row_bytes(field), 8);
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
std::byte* put_ids(std::byte* at, std::span<const PointId> ids) {
  std::byte* bitmap = at + 16 * ids.size();
  for (size_t i = 0; i < ids.size(); ++i) {
    at = put(put(at, ids[i].high), ids[i].low);
    if (ids[i].is_uuid) {
      set_bit(bitmap, i);
    }
  }
  return bitmap + bitmap_bytes(ids.size());
}

}  // namespace

uint64_t upsert_bytes(std::span<const Field> fields, const UpsertInput& input) {
  uint64_t bytes = 8 + ids_bytes(input.ids.size());
  for (const auto& given : input.fields) {
    bytes += section_bytes(fields[given.field], input.ids.size(),
                           present_count(given, input.ids.size()));
  }
  return bytes;
}

Status encode_upsert(std::span<const Field> fields, std::span<segment::RowCodec> codecs,
                     const UpsertInput& input, MutableBytes target) {
  const size_t points = input.ids.size();
  std::byte* at = put(put(target.data(), static_cast<uint32_t>(points)),
                      static_cast<uint32_t>(input.fields.size()));
  at = put_ids(at, input.ids);
  for (const auto& given : input.fields) {
    const Field& field = fields[given.field];
    TRY(check_finite(given.values, points, field.dim, given.present));
    const uint32_t rows = present_count(given, points);
    std::byte* bitmap = put(put(at, given.field), rows);
    std::byte* row = bitmap + bitmap_bytes(points);
    for (size_t i = 0; i < points; ++i) {
      if (given.present == nullptr || given.present[i]) {
        set_bit(bitmap, i);
        codecs[given.field].encode(given.values + i * field.dim, row);
        row += segment::row_bytes(field);
      }
    }
    at += section_bytes(field, points, rows);
  }
  ASSERT(at == target.data() + target.size());
  return {};
}

uint64_t delete_bytes(std::span<const PointId> ids) {
  return 8 + ids_bytes(ids.size());
}

void encode_delete(std::span<const PointId> ids, MutableBytes target) {
  std::byte* at = put(put(target.data(), static_cast<uint32_t>(ids.size())), uint32_t{0});
  at = put_ids(at, ids);
  ASSERT(at == target.data() + target.size());
}

Result<Operation> parse_operation(std::span<const Field> fields, uint32_t kind, Bytes payload) {
  base::ByteReader reader(payload);
  Operation operation{kind, {}, {}};
  const auto points = reader.take<uint32_t>();
  const auto sections = reader.take<uint32_t>();
  const Bytes words = reader.take_bytes(uint64_t{16} * points);
  const Bytes uuids = reader.take_bytes(bitmap_bytes(points));
  if (!reader.ok() || (kind != k_upsert && kind != k_delete) || sections > fields.size()) {
    return base::invalid_argument("an operation of the log does not parse");
  }
  operation.ids.reserve(points);
  for (uint32_t i = 0; i < points; ++i) {
    PointId id{(static_cast<uint8_t>(uuids[i / 8]) >> (i % 8) & 1) != 0, 0, 0};
    std::memcpy(&id.high, words.data() + size_t{16} * i, 8);
    std::memcpy(&id.low, words.data() + size_t{16} * i + 8, 8);
    operation.ids.push_back(id);
  }
  for (uint32_t section = 0; section < sections; ++section) {
    FieldRows rows;
    rows.field = reader.take<uint32_t>();
    rows.rows = reader.take<uint32_t>();
    rows.present = reader.take_bytes(bitmap_bytes(points));
    const bool repeated =
        std::any_of(operation.fields.begin(), operation.fields.end(),
                    [&](const FieldRows& before) { return before.field == rows.field; });
    if (!reader.ok() || rows.field >= fields.size() || rows.rows > points || repeated) {
      return base::invalid_argument("an operation of the log does not parse");
    }
    const uint64_t bytes = uint64_t{rows.rows} * segment::row_bytes(fields[rows.field]);
    rows.stored = reader.take_bytes(base::round_up(bytes, 8)).first(reader.ok() ? bytes : 0);
    uint32_t marked = 0;
    for (uint32_t i = 0; i < points; ++i) {
      marked += rows.has(i) ? 1 : 0;
    }
    if (!reader.ok() || marked != rows.rows) {
      return base::invalid_argument("an operation of the log does not parse");
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
