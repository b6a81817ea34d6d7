// The code of a row in RaBitQ, byte by byte: its elements, packed, and eight bytes more.
//
//   offset  bytes  what
//   0       n      the elements, n = ⌈dim · bits / 8⌉ (simd/packed_kernels.h; a byte each for 8
//   bits) n       3      factor: the upper 24 bits of a float32 n + 3   3      term: the same n + 6
//   1      error: exponent and five bits of mantissa; 255: nothing is known n + 7   1      centroid
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>

namespace asyncstore::quantize {

struct RabitqTerms {
  static constexpr uint32_t k_bytes = 8;

  float factor = 0;  // ≥ 0; of the elements, see rabitq_quantizer.h
  float term = 0;    // what is added
  float error = 0;   // length of what the code leaves of the row, in factors; or infinite
  uint8_t centroid = 0;

  // The eight bytes; factor and term must be values that rounded() gave.
  void write(uint8_t* to) const;
  static RabitqTerms read(const uint8_t* from);
  // The nearest value that 24 bits hold; never infinite.
  static float rounded(float value);

 private:
  // An error is kept as the exponent and five bits of the mantissa of a float32, counted from 2^-4:
  // what a grid leaves is about 0.3 a step and element.
  static constexpr int k_error_shift = 23 - 5;
  static constexpr int k_error_base = (127 - 4) << 5;
  static constexpr int k_error_unknown = 255;
};

inline RabitqTerms RabitqTerms::read(const uint8_t* from) {
  uint64_t word = 0;
  std::memcpy(&word, from, sizeof word);
  const auto step = static_cast<int>(word >> 48 & 0xFF);
  RabitqTerms terms;
  terms.factor = std::bit_cast<float>(static_cast<uint32_t>(word) << 8);
  terms.term = std::bit_cast<float>(static_cast<uint32_t>(word >> 16) & 0xFFFFFF00U);
  terms.error =
      step == k_error_unknown
          ? std::numeric_limits<float>::infinity()
          : std::bit_cast<float>(static_cast<uint32_t>(step + k_error_base) << k_error_shift);
  terms.centroid = static_cast<uint8_t>(word >> 56);
  return terms;
}

inline uint32_t packed_bytes(uint32_t dim, unsigned bits) {
  return static_cast<uint32_t>((uint64_t{dim} * bits + 7) / 8);
}
// Packs elements below 2^bits into packed_bytes(), and takes them apart again; `elements` then has
// 8 / bits · packed_bytes(), of which those behind dim are zero.
void pack(std::span<const uint8_t> elements, unsigned bits, uint8_t* code);
void unpack(const uint8_t* code, unsigned bits, std::span<uint8_t> elements);
// Twice how far each of these elements is from the middle, 2 · element − (2^bits − 1), for fewer
// than 8 bits; returns the sum of the first `dim`. Those behind are as if their elements were zero.
int32_t unpack_doubled(const uint8_t* code, unsigned bits, uint32_t dim, std::span<int8_t> doubled);

}  // namespace asyncstore::quantize
