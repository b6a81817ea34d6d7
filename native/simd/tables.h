// The tables that dispatch.cc chooses from, one per file of this folder.
#pragma once

#include "simd/kernels.h"

namespace asyncstore::simd {

extern const Kernels k_scalar_kernels;

#if defined(__x86_64__)
extern const Kernels k_avx2_kernels;         // needs AVX2 and F16C
extern const Kernels k_avx512_kernels;       // needs AVX-512 F, BW, DQ and VL
extern const Kernels k_avx512_vnni_kernels;  // the same and AVX-512 VNNI

void dot_codes_avx512_vnni(const int8_t* query, const CodeRows& rows, size_t dim, size_t count,
                           int32_t* sums);
void dot_code_pairs_avx512_vnni(const uint8_t* code, const CodeRows& rows, size_t dim, size_t count,
                                int32_t* sums);
void dot_1bit_avx512_vnni(const int8_t* query, const CodeRows& rows, size_t code_bytes,
                          size_t count, int32_t* sums);
void dot_2bit_avx512_vnni(const int8_t* query, const CodeRows& rows, size_t code_bytes,
                          size_t count, int32_t* sums);
void dot_4bit_avx512_vnni(const int8_t* query, const CodeRows& rows, size_t code_bytes,
                          size_t count, int32_t* sums);
#elif defined(__aarch64__)
extern const Kernels k_neon_kernels;  // part of every aarch64 CPU
#endif

}  // namespace asyncstore::simd
