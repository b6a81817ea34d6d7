// The 256 centroids of one part of the elements of a product quantizer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace asyncstore::quantize {

inline constexpr uint32_t k_part_centroids = 256;

// Element j of centroid k is centroids[j · 256 + k]: so a vector is compared with all of them at
// once. The first of those that are equally near.
uint8_t nearest_of_part(std::span<const float> vector, const float* centroids);

// Fills `centroids` by Lloyd's algorithm from vectors of `size` elements, `stride` floats apart.
void train_part(const float* vectors, size_t count, size_t stride, uint32_t size, uint64_t seed,
                float* centroids);

}  // namespace asyncstore::quantize
