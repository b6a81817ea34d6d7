// What training a quantizer takes.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

namespace asyncstore::quantize {

struct Training {
  std::span<const float> rows;  // a sample of at least one row, dim finite elements each
  uint64_t seed = 0;            // the same seed and rows give the same quantizer
  uint32_t threads = 1;         // at most so many, for this call; they do not change the result
  // Called on the calling thread now and then; false cancels.
  std::function<bool(uint64_t done, uint64_t total)> progress = nullptr;
};

}  // namespace asyncstore::quantize
