// The stored form of a sparse vector.
//
//   0     4·n  indices, u32, ascending, each once
//   4·n   4·n  values, f32, finite
//
// n follows from the size. A vector of no elements is one of no bytes.
#pragma once

#include <cstdint>
#include <span>

#include "base/bytes.h"
#include "base/result.h"

namespace asyncstore::sparse {

// Elements of one vector: what a log record can hold, with room for what is around it.
inline constexpr uint64_t k_elements_max = 1 << 20;

constexpr uint64_t stored_bytes(uint64_t elements) {
  return elements * (sizeof(uint32_t) + sizeof(float));
}
constexpr uint64_t elements_of(uint64_t stored) {
  return stored / (sizeof(uint32_t) + sizeof(float));
}

// Writes stored_bytes(n) bytes. Errors name the point by its place in the batch.
base::Status encode(std::span<const uint32_t> indices, std::span<const float> values,
                    uint64_t point, std::byte* target);
// Whether encode() may have written it.
bool is_sound(base::Bytes stored);

}  // namespace asyncstore::sparse
