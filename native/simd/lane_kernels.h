// The float kernels of kernels.h, written once over 32 lanes of float32.
//
// A file of one instruction set defines the type of the lanes in an anonymous namespace and takes
// its table from `kernels_of`. It must include the standard headers first, then name its target in
// a pragma, then include this header: so the templates below are compiled for that target, and
// because their argument has internal linkage no other file can be handed the copy that this CPU
// cannot run. For the same reason nothing here may be a plain inline function.
//
// Lanes is a value with these members. `Element` is float, uint16_t (binary16) or uint8_t.
//   static Lanes splat(float value)                         all lanes the same
//   static Lanes load(const Element* from)                  32 elements, converted to float32
//   static Lanes load(const Element* from, size_t count)    count of them, 1..31, the others zero
//   static Lanes lookup(const float* tables, const uint8_t* codes)
//                                       lane i: tables[256 · i + codes[i]]
//   void store(Element* to) const       binary16 rounds to nearest even; uint8 takes whole numbers
//                                       in 0..255 and nothing else
//   Lanes head(size_t count, float rest) const   lanes from count (1..31) on replaced by `rest`
//   operators + - *, each rounded; abs(a); least(a, b) = a < b ? a : b; greatest(a, b) = a > b ? a
//   : b Lanes rounded() const               to whole numbers, half to even; lanes in 0..255 Lanes
//   truncated() const             to whole numbers, toward zero; lanes in 0..255 float sum() const
//   by the tree of kernels.h k_code_rows                         rows that l1_codes takes at a
//   time, as registers allow
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "simd/code_kernels.h"
#include "simd/hadamard.h"
#include "simd/kernels.h"
#include "simd/packed_kernels.h"

namespace asyncstore::simd {

// `load` of a part for lanes without masked loads.
template <class Lanes, class Element>
Lanes load_padded(const Element* from, size_t count) {
  Element padded[k_lanes] = {};
  std::memcpy(padded, from, count * sizeof(Element));
  return Lanes::load(padded);
}

template <class Lanes, class Element>
void store_part(const Lanes& lanes, Element* to, size_t count) {
  Element padded[k_lanes];
  lanes.store(padded);
  std::memcpy(to, padded, count * sizeof(Element));
}

// What one element adds to a distance. Two zeros add zero, so that a padded tail adds nothing.
struct Product {
  template <class Lanes>
  static Lanes of(const Lanes& query, const Lanes& row) {
    return query * row;
  }
};

struct SquaredDifference {
  template <class Lanes>
  static Lanes of(const Lanes& query, const Lanes& row) {
    const Lanes difference = query - row;
    return difference * difference;
  }
};

struct AbsoluteDifference {
  template <class Lanes>
  static Lanes of(const Lanes& query, const Lanes& row) {
    return abs(query - row);
  }
};

template <class Lanes, class Term, class Element>
float distance(const float* query, const Element* row, size_t dim) {
  Lanes sum = Lanes::splat(0);
  size_t i = 0;
  for (; i + k_lanes <= dim; i += k_lanes) {
    sum = sum + Term::of(Lanes::load(query + i), Lanes::load(row + i));
  }
  if (i < dim) {
    sum = sum + Term::of(Lanes::load(query + i, dim - i), Lanes::load(row + i, dim - i));
  }
  return sum.sum();
}

template <class Lanes>
void min_max_f32(const float* row, size_t dim, float* smallest, float* largest) {
  Lanes low = Lanes::splat(row[0]);
  Lanes high = low;
  size_t i = 0;
  for (; i + k_lanes <= dim; i += k_lanes) {
    const Lanes values = Lanes::load(row + i);
    low = least(low, values);
    high = greatest(high, values);
  }
  if (i < dim) {
    const Lanes values = Lanes::load(row + i, dim - i).head(dim - i, row[0]);
    low = least(low, values);
    high = greatest(high, values);
  }
  float lows[k_lanes];
  float highs[k_lanes];
  low.store(lows);
  high.store(highs);
  for (size_t half = k_lanes / 2; half > 0; half /= 2) {
    for (size_t lane = 0; lane < half; ++lane) {
      lows[lane] = lows[lane + half] < lows[lane] ? lows[lane + half] : lows[lane];
      highs[lane] = highs[lane + half] > highs[lane] ? highs[lane + half] : highs[lane];
    }
  }
  // Which of two zeros of different sign is found depends on the order; adding +0 makes both +0.
  *smallest = lows[0] + 0.0F;
  *largest = highs[0] + 0.0F;
}

// Clamps before converting, so that no value is outside the integers; a NaN (infinity times zero)
// compares false and becomes 0.
template <class Lanes>
Lanes clamp_to_byte(const Lanes& values) {
  return least(greatest(values, Lanes::splat(0)), Lanes::splat(255));
}

template <class Lanes>
void encode_f32(const float* row, size_t dim, float offset, float inverse_scale, uint8_t* codes) {
  const Lanes offsets = Lanes::splat(offset);
  const Lanes inverse_scales = Lanes::splat(inverse_scale);
  size_t i = 0;
  for (; i + k_lanes <= dim; i += k_lanes) {
    const Lanes scaled = (Lanes::load(row + i) - offsets) * inverse_scales;
    clamp_to_byte(scaled).rounded().store(codes + i);
  }
  if (i < dim) {
    const Lanes scaled = (Lanes::load(row + i, dim - i) - offsets) * inverse_scales;
    store_part(clamp_to_byte(scaled).rounded(), codes + i, dim - i);
  }
}

template <class Lanes>
bool all_finite(const float* values, size_t count) {
  // A finite value less itself is zero; an infinity or a NaN less itself is NaN, and stays.
  Lanes sum = Lanes::splat(0);
  size_t i = 0;
  for (; i + k_lanes <= count; i += k_lanes) {
    const Lanes loaded = Lanes::load(values + i);
    sum = sum + (loaded - loaded);
  }
  if (i < count) {
    const Lanes loaded = Lanes::load(values + i, count - i);
    sum = sum + (loaded - loaded);
  }
  return sum.sum() == 0;
}

// Left to the compiler, which knows the instruction for the upper half of such a product.
template <class Lanes>
void add_codes(const uint8_t* codes, size_t count, uint16_t factor, uint16_t* sums) {
  for (size_t i = 0; i < count; ++i) {
    const auto shifted = static_cast<uint16_t>(codes[i] << 8);
    const auto product = static_cast<uint16_t>(uint32_t{shifted} * factor >> 16);
    sums[i] = static_cast<uint16_t>(sums[i] + product + (shifted != 0 ? 1 : 0));
  }
}

template <class Lanes, class From, class To>
void convert(const From* from, size_t count, To* to) {
  size_t i = 0;
  for (; i + k_lanes <= count; i += k_lanes) {
    Lanes::load(from + i).store(to + i);
  }
  if (i < count) {
    store_part(Lanes::load(from + i, count - i), to + i, count - i);
  }
}

template <class Lanes>
void f32_to_u8(const float* from, size_t count, uint8_t* to) {
  size_t i = 0;
  for (; i + k_lanes <= count; i += k_lanes) {
    clamp_to_byte(Lanes::load(from + i)).truncated().store(to + i);
  }
  if (i < count) {
    store_part(clamp_to_byte(Lanes::load(from + i, count - i)).truncated(), to + i, count - i);
  }
}

template <class Lanes, class Codes, class Packed>
constexpr Kernels kernels_of(Isa isa) {
  return {.isa = isa,
          .dot_f32 = distance<Lanes, Product, float>,
          .l2_f32 = distance<Lanes, SquaredDifference, float>,
          .l1_f32 = distance<Lanes, AbsoluteDifference, float>,
          .dot_f16 = distance<Lanes, Product, uint16_t>,
          .l2_f16 = distance<Lanes, SquaredDifference, uint16_t>,
          .l1_f16 = distance<Lanes, AbsoluteDifference, uint16_t>,
          .dot_u8 = distance<Lanes, Product, uint8_t>,
          .l2_u8 = distance<Lanes, SquaredDifference, uint8_t>,
          .l1_u8 = distance<Lanes, AbsoluteDifference, uint8_t>,
          .dot_codes = dot_codes<Codes, int8_t>,
          .dot_code_pairs = dot_codes<Codes, uint8_t>,
          .dot_1bit = dot_packed<Packed, 1>,
          .dot_2bit = dot_packed<Packed, 2>,
          .dot_4bit = dot_packed<Packed, 4>,
          .l1_codes = distance_codes<Lanes, AbsoluteDifference>,
          .l2_codes = distance_codes<Lanes, SquaredDifference>,
          .l1_code_pairs = distance_code_pairs<Lanes, AbsoluteDifference>,
          .lookup_codes = lookup_codes<Lanes>,
          .add_codes = add_codes<Lanes>,
          .min_max_f32 = min_max_f32<Lanes>,
          .encode_f32 = encode_f32<Lanes>,
          .hadamard_f32 = hadamard_f32<Lanes>,
          .all_finite = all_finite<Lanes>,
          .f32_to_f16 = convert<Lanes, float, uint16_t>,
          .f16_to_f32 = convert<Lanes, uint16_t, float>,
          .f32_to_u8 = f32_to_u8<Lanes>,
          .u8_to_f32 = convert<Lanes, uint8_t, float>};
}

}  // namespace asyncstore::simd
