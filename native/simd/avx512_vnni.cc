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

}  // namespace

void dot_codes_avx512_vnni(const int8_t* query, const CodeRows& rows, size_t dim, size_t count,
                           int32_t* sums) {
  dot_codes<VnniCodes>(query, rows, dim, count, sums);
}

void dot_code_pairs_avx512_vnni(const uint8_t* code, const CodeRows& rows, size_t dim, size_t count,
                                int32_t* sums) {
  dot_codes<VnniCodes>(code, rows, dim, count, sums);
}

}  // namespace asyncstore::simd

#if defined(__clang__)
#pragma clang attribute pop
#endif

#endif  // defined(__x86_64__)
