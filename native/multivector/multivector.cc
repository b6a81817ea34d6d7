#include "multivector/multivector.h"

#include <cmath>
#include <cstring>
#include <string>

#include "simd/kernels.h"

namespace asyncstore::multivector {

using base::Bytes;
using base::Status;
using segment::Field;

Status encode(const Field& field, segment::RowCodec& codec, const float* rows, uint64_t count,
              uint64_t point, std::byte* target) {
  const auto wrong = [&](const std::string& what) {
    return base::invalid_argument("multivector of point " + std::to_string(point) +
                                  " of the batch " + what);
  };
  if (count == 0) {
    return wrong("has no rows");
  }
  if (count > k_elements_max / field.dim) {
    return wrong("has " + std::to_string(count) + " rows of " + std::to_string(field.dim) +
                 " numbers, at most " + std::to_string(k_elements_max) + " numbers are possible");
  }
  if (!simd::kernels().all_finite(rows, count * field.dim)) {
    return wrong("has a number that is not finite");
  }
  const uint32_t row_bytes = segment::row_bytes(field);
  for (uint64_t row = 0; row < count; ++row) {
    codec.encode(rows + row * field.dim, target + row * row_bytes);
  }
  return {};
}

bool is_sound(const Field& field, Bytes stored) {
  const uint64_t rows = rows_of(field, stored.size());
  if (rows == 0 || rows > k_elements_max / field.dim ||
      rows * segment::row_bytes(field) != stored.size()) {
    return false;
  }
  if (field.datatype != segment::Datatype::float32) {
    return true;  // a float16 may be infinite, where the number was beyond its range
  }
  // Copied one by one, as the bytes may lie at any address.
  for (uint64_t i = 0; i < rows * field.dim; ++i) {
    float value;
    std::memcpy(&value, stored.data() + i * sizeof value, sizeof value);
    if (!std::isfinite(value)) {
      return false;
    }
  }
  return true;
}

void decode(const Field& field, const segment::RowCodec& codec, Bytes stored,
            std::vector<float>& target) {
  const uint64_t rows = rows_of(field, stored.size());
  const size_t begin = target.size();
  target.resize(begin + rows * field.dim);
  for (uint64_t row = 0; row < rows; ++row) {
    codec.decode(stored.data() + row * segment::row_bytes(field),
                 target.data() + begin + row * field.dim);
  }
}

}  // namespace asyncstore::multivector
