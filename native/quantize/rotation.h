// A pseudo-random rotation of vectors, in O(dim · log dim) instead of dim².
//
// Several rounds, each of which turns the signs of random elements and then applies a Hadamard
// transform, of length 1, to the first and to the last m elements, m being the largest power of two
// that is not above dim. Where dim is no power of two the two halves overlap, so every element
// meets every other within two rounds, and no vector gets longer than it was: a code of it takes no
// more space. What is needed of a random orthogonal matrix is that it spreads any vector evenly
// over the elements; docs/decisions/0013-rabitq.md compares the two.
#pragma once

#include <cstdint>
#include <vector>

#include "simd/kernels.h"

namespace asyncstore::quantize {

class Rotation {
 public:
  // `kernels` must outlive the rotation.
  Rotation(uint32_t dim, uint64_t seed, const simd::Kernels& kernels = simd::kernels());

  // Rotates dim elements; the same bits on every machine. `from` and `to` may be the same.
  void apply(const float* from, float* to) const;

 private:
  uint32_t dim_;
  uint32_t block_;            // m
  std::vector<float> signs_;  // of all rounds, 1 or −1
  const simd::Kernels& kernels_;
};

}  // namespace asyncstore::quantize
