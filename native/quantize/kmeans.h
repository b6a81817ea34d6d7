// Centroids of a sample of vectors, by Lloyd's algorithm.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "simd/kernels.h"

namespace asyncstore::quantize {

struct KmeansOptions {
  uint32_t dim;
  uint32_t centroids;  // at most as many are found as there are rows
  uint32_t iterations;
  uint64_t seed;
  uint32_t threads = 1;
  // After each iteration; false cancels.
  std::function<bool(uint32_t iteration)> progress = nullptr;
};

// The centroids, dim floats each; empty when cancelled. The same for any number of threads.
std::vector<float> kmeans(std::span<const float> rows, const KmeansOptions& options,
                          const simd::Kernels& kernels = simd::kernels());

// The number of the centroid that is nearest to `row`.
uint32_t nearest_centroid(const float* row, std::span<const float> centroids, uint32_t dim,
                          const simd::Kernels& kernels);

}  // namespace asyncstore::quantize
