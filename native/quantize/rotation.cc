#include "quantize/rotation.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <random>

namespace asyncstore::quantize {
namespace {

constexpr uint32_t k_rounds = 4;

// The unnormalised Hadamard transform of `size` elements, a power of two.
void transform(float* elements, uint32_t size) {
  for (uint32_t half = 1; half < size; half *= 2) {
    for (uint32_t begin = 0; begin < size; begin += 2 * half) {
      float* low = elements + begin;
      float* high = low + half;
      for (uint32_t i = 0; i < half; ++i) {
        const float sum = low[i] + high[i];
        high[i] = low[i] - high[i];
        low[i] = sum;
      }
    }
  }
}

}  // namespace

Rotation::Rotation(uint32_t dim, uint64_t seed)
    : dim_(dim), block_(std::bit_floor(dim)), signs_(size_t{k_rounds} * dim) {
  std::mt19937_64 random(seed);
  uint64_t word = 0;
  for (size_t i = 0; i < signs_.size(); ++i) {
    if (i % 64 == 0) {
      word = random();
    }
    signs_[i] = (word >> (i % 64) & 1) != 0 ? 1.0F : -1.0F;
  }
}

void Rotation::apply(const float* from, float* to) const {
  if (from != to) {
    std::memcpy(to, from, dim_ * sizeof(float));
  }
  const auto norm = static_cast<float>(1 / std::sqrt(static_cast<double>(block_)));
  float* last = to + (dim_ - block_);
  for (uint32_t round = 0; round < k_rounds; ++round) {
    const float* signs = signs_.data() + size_t{round} * dim_;
    for (uint32_t i = 0; i < dim_; ++i) {
      to[i] *= signs[i];
    }
    transform(to, block_);
    for (uint32_t i = 0; i < block_; ++i) {
      to[i] *= norm;
    }
    if (block_ == dim_) {
      continue;
    }
    transform(last, block_);
    for (uint32_t i = 0; i < block_; ++i) {
      last[i] *= norm;
    }
  }
}

}  // namespace asyncstore::quantize
