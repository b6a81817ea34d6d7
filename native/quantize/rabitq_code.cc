#include "quantize/rabitq_code.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

namespace asyncstore::quantize {

float RabitqTerms::rounded(float value) {
  constexpr uint32_t k_largest = 0x7F7FFF00;  // finite
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t magnitude = std::min(((bits & 0x7FFFFFFFU) + 0x80U) & 0xFFFFFF00U, k_largest);
  return std::bit_cast<float>((bits & 0x80000000U) | magnitude);
}

void RabitqTerms::write(uint8_t* to) const {
  uint64_t step = k_error_unknown;
  if (std::isfinite(error)) {
    const uint32_t bits = std::bit_cast<uint32_t>(error) + (1U << (k_error_shift - 1));
    step = static_cast<uint64_t>(
        std::clamp(static_cast<int>(bits >> k_error_shift) - k_error_base, 0, k_error_unknown - 1));
  }
  const uint64_t word = std::bit_cast<uint32_t>(factor) >> 8 |
                        uint64_t{std::bit_cast<uint32_t>(term) >> 8} << 24 | step << 48 |
                        uint64_t{centroid} << 56;
  std::memcpy(to, &word, sizeof word);
}

void pack(std::span<const uint8_t> elements, unsigned bits, uint8_t* code) {
  const size_t bytes = packed_bytes(static_cast<uint32_t>(elements.size()), bits);
  std::memset(code, 0, bytes);
  for (size_t i = 0, field = 0; i < elements.size(); ++field) {
    for (size_t j = 0; j < bytes && i < elements.size(); ++j, ++i) {
      code[j] = static_cast<uint8_t>(code[j] | elements[i] << (field * bits));
    }
  }
}

void unpack(const uint8_t* code, unsigned bits, std::span<uint8_t> elements) {
  const size_t bytes = elements.size() * bits / 8;
  const auto mask = static_cast<uint8_t>((1U << bits) - 1);
  for (size_t field = 0; field < 8 / bits; ++field) {
    uint8_t* to = elements.data() + field * bytes;
    for (size_t j = 0; j < bytes; ++j) {
      to[j] = code[j] >> (field * bits) & mask;
    }
  }
}

int32_t unpack_doubled(const uint8_t* code, unsigned bits, uint32_t dim,
                       std::span<int8_t> doubled) {
  const size_t bytes = doubled.size() * bits / 8;
  const int mask = (1 << bits) - 1;
  int32_t sum = 0;
  for (size_t field = 0; field < 8 / bits; ++field) {
    int8_t* to = doubled.data() + field * bytes;
    for (size_t j = 0; j < bytes; ++j) {
      const int element = code[j] >> (field * bits) & mask;
      to[j] = static_cast<int8_t>(2 * element - mask);
      sum += element;
    }
  }
  return 2 * sum - mask * static_cast<int32_t>(dim);
}

}  // namespace asyncstore::quantize
