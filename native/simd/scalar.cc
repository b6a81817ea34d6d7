// The kernels without intrinsics: the reference that every other table equals, and what an unknown
// CPU runs.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "simd/lane_kernels.h"
#include "simd/tables.h"

namespace asyncstore::simd {
namespace {

// binary16: sign, 5 bits of exponent with bias 15, 10 bits of mantissa.
// binary32: sign, 8 bits of exponent with bias 127, 23 bits of mantissa.
constexpr int k_mantissa_shift = 23 - 10;
constexpr uint32_t k_exponent_shift = (127U - 15U) << 23;

float half_to_float(uint16_t half) {
  const uint32_t sign = (half & 0x8000U) << 16;
  const uint32_t magnitude = half & 0x7FFFU;
  uint32_t bits = magnitude << k_mantissa_shift;
  if (magnitude > 0x7C00U) {
    bits |= 0x7FC00000U;  // NaN; a signalling one becomes quiet, as the conversion instructions do
  } else if (magnitude == 0x7C00U) {
    bits = 0x7F800000U;
  } else if (magnitude >= 0x0400U) {
    bits += k_exponent_shift;
  } else {
    bits = std::bit_cast<uint32_t>(static_cast<float>(magnitude) * 0x1p-24F);  // subnormal; exact
  }
  return std::bit_cast<float>(sign | bits);
}

uint16_t float_to_half(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t sign = (bits >> 16) & 0x8000U;
  const uint32_t magnitude = bits & 0x7FFFFFFFU;
  uint32_t half = 0;
  if (magnitude > 0x7F800000U) {
    half = 0x7E00U | ((magnitude >> k_mantissa_shift) & 0x03FFU);
  } else if (magnitude >= std::bit_cast<uint32_t>(65520.0F)) {
    half = 0x7C00U;  // 65,520 is midway between the largest half and the next power of two
  } else if (magnitude < std::bit_cast<uint32_t>(0x1p-14F)) {
    // Subnormal: the last place of a float in [0.5, 1) is 2^-24, as is that of a subnormal half, so
    // this addition rounds as wanted and leaves the half in the low bits.
    half = std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) + 0.5F) -
           std::bit_cast<uint32_t>(0.5F);
  } else {
    const uint32_t odd = (magnitude >> k_mantissa_shift) & 1U;
    half = (magnitude - k_exponent_shift + 0x0FFFU + odd) >> k_mantissa_shift;
  }
  return static_cast<uint16_t>(sign | half);
}

float to_float(float value) {
  return value;
}
float to_float(uint16_t half) {
  return half_to_float(half);
}
float to_float(uint8_t value) {
  return static_cast<float>(value);
}

void from_float(float value, float* to) {
  *to = value;
}
void from_float(float value, uint16_t* to) {
  *to = float_to_half(value);
}
void from_float(float value, uint8_t* to) {
  *to = static_cast<uint8_t>(value);
}

struct ScalarLanes {
  static constexpr size_t k_code_rows = 1;

  float lane[k_lanes];

  static ScalarLanes splat(float value) {
    ScalarLanes lanes;
    for (size_t i = 0; i < k_lanes; ++i) {
      lanes.lane[i] = value;
    }
    return lanes;
  }
  template <class Element>
  static ScalarLanes load(const Element* from) {
    ScalarLanes lanes;
    for (size_t i = 0; i < k_lanes; ++i) {
      lanes.lane[i] = to_float(from[i]);
    }
    return lanes;
  }
  template <class Element>
  static ScalarLanes load(const Element* from, size_t count) {
    return load_padded<ScalarLanes>(from, count);
  }
  template <class Element>
  void store(Element* to) const {
    for (size_t i = 0; i < k_lanes; ++i) {
      from_float(lane[i], to + i);
    }
  }
  static ScalarLanes lookup(const float* tables, const uint8_t* codes) {
    ScalarLanes lanes;
    for (size_t i = 0; i < k_lanes; ++i) {
      lanes.lane[i] = tables[256 * i + codes[i]];
    }
    return lanes;
  }
  ScalarLanes head(size_t count, float rest) const {
    ScalarLanes lanes = *this;
    for (size_t i = count; i < k_lanes; ++i) {
      lanes.lane[i] = rest;
    }
    return lanes;
  }
  ScalarLanes rounded() const {
    // The last place of a float in [2^23, 2^24) is 1, so this addition rounds half to even.
    ScalarLanes lanes;
    for (size_t i = 0; i < k_lanes; ++i) {
      lanes.lane[i] = (lane[i] + 0x1p23F) - 0x1p23F;
    }
    return lanes;
  }
  ScalarLanes truncated() const {
    ScalarLanes lanes;
    for (size_t i = 0; i < k_lanes; ++i) {
      lanes.lane[i] = static_cast<float>(static_cast<int32_t>(lane[i]));
    }
    return lanes;
  }
  float sum() const {
    ScalarLanes tree = *this;
    for (size_t half = k_lanes / 2; half > 0; half /= 2) {
      for (size_t i = 0; i < half; ++i) {
        tree.lane[i] += tree.lane[i + half];
      }
    }
    return tree.lane[0];
  }
};

inline ScalarLanes operator+(ScalarLanes a, const ScalarLanes& b) {
  for (size_t i = 0; i < k_lanes; ++i) {
    a.lane[i] += b.lane[i];
  }
  return a;
}

inline ScalarLanes operator-(ScalarLanes a, const ScalarLanes& b) {
  for (size_t i = 0; i < k_lanes; ++i) {
    a.lane[i] -= b.lane[i];
  }
  return a;
}

inline ScalarLanes operator*(ScalarLanes a, const ScalarLanes& b) {
  for (size_t i = 0; i < k_lanes; ++i) {
    a.lane[i] *= b.lane[i];
  }
  return a;
}

inline ScalarLanes abs(ScalarLanes a) {
  for (float& lane : a.lane) {
    lane = std::fabs(lane);
  }
  return a;
}

inline ScalarLanes least(ScalarLanes a, const ScalarLanes& b) {
  for (size_t i = 0; i < k_lanes; ++i) {
    a.lane[i] = a.lane[i] < b.lane[i] ? a.lane[i] : b.lane[i];
  }
  return a;
}

inline ScalarLanes greatest(ScalarLanes a, const ScalarLanes& b) {
  for (size_t i = 0; i < k_lanes; ++i) {
    a.lane[i] = a.lane[i] > b.lane[i] ? a.lane[i] : b.lane[i];
  }
  return a;
}

struct ScalarCodes {
  static constexpr size_t k_bytes = 16;
  struct Query {
    int16_t element[k_bytes];
  };
  using Sum = int32_t;

  static Query load(const int8_t* query) {
    Query loaded;
    std::copy(query, query + k_bytes, loaded.element);
    return loaded;
  }
  static Query load(const uint8_t* code) {
    Query loaded;
    for (size_t i = 0; i < k_bytes; ++i) {
      loaded.element[i] = static_cast<int16_t>(code[i] - 128);
    }
    return loaded;
  }
  static Sum zero() { return 0; }
  static Sum add_products(Sum sum, const Query& query, const uint8_t* codes) {
    for (size_t i = 0; i < k_bytes; ++i) {
      sum += query.element[i] * codes[i];
    }
    return sum;
  }
  static int32_t total(Sum sum) { return sum; }
};

struct ScalarPacked {
  static constexpr size_t k_bytes = 16;
  struct Register {
    uint8_t byte[k_bytes];
  };
  using Sum = int32_t;

  static Register load(const void* from) { return load(from, k_bytes); }
  static Register load(const void* from, size_t count) {
    Register loaded{};
    std::memcpy(loaded.byte, from, count);
    return loaded;
  }
  static Sum zero() { return 0; }
  template <unsigned bits>
  static Sum add_products(Sum sum, const Register& codes, const Register* query) {
    for (unsigned field = 0; field < 8 / bits; ++field) {
      for (size_t i = 0; i < k_bytes; ++i) {
        sum += static_cast<int8_t>(query[field].byte[i]) *
               static_cast<int32_t>(codes.byte[i] >> (field * bits) & ((1U << bits) - 1));
      }
    }
    return sum;
  }
  template <size_t rows>
  static void totals(const Sum* sums, int32_t* to) {
    std::memcpy(to, sums, rows * sizeof(int32_t));
  }
};

}  // namespace

const Kernels k_scalar_kernels = kernels_of<ScalarLanes, ScalarCodes, ScalarPacked>(Isa::scalar);

}  // namespace asyncstore::simd
