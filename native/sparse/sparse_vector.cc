#include "sparse/sparse_vector.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <string>

#include "simd/kernels.h"

namespace asyncstore::sparse {

using base::Bytes;
using base::Status;

namespace {

bool ascend(std::span<const uint32_t> indices) {
  return std::adjacent_find(indices.begin(), indices.end(), std::greater_equal<>()) ==
         indices.end();
}

}  // namespace

Status encode(std::span<const uint32_t> indices, std::span<const float> values, uint64_t point,
              std::byte* target) {
  const auto wrong = [&](const std::string& what) {
    return base::invalid_argument("sparse vector of point " + std::to_string(point) +
                                  " of the batch " + what);
  };
  if (indices.size() > k_elements_max) {
    return wrong("has " + std::to_string(indices.size()) + " elements, at most " +
                 std::to_string(k_elements_max) + " are possible");
  }
  if (indices.empty()) {
    return {};
  }
  if (!ascend(indices)) {
    return wrong("has indices that do not ascend");
  }
  if (!simd::kernels().all_finite(values.data(), values.size())) {
    return wrong("has a value that is not finite");
  }
  std::memcpy(target, indices.data(), indices.size_bytes());
  std::memcpy(target + indices.size_bytes(), values.data(), values.size_bytes());
  return {};
}

bool is_sound(Bytes stored) {
  const uint64_t elements = elements_of(stored.size());
  if (stored_bytes(elements) != stored.size() || elements > k_elements_max) {
    return false;
  }
  // Copied one by one, as the bytes may lie at any address.
  const std::byte* index_at = stored.data();
  const std::byte* value_at = stored.data() + elements * sizeof(uint32_t);
  int64_t before = -1;
  for (uint64_t i = 0; i < elements; ++i) {
    uint32_t index;
    float value;
    std::memcpy(&index, index_at + i * sizeof index, sizeof index);
    std::memcpy(&value, value_at + i * sizeof value, sizeof value);
    if (index <= before || !std::isfinite(value)) {
      return false;
    }
    before = index;
  }
  return true;
}

}  // namespace asyncstore::sparse
