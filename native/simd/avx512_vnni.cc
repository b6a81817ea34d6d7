// dot_codes for AVX-512 VNNI, whose vpdpbusd multiplies 64 pairs of bytes and adds the products in
// groups of four to 32-bit sums without saturating.
#if defined(__x86_64__)

#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "simd/tables.h"

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vnni"))), \
                             apply_to = function)
#else
// GCC 12 warns of the registers that its own headers leave undefined on purpose (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC target("avx512f,avx512bw,avx512vnni")
#endif

#include "simd/code_kernels.h"
#include "simd/packed_kernels.h"

namespace asyncstore::simd {
namespace {

struct VnniCodes {
  static constexpr size_t k_bytes = 64;
  using Query = __m512i;
  using Sum = __m512i;

  static Query load(const int8_t* query) { return _mm512_loadu_si512(query); }
  // A byte less 128, as a signed byte, has the other highest bit.
  static Query load(const uint8_t* code) {
    return _mm512_xor_si512(_mm512_loadu_si512(code), _mm512_set1_epi8(-128));
  }
  static Sum zero() { return _mm512_setzero_si512(); }
  static Sum add_products(const Sum& sum, const Query& query, const uint8_t* codes) {
    return _mm512_dpbusd_epi32(sum, _mm512_loadu_si512(codes), query);
  }
  static int32_t total(const Sum& sum) { return _mm512_reduce_add_epi32(sum); }
};

// The 128-bit quarters of a register, added.
__m128i add_quarters(__m512i sum) {
  const __m256i half =
      _mm256_add_epi32(_mm512_castsi512_si256(sum), _mm512_extracti64x4_epi64(sum, 1));
  return _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
}

struct VnniPacked {
  static constexpr size_t k_bytes = 64;
  using Register = __m512i;
  using Sum = __m512i;

  static Register load(const void* from) { return _mm512_loadu_si512(from); }
  static Register load(const void* from, size_t count) {
    return _mm512_maskz_loadu_epi8((uint64_t{1} << count) - 1, from);
  }
  static Sum zero() { return _mm512_setzero_si512(); }
  template <unsigned bits>
  static Sum add_products(Sum sum, const Register& codes, const Register* query) {
    const __m512i mask = _mm512_set1_epi8((1 << bits) - 1);
    for (unsigned field = 0; field < 8 / bits; ++field) {
      const __m512i elements = _mm512_and_si512(_mm512_srli_epi16(codes, field * bits), mask);
      sum = _mm512_dpbusd_epi32(sum, elements, query[field]);
    }
    return sum;
  }
  // Four rows at once: rows of a few registers take as long to add up as to multiply.
  template <size_t rows>
  static void totals(const Sum* sums, int32_t* to) {
    if constexpr (rows == 4) {
      const __m128i a = add_quarters(sums[0]);
      const __m128i b = add_quarters(sums[1]);
      const __m128i c = add_quarters(sums[2]);
      const __m128i d = add_quarters(sums[3]);
      const __m128i ab = _mm_add_epi32(_mm_unpacklo_epi32(a, b), _mm_unpackhi_epi32(a, b));
      const __m128i cd = _mm_add_epi32(_mm_unpacklo_epi32(c, d), _mm_unpackhi_epi32(c, d));
      _mm_storeu_si128(reinterpret_cast<__m128i*>(to),
                       _mm_add_epi32(_mm_unpacklo_epi64(ab, cd), _mm_unpackhi_epi64(ab, cd)));
    } else {
      for (size_t row = 0; row < rows; ++row) {
        to[row] = _mm512_reduce_add_epi32(sums[row]);
      }
    }
  }
};

}  // namespace

void dot_codes_avx512_vnni(const int8_t* query, const CodeRows& rows, size_t dim, size_t count,
                           int32_t* sums) {
  dot_codes<VnniCodes>(query, rows, dim, count, sums);
}

void dot_code_pairs_avx512_vnni(const uint8_t* code, const CodeRows& rows, size_t dim, size_t count,
                                int32_t* sums) {
  dot_codes<VnniCodes>(code, rows, dim, count, sums);
}

void dot_1bit_avx512_vnni(const int8_t* query, const CodeRows& rows, size_t code_bytes,
                          size_t count, int32_t* sums) {
  dot_packed<VnniPacked, 1>(query, rows, code_bytes, count, sums);
}

void dot_2bit_avx512_vnni(const int8_t* query, const CodeRows& rows, size_t code_bytes,
                          size_t count, int32_t* sums) {
  dot_packed<VnniPacked, 2>(query, rows, code_bytes, count, sums);
}

void dot_4bit_avx512_vnni(const int8_t* query, const CodeRows& rows, size_t code_bytes,
                          size_t count, int32_t* sums) {
  dot_packed<VnniPacked, 4>(query, rows, code_bytes, count, sums);
}

}  // namespace asyncstore::simd

#if defined(__clang__)
#pragma clang attribute pop
#endif

#endif  // defined(__x86_64__)
