// The kernels for AVX2 and F16C.
#if defined(__x86_64__)

#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "simd/tables.h"

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,f16c"))), apply_to = function)
#else
#pragma GCC target("avx2,f16c")
#endif

#include "simd/lane_kernels.h"

namespace asyncstore::simd {
namespace {

// Lanes 0..7, 8..15, 16..23 and 24..31.
struct Avx2Lanes {
  // Four registers of sums per row; two rows would spill.
  static constexpr size_t k_code_rows = 1;

  __m256 a, b, c, d;

  static Avx2Lanes splat(float value) {
    const __m256 all = _mm256_set1_ps(value);
    return {all, all, all, all};
  }
  static Avx2Lanes load(const float* from) {
    return {_mm256_loadu_ps(from), _mm256_loadu_ps(from + 8), _mm256_loadu_ps(from + 16),
            _mm256_loadu_ps(from + 24)};
  }
  static Avx2Lanes load(const uint16_t* from) {
    return {load8(from), load8(from + 8), load8(from + 16), load8(from + 24)};
  }
  static Avx2Lanes load(const uint8_t* from) {
    return {load8(from), load8(from + 8), load8(from + 16), load8(from + 24)};
  }
  template <class Element>
  static Avx2Lanes load(const Element* from, size_t count) {
    return load_padded<Avx2Lanes>(from, count);
  }
  void store(float* to) const {
    _mm256_storeu_ps(to, a);
    _mm256_storeu_ps(to + 8, b);
    _mm256_storeu_ps(to + 16, c);
    _mm256_storeu_ps(to + 24, d);
  }
  void store(uint16_t* to) const {
    store8(a, to);
    store8(b, to + 8);
    store8(c, to + 16);
    store8(d, to + 24);
  }
  void store(uint8_t* to) const {
    // The packs work within 128-bit halves and leave the groups of four as a0 b0 c0 d0 a1 b1 c1 d1.
    const __m256i ab = _mm256_packs_epi32(_mm256_cvtps_epi32(a), _mm256_cvtps_epi32(b));
    const __m256i cd = _mm256_packs_epi32(_mm256_cvtps_epi32(c), _mm256_cvtps_epi32(d));
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to),
                        _mm256_permutevar8x32_epi32(_mm256_packus_epi16(ab, cd), order));
  }
  static Avx2Lanes lookup(const float* tables, const uint8_t* codes) {
    constexpr size_t k_tables = size_t{8} * 256;
    return {lookup8(tables, codes), lookup8(tables + k_tables, codes + 8),
            lookup8(tables + 2 * k_tables, codes + 16), lookup8(tables + 3 * k_tables, codes + 24)};
  }
  Avx2Lanes head(size_t count, float rest) const {
    const __m256 others = _mm256_set1_ps(rest);
    return {_mm256_blendv_ps(others, a, lanes_below(count, 0)),
            _mm256_blendv_ps(others, b, lanes_below(count, 8)),
            _mm256_blendv_ps(others, c, lanes_below(count, 16)),
            _mm256_blendv_ps(others, d, lanes_below(count, 24))};
  }
  Avx2Lanes rounded() const {
    constexpr int mode = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
    return {_mm256_round_ps(a, mode), _mm256_round_ps(b, mode), _mm256_round_ps(c, mode),
            _mm256_round_ps(d, mode)};
  }
  Avx2Lanes truncated() const {
    constexpr int mode = _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC;
    return {_mm256_round_ps(a, mode), _mm256_round_ps(b, mode), _mm256_round_ps(c, mode),
            _mm256_round_ps(d, mode)};
  }
  float sum() const {
    const __m256 eight = _mm256_add_ps(_mm256_add_ps(a, c), _mm256_add_ps(b, d));
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
  }

 private:
  static __m256 lookup8(const float* tables, const uint8_t* codes) {
    const __m256i begins = _mm256_setr_epi32(0, 256, 512, 768, 1024, 1280, 1536, 1792);
    const __m256i numbers =
        _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(codes)));
    return _mm256_i32gather_ps(tables, _mm256_add_epi32(begins, numbers), sizeof(float));
  }
  static __m256 load8(const uint16_t* from) {
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
  }
  static __m256 load8(const uint8_t* from) {
    return _mm256_cvtepi32_ps(
        _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from))));
  }
  static void store8(__m256 values, uint16_t* to) {
    constexpr int mode = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm256_cvtps_ph(values, mode));
  }
  // All ones in the lanes of one register whose number, counted from `first`, is below `count`.
  static __m256 lanes_below(size_t count, int first) {
    const __m256i numbers =
        _mm256_add_epi32(_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7), _mm256_set1_epi32(first));
    return _mm256_castsi256_ps(
        _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(count)), numbers));
  }
};

// Not friends defined inside: GCC does not compile those for the target of the pragma.
inline Avx2Lanes operator+(const Avx2Lanes& x, const Avx2Lanes& y) {
  return {_mm256_add_ps(x.a, y.a), _mm256_add_ps(x.b, y.b), _mm256_add_ps(x.c, y.c),
          _mm256_add_ps(x.d, y.d)};
}

inline Avx2Lanes operator-(const Avx2Lanes& x, const Avx2Lanes& y) {
  return {_mm256_sub_ps(x.a, y.a), _mm256_sub_ps(x.b, y.b), _mm256_sub_ps(x.c, y.c),
          _mm256_sub_ps(x.d, y.d)};
}

inline Avx2Lanes operator*(const Avx2Lanes& x, const Avx2Lanes& y) {
  return {_mm256_mul_ps(x.a, y.a), _mm256_mul_ps(x.b, y.b), _mm256_mul_ps(x.c, y.c),
          _mm256_mul_ps(x.d, y.d)};
}

inline Avx2Lanes abs(const Avx2Lanes& x) {
  const __m256 sign = _mm256_set1_ps(-0.0F);
  return {_mm256_andnot_ps(sign, x.a), _mm256_andnot_ps(sign, x.b), _mm256_andnot_ps(sign, x.c),
          _mm256_andnot_ps(sign, x.d)};
}

inline Avx2Lanes least(const Avx2Lanes& x, const Avx2Lanes& y) {
  return {_mm256_min_ps(x.a, y.a), _mm256_min_ps(x.b, y.b), _mm256_min_ps(x.c, y.c),
          _mm256_min_ps(x.d, y.d)};
}

inline Avx2Lanes greatest(const Avx2Lanes& x, const Avx2Lanes& y) {
  return {_mm256_max_ps(x.a, y.a), _mm256_max_ps(x.b, y.b), _mm256_max_ps(x.c, y.c),
          _mm256_max_ps(x.d, y.d)};
}

// Codes and query are widened to 16 bits: maddubs would take them as bytes, but saturates sums of
// two products at 32,767, and 2 · 127 · 255 is 64,770.
struct Avx2Codes {
  static constexpr size_t k_bytes = 32;
  struct Query {
    __m256i low, high;
  };
  using Sum = __m256i;

  static Query load(const int8_t* query) {
    return {_mm256_cvtepi8_epi16(load16(query)), _mm256_cvtepi8_epi16(load16(query + 16))};
  }
  static Query load(const uint8_t* code) {
    const __m256i middle = _mm256_set1_epi16(128);
    return {_mm256_sub_epi16(_mm256_cvtepu8_epi16(load16(code)), middle),
            _mm256_sub_epi16(_mm256_cvtepu8_epi16(load16(code + 16)), middle)};
  }
  static Sum zero() { return _mm256_setzero_si256(); }
  static Sum add_products(const Sum& sum, const Query& query, const uint8_t* codes) {
    const __m256i low = _mm256_madd_epi16(query.low, _mm256_cvtepu8_epi16(load16(codes)));
    const __m256i high = _mm256_madd_epi16(query.high, _mm256_cvtepu8_epi16(load16(codes + 16)));
    return _mm256_add_epi32(sum, _mm256_add_epi32(low, high));
  }
  static int32_t total(const Sum& sum) {
    const __m128i four =
        _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
    const __m128i two = _mm_add_epi32(four, _mm_unpackhi_epi64(four, four));
    return _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32(two, 1)));
  }

 private:
  static __m128i load16(const void* from) {
    return _mm_loadu_si128(static_cast<const __m128i*>(from));
  }
};

// maddubs adds two products in 16 bits: of codes of 4 bits all fields together stay below
// 2 · 2 · 15 · 127 = 7,620, of fewer bits below that, so nothing saturates.
struct Avx2Packed {
  static constexpr size_t k_bytes = 32;
  using Register = __m256i;
  using Sum = __m256i;

  static Register load(const void* from) {
    return _mm256_loadu_si256(static_cast<const __m256i*>(from));
  }
  static Register load(const void* from, size_t count) {
    uint8_t padded[k_bytes] = {};
    std::memcpy(padded, from, count);
    return load(padded);
  }
  static Sum zero() { return _mm256_setzero_si256(); }
  template <unsigned bits>
  static Sum add_products(const Sum& sum, const Register& codes, const Register* query) {
    const __m256i mask = _mm256_set1_epi8((1 << bits) - 1);
    __m256i products = _mm256_setzero_si256();
    for (unsigned field = 0; field < 8 / bits; ++field) {
      const __m256i elements =
          _mm256_and_si256(_mm256_srli_epi16(codes, static_cast<int>(field * bits)), mask);
      products = _mm256_add_epi16(products, _mm256_maddubs_epi16(elements, query[field]));
    }
    return _mm256_add_epi32(sum, _mm256_madd_epi16(products, _mm256_set1_epi16(1)));
  }
  template <size_t rows>
  static void totals(const Sum* sums, int32_t* to) {
    for (size_t row = 0; row < rows; ++row) {
      to[row] = Avx2Codes::total(sums[row]);
    }
  }
};

}  // namespace

const Kernels k_avx2_kernels = kernels_of<Avx2Lanes, Avx2Codes, Avx2Packed>(Isa::avx2);

}  // namespace asyncstore::simd

#if defined(__clang__)
#pragma clang attribute pop
#endif

#endif  // defined(__x86_64__)
