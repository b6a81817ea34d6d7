// Distance and code kernels, one table per instruction set, chosen once at run time.
//
// Every instruction set gives the same result to the last bit. Float kernels sum into 32 lanes,
// lane i taking the elements i, i + 32, i + 64, …; a product is rounded before it is added (no
// fused multiply-add), and the lanes are summed in a fixed tree: lanes j and j + 16, then j and j +
// 8, then j and j + 4, j and j + 2, j and j + 1. Missing elements of the last group count as zero.
// So a score does not depend on the machine, on the batch or on the reader. Integer kernels are
// exact.
//
// Pointers need no alignment. No kernel reads or writes outside the `dim` elements it is given.
// All kernels may be called from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace asyncstore::simd {

enum class Isa : uint8_t { scalar, avx2, avx512, avx512_vnni, neon };

const char* name(Isa isa);

// Codes of rows, `stride_bytes` apart: row r of a call is number r, or numbers[r] if there are any.
struct CodeRows {
  const uint8_t* codes;
  size_t stride_bytes;
  const uint32_t* numbers = nullptr;

  const uint8_t* row(size_t r) const {
    return codes + (numbers == nullptr ? r : size_t{numbers[r]}) * stride_bytes;
  }
};

struct Kernels {
  Isa isa;

  // A float32 query against one stored row of dim elements: the dot product, the squared Euclidean
  // distance, the sum of absolute differences. The row is float32, float16 (IEEE binary16) or
  // uint8.
  float (*dot_f32)(const float* query, const float* row, size_t dim);
  float (*l2_f32)(const float* query, const float* row, size_t dim);
  float (*l1_f32)(const float* query, const float* row, size_t dim);
  float (*dot_f16)(const float* query, const uint16_t* row, size_t dim);
  float (*l2_f16)(const float* query, const uint16_t* row, size_t dim);
  float (*l1_f16)(const float* query, const uint16_t* row, size_t dim);
  float (*dot_u8)(const float* query, const uint8_t* row, size_t dim);
  float (*l2_u8)(const float* query, const uint8_t* row, size_t dim);
  float (*l1_u8)(const float* query, const uint8_t* row, size_t dim);

  // sums[r] = Σ_i query[i] · code_r[i] for r in [0, count); exact, no overflow for dim ≤ 65,536.
  // Of consecutive rows it prefetches those behind, and runs at memory bandwidth; of others it
  // prefetches each a few rows ahead of its turn.
  void (*dot_codes)(const int8_t* query, const CodeRows& rows, size_t dim, size_t count,
                    int32_t* sums);
  // sums[r] = Σ_i (code[i] − 128) · code_r[i], likewise.
  void (*dot_code_pairs)(const uint8_t* code, const CodeRows& rows, size_t dim, size_t count,
                         int32_t* sums);

  // The same for codes of 1, 2 and 4 bits, `code_bytes` a row, packed as packed_kernels.h says:
  // sums[r] = Σ_i query[i] · code_r[i] over all code_bytes · 8 / bits elements; exact.
  void (*dot_1bit)(const int8_t* query, const CodeRows& rows, size_t code_bytes, size_t count,
                   int32_t* sums);
  void (*dot_2bit)(const int8_t* query, const CodeRows& rows, size_t code_bytes, size_t count,
                   int32_t* sums);
  void (*dot_4bit)(const int8_t* query, const CodeRows& rows, size_t code_bytes, size_t count,
                   int32_t* sums);

  // These take codes that are followed by two floats, offset and scale; an element of a row is
  // offset + scale · code. sums[r] = Σ_i |query[i] − row_r[i]|, Σ_i (query[i] − row_r[i])², and
  // Σ_i |row[i] − row_r[i]| where `code` stands for `row`; lanes as above.
  void (*l1_codes)(const float* query, const CodeRows& rows, size_t dim, size_t count, float* sums);
  void (*l2_codes)(const float* query, const CodeRows& rows, size_t dim, size_t count, float* sums);
  void (*l1_code_pairs)(const uint8_t* code, const CodeRows& rows, size_t dim, size_t count,
                        float* sums);

  // sums[r] = Σ_m tables[256 · m + code_r[m]] for m in [0, code_bytes), lanes as above.
  void (*lookup_codes)(const float* tables, const CodeRows& rows, size_t code_bytes, size_t count,
                       float* sums);

  // sums[i] += (codes[i] · factor >> 8) + 1 for each code that is not 0; modulo 2^16.
  void (*add_codes)(const uint8_t* codes, size_t count, uint16_t factor, uint16_t* sums);

  // Smallest and largest element; dim ≥ 1, all finite.
  void (*min_max_f32)(const float* row, size_t dim, float* smallest, float* largest);

  // codes[i] = clamp(round_to_even((row[i] − offset) · inverse_scale), 0, 255).
  void (*encode_f32)(const float* row, size_t dim, float offset, float inverse_scale,
                     uint8_t* codes);

  // The Hadamard transform of `size` elements, a power of two, in place and without its norm: sums
  // and differences of elements 1 apart, then of those 2 apart, 4, 8, …
  void (*hadamard_f32)(float* elements, size_t size);

  // True when no element is NaN or infinite.
  bool (*all_finite)(const float* values, size_t count);

  // Conversions; f32 → f16 rounds to nearest even (overflow gives infinity), f32 → u8 truncates
  // toward zero and clamps to 0..255.
  void (*f32_to_f16)(const float* from, size_t count, uint16_t* to);
  void (*f16_to_f32)(const uint16_t* from, size_t count, float* to);
  void (*f32_to_u8)(const float* from, size_t count, uint8_t* to);
  void (*u8_to_f32)(const uint8_t* from, size_t count, float* to);
};

// The tables this CPU can run, slowest first; the first is always scalar.
std::span<const Kernels* const> supported_kernels();

// The fastest of them. The environment variable ASYNCSTORE_ISA (scalar, avx2, avx512, avx512_vnni,
// neon) forces another, for tests and for finding a fault; an unsupported name is ignored.
const Kernels& kernels();

}  // namespace asyncstore::simd
