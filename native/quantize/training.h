// What training a quantizer takes.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <span>

namespace asyncstore::quantize {

// How many rows to train on: 256 for each of 256 centroids, unless they are long.
inline uint64_t sample_rows_max(uint32_t dim) {
  constexpr uint64_t k_rows = 65536;
  constexpr uint64_t k_bytes = 128 << 20;
  return std::clamp<uint64_t>(k_bytes / (sizeof(float) * uint64_t{dim}), 1, k_rows);
}

struct Training {
  std::span<const float> rows;  // a sample of at least one row, dim finite elements each
  uint64_t seed = 0;            // the same seed and rows give the same quantizer
  uint32_t threads = 1;         // at most so many, for this call; they do not change the result
  // Called on the calling thread now and then; false cancels.
  std::function<bool(uint64_t done, uint64_t total)> progress = nullptr;
};

}  // namespace asyncstore::quantize
