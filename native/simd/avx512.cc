// The kernels for AVX-512 F, BW, DQ and VL, and their table with the codes of avx512_vnni.cc.
#if defined(__x86_64__)

#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "simd/tables.h"

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl"))), \
                             apply_to = function)
#else
// GCC 12 warns of the registers that its own headers leave undefined on purpose (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl")
#endif

#include "simd/lane_kernels.h"

namespace asyncstore::simd {
namespace {

// Lanes 0..15 and 16..31.
struct Avx512Lanes {
  static constexpr size_t k_code_rows = 2;

  __m512 low, high;

  static Avx512Lanes splat(float value) { return {_mm512_set1_ps(value), _mm512_set1_ps(value)}; }
  static Avx512Lanes load(const float* from) {
    return {_mm512_loadu_ps(from), _mm512_loadu_ps(from + 16)};
  }
  static Avx512Lanes load(const uint16_t* from) {
    return {_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from))),
            _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + 16)))};
  }
  static Avx512Lanes load(const uint8_t* from) {
    return {from_bytes(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))),
            from_bytes(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from + 16)))};
  }
  // Masked loads do not touch what the mask leaves out, so they cannot fault there.
  static Avx512Lanes load(const float* from, size_t count) {
    return {_mm512_maskz_loadu_ps(low_mask(count), from),
            _mm512_maskz_loadu_ps(high_mask(count), from + 16)};
  }
  static Avx512Lanes load(const uint16_t* from, size_t count) {
    return {_mm512_cvtph_ps(_mm256_maskz_loadu_epi16(low_mask(count), from)),
            _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(high_mask(count), from + 16))};
  }
  static Avx512Lanes load(const uint8_t* from, size_t count) {
    return {from_bytes(_mm_maskz_loadu_epi8(low_mask(count), from)),
            from_bytes(_mm_maskz_loadu_epi8(high_mask(count), from + 16))};
  }
  void store(float* to) const {
    _mm512_storeu_ps(to, low);
    _mm512_storeu_ps(to + 16, high);
  }
  void store(uint16_t* to) const {
    constexpr int mode = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm512_cvtps_ph(low, mode));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + 16), _mm512_cvtps_ph(high, mode));
  }
  void store(uint8_t* to) const {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(low)));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to + 16),
                     _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(high)));
  }
  static Avx512Lanes lookup(const float* tables, const uint8_t* codes) {
    return {lookup16(tables, codes), lookup16(tables + size_t{16} * 256, codes + 16)};
  }
  Avx512Lanes head(size_t count, float rest) const {
    const __m512 others = _mm512_set1_ps(rest);
    return {_mm512_mask_blend_ps(low_mask(count), others, low),
            _mm512_mask_blend_ps(high_mask(count), others, high)};
  }
  Avx512Lanes rounded() const {
    constexpr int mode = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
    return {_mm512_roundscale_ps(low, mode), _mm512_roundscale_ps(high, mode)};
  }
  Avx512Lanes truncated() const {
    constexpr int mode = _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC;
    return {_mm512_roundscale_ps(low, mode), _mm512_roundscale_ps(high, mode)};
  }
  float sum() const {
    const __m512 sixteen = _mm512_add_ps(low, high);
    const __m256 eight =
        _mm256_add_ps(_mm512_castps512_ps256(sixteen), _mm512_extractf32x8_ps(sixteen, 1));
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
  }

 private:
  static __m512 lookup16(const float* tables, const uint8_t* codes) {
    const __m512i begins = _mm512_setr_epi32(0, 256, 512, 768, 1024, 1280, 1536, 1792, 2048, 2304,
                                             2560, 2816, 3072, 3328, 3584, 3840);
    const __m512i numbers =
        _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(codes)));
    return _mm512_i32gather_ps(_mm512_add_epi32(begins, numbers), tables, sizeof(float));
  }
  static __m512 from_bytes(__m128i bytes) {
    return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(bytes));
  }
  // The lanes below count, 1..31, of each half.
  static __mmask16 low_mask(size_t count) { return static_cast<__mmask16>((1U << count) - 1U); }
  static __mmask16 high_mask(size_t count) {
    return static_cast<__mmask16>(((1U << count) - 1U) >> 16);
  }
};

// Not friends defined inside: GCC does not compile those for the target of the pragma.
inline Avx512Lanes operator+(const Avx512Lanes& x, const Avx512Lanes& y) {
  return {_mm512_add_ps(x.low, y.low), _mm512_add_ps(x.high, y.high)};
}

inline Avx512Lanes operator-(const Avx512Lanes& x, const Avx512Lanes& y) {
  return {_mm512_sub_ps(x.low, y.low), _mm512_sub_ps(x.high, y.high)};
}

inline Avx512Lanes operator*(const Avx512Lanes& x, const Avx512Lanes& y) {
  return {_mm512_mul_ps(x.low, y.low), _mm512_mul_ps(x.high, y.high)};
}

inline Avx512Lanes abs(const Avx512Lanes& x) {
  return {_mm512_abs_ps(x.low), _mm512_abs_ps(x.high)};
}

inline Avx512Lanes least(const Avx512Lanes& x, const Avx512Lanes& y) {
  return {_mm512_min_ps(x.low, y.low), _mm512_min_ps(x.high, y.high)};
}

inline Avx512Lanes greatest(const Avx512Lanes& x, const Avx512Lanes& y) {
  return {_mm512_max_ps(x.low, y.low), _mm512_max_ps(x.high, y.high)};
}

// As in avx2.cc, bytes are widened to 16 bits so that nothing saturates.
struct Avx512Codes {
  static constexpr size_t k_bytes = 64;
  struct Query {
    __m512i low, high;
  };
  using Sum = __m512i;

  static Query load(const int8_t* query) {
    return {_mm512_cvtepi8_epi16(load32(query)), _mm512_cvtepi8_epi16(load32(query + 32))};
  }
  static Query load(const uint8_t* code) {
    const __m512i middle = _mm512_set1_epi16(128);
    return {_mm512_sub_epi16(_mm512_cvtepu8_epi16(load32(code)), middle),
            _mm512_sub_epi16(_mm512_cvtepu8_epi16(load32(code + 32)), middle)};
  }
  static Sum zero() { return _mm512_setzero_si512(); }
  static Sum add_products(const Sum& sum, const Query& query, const uint8_t* codes) {
    const __m512i low = _mm512_madd_epi16(query.low, _mm512_cvtepu8_epi16(load32(codes)));
    const __m512i high = _mm512_madd_epi16(query.high, _mm512_cvtepu8_epi16(load32(codes + 32)));
    return _mm512_add_epi32(sum, _mm512_add_epi32(low, high));
  }
  static int32_t total(const Sum& sum) { return _mm512_reduce_add_epi32(sum); }

 private:
  static __m256i load32(const void* from) {
    return _mm256_loadu_si256(static_cast<const __m256i*>(from));
  }
};

// As in avx2.cc, sums of 16 bits do not saturate.
struct Avx512Packed {
  static constexpr size_t k_bytes = 64;
  using Register = __m512i;
  using Sum = __m512i;

  static Register load(const void* from) { return _mm512_loadu_si512(from); }
  static Register load(const void* from, size_t count) {
    return _mm512_maskz_loadu_epi8((uint64_t{1} << count) - 1, from);
  }
  static Sum zero() { return _mm512_setzero_si512(); }
  template <unsigned bits>
  static Sum add_products(const Sum& sum, const Register& codes, const Register* query) {
    const __m512i mask = _mm512_set1_epi8((1 << bits) - 1);
    __m512i products = _mm512_setzero_si512();
    for (unsigned field = 0; field < 8 / bits; ++field) {
      const __m512i elements = _mm512_and_si512(_mm512_srli_epi16(codes, field * bits), mask);
      products = _mm512_add_epi16(products, _mm512_maddubs_epi16(elements, query[field]));
    }
    return _mm512_add_epi32(sum, _mm512_madd_epi16(products, _mm512_set1_epi16(1)));
  }
  template <size_t rows>
  static void totals(const Sum* sums, int32_t* to) {
    for (size_t row = 0; row < rows; ++row) {
      to[row] = _mm512_reduce_add_epi32(sums[row]);
    }
  }
};

constexpr Kernels with_vnni() {
  Kernels table = kernels_of<Avx512Lanes, Avx512Codes, Avx512Packed>(Isa::avx512_vnni);
  table.dot_codes = dot_codes_avx512_vnni;
  table.dot_code_pairs = dot_code_pairs_avx512_vnni;
  table.dot_1bit = dot_1bit_avx512_vnni;
  table.dot_2bit = dot_2bit_avx512_vnni;
  table.dot_4bit = dot_4bit_avx512_vnni;
  return table;
}

}  // namespace

const Kernels k_avx512_kernels = kernels_of<Avx512Lanes, Avx512Codes, Avx512Packed>(Isa::avx512);
const Kernels k_avx512_vnni_kernels = with_vnni();

}  // namespace asyncstore::simd

#if defined(__clang__)
#pragma clang attribute pop
#endif

#endif  // defined(__x86_64__)
