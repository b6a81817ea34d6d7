#include "quantize/rotation.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <random>

namespace asyncstore::quantize {
namespace {
constexpr uint32_t k_rounds = 4;
}  // namespace

Rotation::Rotation(uint32_t dim, uint64_t seed, const simd::Kernels& kernels)
    : dim_(dim), block_(std::bit_floor(dim)), signs_(size_t{k_rounds} * dim), kernels_(kernels) {
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
    kernels_.hadamard_f32(to, block_);
    for (uint32_t i = 0; i < block_; ++i) {
      to[i] *= norm;
    }
    if (block_ == dim_) {
      continue;
    }
    kernels_.hadamard_f32(last, block_);
    for (uint32_t i = 0; i < block_; ++i) {
      last[i] *= norm;
    }
  }
}

}  // namespace asyncstore::quantize
