// The kernels for aarch64, where NEON and the conversions of halves are part of every CPU.
#if defined(__aarch64__)

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "simd/lane_kernels.h"
#include "simd/tables.h"

namespace asyncstore::simd {
namespace {

constexpr size_t k_registers = 8;

// Register r holds the lanes 4r..4r + 3.
struct NeonLanes {
  // Eight registers of sums per row; two rows would spill.
  static constexpr size_t k_code_rows = 1;

  float32x4_t part[k_registers];

  static NeonLanes splat(float value) {
    NeonLanes lanes;
    for (float32x4_t& part : lanes.part) {
      part = vdupq_n_f32(value);
    }
    return lanes;
  }
  static NeonLanes load(const float* from) {
    NeonLanes lanes;
    for (size_t r = 0; r < k_registers; ++r) {
      lanes.part[r] = vld1q_f32(from + 4 * r);
    }
    return lanes;
  }
  static NeonLanes load(const uint16_t* from) {
    NeonLanes lanes;
    for (size_t r = 0; r < k_registers; ++r) {
      lanes.part[r] = vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(from + 4 * r)));
    }
    return lanes;
  }
  static NeonLanes load(const uint8_t* from) {
    NeonLanes lanes;
    for (size_t r = 0; r < k_registers; r += 4) {
      const uint8x16_t bytes = vld1q_u8(from + 4 * r);
      const uint16x8_t low = vmovl_u8(vget_low_u8(bytes));
      const uint16x8_t high = vmovl_high_u8(bytes);
      lanes.part[r] = vcvtq_f32_u32(vmovl_u16(vget_low_u16(low)));
      lanes.part[r + 1] = vcvtq_f32_u32(vmovl_high_u16(low));
      lanes.part[r + 2] = vcvtq_f32_u32(vmovl_u16(vget_low_u16(high)));
      lanes.part[r + 3] = vcvtq_f32_u32(vmovl_high_u16(high));
    }
    return lanes;
  }
  template <class Element>
  static NeonLanes load(const Element* from, size_t count) {
    return load_padded<NeonLanes>(from, count);
  }
  void store(float* to) const {
    for (size_t r = 0; r < k_registers; ++r) {
      vst1q_f32(to + 4 * r, part[r]);
    }
  }
  void store(uint16_t* to) const {
    for (size_t r = 0; r < k_registers; ++r) {
      vst1_u16(to + 4 * r, vreinterpret_u16_f16(vcvt_f16_f32(part[r])));
    }
  }
  void store(uint8_t* to) const {
    for (size_t r = 0; r < k_registers; r += 4) {
      const uint16x8_t low =
          vcombine_u16(vmovn_u32(vcvtq_u32_f32(part[r])), vmovn_u32(vcvtq_u32_f32(part[r + 1])));
      const uint16x8_t high = vcombine_u16(vmovn_u32(vcvtq_u32_f32(part[r + 2])),
                                           vmovn_u32(vcvtq_u32_f32(part[r + 3])));
      vst1q_u8(to + 4 * r, vcombine_u8(vmovn_u16(low), vmovn_u16(high)));
    }
  }
  static NeonLanes lookup(const float* tables, const uint8_t* codes) {
    float found[k_lanes];
    for (size_t i = 0; i < k_lanes; ++i) {
      found[i] = tables[256 * i + codes[i]];
    }
    return load(found);
  }
  NeonLanes head(size_t count, float rest) const {
    constexpr uint32_t first[4] = {0, 1, 2, 3};
    const uint32x4_t limit = vdupq_n_u32(static_cast<uint32_t>(count));
    NeonLanes lanes;
    for (size_t r = 0; r < k_registers; ++r) {
      const uint32x4_t numbers =
          vaddq_u32(vld1q_u32(first), vdupq_n_u32(static_cast<uint32_t>(4 * r)));
      lanes.part[r] = vbslq_f32(vcltq_u32(numbers, limit), part[r], vdupq_n_f32(rest));
    }
    return lanes;
  }
  NeonLanes rounded() const {
    NeonLanes lanes;
    for (size_t r = 0; r < k_registers; ++r) {
      lanes.part[r] = vrndnq_f32(part[r]);
    }
    return lanes;
  }
  NeonLanes truncated() const {
    NeonLanes lanes;
    for (size_t r = 0; r < k_registers; ++r) {
      lanes.part[r] = vrndq_f32(part[r]);
    }
    return lanes;
  }
  float sum() const {
    NeonLanes tree = *this;
    for (size_t half = k_registers / 2; half > 0; half /= 2) {
      for (size_t r = 0; r < half; ++r) {
        tree.part[r] = vaddq_f32(tree.part[r], tree.part[r + half]);
      }
    }
    const float32x2_t two = vadd_f32(vget_low_f32(tree.part[0]), vget_high_f32(tree.part[0]));
    return vget_lane_f32(two, 0) + vget_lane_f32(two, 1);
  }
};

inline NeonLanes operator+(NeonLanes x, const NeonLanes& y) {
  for (size_t r = 0; r < k_registers; ++r) {
    x.part[r] = vaddq_f32(x.part[r], y.part[r]);
  }
  return x;
}

inline NeonLanes operator-(NeonLanes x, const NeonLanes& y) {
  for (size_t r = 0; r < k_registers; ++r) {
    x.part[r] = vsubq_f32(x.part[r], y.part[r]);
  }
  return x;
}

inline NeonLanes operator*(NeonLanes x, const NeonLanes& y) {
  for (size_t r = 0; r < k_registers; ++r) {
    x.part[r] = vmulq_f32(x.part[r], y.part[r]);
  }
  return x;
}

inline NeonLanes abs(NeonLanes x) {
  for (float32x4_t& part : x.part) {
    part = vabsq_f32(part);
  }
  return x;
}

// By comparison: the minimum and maximum instructions treat NaN and zeros otherwise than x86.
inline NeonLanes least(NeonLanes x, const NeonLanes& y) {
  for (size_t r = 0; r < k_registers; ++r) {
    x.part[r] = vbslq_f32(vcltq_f32(x.part[r], y.part[r]), x.part[r], y.part[r]);
  }
  return x;
}

inline NeonLanes greatest(NeonLanes x, const NeonLanes& y) {
  for (size_t r = 0; r < k_registers; ++r) {
    x.part[r] = vbslq_f32(vcgtq_f32(x.part[r], y.part[r]), x.part[r], y.part[r]);
  }
  return x;
}

// Bytes are widened to 16 bits: the base instructions have no product of signed and unsigned bytes.
struct NeonCodes {
  static constexpr size_t k_bytes = 16;
  struct Query {
    int16x8_t low, high;
  };
  using Sum = int32x4_t;

  static Query load(const int8_t* query) {
    const int8x16_t bytes = vld1q_s8(query);
    return {vmovl_s8(vget_low_s8(bytes)), vmovl_high_s8(bytes)};
  }
  static Query load(const uint8_t* code) {
    // A byte less 128, as a signed byte, has the other highest bit.
    const int8x16_t bytes = vreinterpretq_s8_u8(veorq_u8(vld1q_u8(code), vdupq_n_u8(128)));
    return {vmovl_s8(vget_low_s8(bytes)), vmovl_high_s8(bytes)};
  }
  static Sum zero() { return vdupq_n_s32(0); }
  static Sum add_products(const Sum& sum, const Query& query, const uint8_t* codes) {
    const uint8x16_t bytes = vld1q_u8(codes);
    const int16x8_t low = vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(bytes)));
    const int16x8_t high = vreinterpretq_s16_u16(vmovl_high_u8(bytes));
    Sum next = vmlal_s16(sum, vget_low_s16(query.low), vget_low_s16(low));
    next = vmlal_high_s16(next, query.low, low);
    next = vmlal_s16(next, vget_low_s16(query.high), vget_low_s16(high));
    return vmlal_high_s16(next, query.high, high);
  }
  static int32_t total(const Sum& sum) { return vaddvq_s32(sum); }
};

// Fields of four bits and fewer, as signed bytes.
struct NeonPacked {
  static constexpr size_t k_bytes = 16;
  using Register = uint8x16_t;
  using Sum = int32x4_t;

  static Register load(const void* from) { return vld1q_u8(static_cast<const uint8_t*>(from)); }
  static Register load(const void* from, size_t count) {
    uint8_t padded[k_bytes] = {};
    std::memcpy(padded, from, count);
    return load(padded);
  }
  static Sum zero() { return vdupq_n_s32(0); }
  // A product is at most 15 · 127 = 1,905 and a lane takes 8 / bits · 2 of at most
  // (2^bits − 1) · 127: 7,620 with four bits, so 16 bits hold the sum.
  template <unsigned bits>
  static Sum add_products(const Sum& sum, const Register& codes, const Register* query) {
    int16x8_t products = vdupq_n_s16(0);
    for (unsigned field = 0; field < 8 / bits; ++field) {
      const int8x16_t shift = vdupq_n_s8(static_cast<int8_t>(-static_cast<int>(field * bits)));
      const int8x16_t elements =
          vreinterpretq_s8_u8(vandq_u8(vshlq_u8(codes, shift), vdupq_n_u8((1U << bits) - 1)));
      const int8x16_t part = vreinterpretq_s8_u8(query[field]);
      products = vmlal_s8(products, vget_low_s8(elements), vget_low_s8(part));
      products = vmlal_high_s8(products, elements, part);
    }
    return vpadalq_s16(sum, products);
  }
  template <size_t rows>
  static void totals(const Sum* sums, int32_t* to) {
    for (size_t row = 0; row < rows; ++row) {
      to[row] = vaddvq_s32(sums[row]);
    }
  }
};

}  // namespace

const Kernels k_neon_kernels = kernels_of<NeonLanes, NeonCodes, NeonPacked>(Isa::neon);

}  // namespace asyncstore::simd

#endif  // defined(__aarch64__)
