// The kernels over rows of one-byte codes, written once; see lane_kernels.h for how a file of one
// instruction set includes this, and for the members of Lanes.
//
// Codes says how one instruction set multiplies codes:
//   k_bytes                                        codes taken at a time
//   Query, Sum                                     registers
//   static Query load(const int8_t* query)         k_bytes elements
//   static Sum zero()
//   static Sum add_products(const Sum& sum, const Query& query, const uint8_t* codes)
//   static int32_t total(const Sum& sum)
//
// A scan over an array far larger than the caches waits for memory, so these loops are made to keep
// reads in flight: several rows go together, sharing the loads of the query, and each step
// prefetches as many bytes as it takes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace asyncstore::simd {

inline constexpr size_t k_lanes = 32;

inline constexpr size_t k_cache_line_bytes = 64;
// How far ahead of the codes in use to prefetch, and how many rows go together. Measured with VNNI
// over 512 MB of 384 dims on huge pages, one core of a Xeon whose plain reads reach 14.6 GB/s: two
// rows read 17.5 GB/s, four 16.0, eight 15.8; with two rows and 0, 1, 2, 4, 8 KiB ahead it is 14.5,
// 16.0, 17.5, 17.6 and 16.5. On small pages 2 KiB is the best by a little.
inline constexpr size_t k_prefetch_bytes = 2048;
inline constexpr size_t k_dot_code_rows = 2;

// Prefetches the lines of [from + k_prefetch_bytes, + bytes), which may lie behind the last row:
// the rows of the next block usually do, and a prefetch of an address that is not mapped does
// nothing. `Target` is not used: as in every template here it makes the copy that of one file.
template <class Target, size_t bytes>
void prefetch_ahead(const uint8_t* from) {
  const uintptr_t begin = reinterpret_cast<uintptr_t>(from) + k_prefetch_bytes;
  for (size_t line = 0; line < bytes; line += k_cache_line_bytes) {
    __builtin_prefetch(reinterpret_cast<const void*>(begin + line));
  }
}

// `rest_query` is the query for the last k_bytes codes of a row, zero where they were counted
// before.
template <class Codes, size_t row_count>
void dot_code_rows(const int8_t* query, const typename Codes::Query& rest_query,
                   const uint8_t* codes, size_t dim, int32_t* sums) {
  typename Codes::Sum running[row_count];
  for (size_t row = 0; row < row_count; ++row) {
    running[row] = Codes::zero();
  }
  size_t i = 0;
  for (; i + Codes::k_bytes <= dim; i += Codes::k_bytes) {
    prefetch_ahead<Codes, row_count * Codes::k_bytes>(codes + row_count * i);
    const typename Codes::Query part = Codes::load(query + i);
    for (size_t row = 0; row < row_count; ++row) {
      running[row] = Codes::add_products(running[row], part, codes + row * dim + i);
    }
  }
  if (i < dim) {
    prefetch_ahead<Codes, row_count * Codes::k_bytes>(codes + row_count * i);
    for (size_t row = 0; row < row_count; ++row) {
      running[row] =
          Codes::add_products(running[row], rest_query, codes + (row + 1) * dim - Codes::k_bytes);
    }
  }
  for (size_t row = 0; row < row_count; ++row) {
    sums[row] = Codes::total(running[row]);
  }
}

// Rows shorter than one register are copied beside zeros.
template <class Codes>
void dot_short_codes(const int8_t* query, const uint8_t* codes, size_t dim, size_t rows,
                     int32_t* sums) {
  int8_t padded_query[Codes::k_bytes] = {};
  uint8_t padded_codes[Codes::k_bytes] = {};
  std::memcpy(padded_query, query, dim);
  const typename Codes::Query part = Codes::load(padded_query);
  for (size_t row = 0; row < rows; ++row) {
    std::memcpy(padded_codes, codes + row * dim, dim);
    sums[row] = Codes::total(Codes::add_products(Codes::zero(), part, padded_codes));
  }
}

template <class Codes>
void dot_codes(const int8_t* query, const uint8_t* codes, size_t dim, size_t rows, int32_t* sums) {
  if (dim < Codes::k_bytes) {
    dot_short_codes<Codes>(query, codes, dim, rows, sums);
    return;
  }
  // The rest of a row is read as its last k_bytes codes: no mask, and no read outside the row.
  // Example: dim = 100, k_bytes = 64, rest = 36; the second load takes the codes 36..99, of which
  // 36..63 were counted before and meet 28 zeros.
  int8_t padded_query[Codes::k_bytes] = {};
  const size_t rest = dim % Codes::k_bytes;
  std::memcpy(padded_query + Codes::k_bytes - rest, query + dim - rest, rest);
  const typename Codes::Query rest_query = Codes::load(padded_query);
  size_t row = 0;
  for (; row + k_dot_code_rows <= rows; row += k_dot_code_rows) {
    dot_code_rows<Codes, k_dot_code_rows>(query, rest_query, codes + row * dim, dim, sums + row);
  }
  for (; row < rows; ++row) {
    dot_code_rows<Codes, 1>(query, rest_query, codes + row * dim, dim, sums + row);
  }
}

template <class Lanes, size_t row_count>
void l1_code_rows(const float* query, const uint8_t* codes, const float* offsets,
                  const float* scales, size_t dim, float* sums) {
  Lanes offset[row_count];
  Lanes scale[row_count];
  Lanes running[row_count];
  for (size_t row = 0; row < row_count; ++row) {
    offset[row] = Lanes::splat(offsets[row]);
    scale[row] = Lanes::splat(scales[row]);
    running[row] = Lanes::splat(0);
  }
  size_t i = 0;
  for (; i + k_lanes <= dim; i += k_lanes) {
    prefetch_ahead<Lanes, row_count * k_lanes>(codes + row_count * i);
    const Lanes part = Lanes::load(query + i);
    for (size_t row = 0; row < row_count; ++row) {
      const Lanes value = offset[row] + scale[row] * Lanes::load(codes + row * dim + i);
      running[row] = running[row] + abs(part - value);
    }
  }
  if (i < dim) {
    const Lanes part = Lanes::load(query + i, dim - i);
    for (size_t row = 0; row < row_count; ++row) {
      const Lanes value = offset[row] + scale[row] * Lanes::load(codes + row * dim + i, dim - i);
      // A missing code stands for the offset, not for zero, and is taken out of the difference.
      running[row] = running[row] + abs(part - value).head(dim - i, 0);
    }
  }
  for (size_t row = 0; row < row_count; ++row) {
    sums[row] = running[row].sum();
  }
}

template <class Lanes>
void l1_codes(const float* query, const uint8_t* codes, const float* offsets, const float* scales,
              size_t dim, size_t rows, float* sums) {
  size_t row = 0;
  for (; row + Lanes::k_code_rows <= rows; row += Lanes::k_code_rows) {
    l1_code_rows<Lanes, Lanes::k_code_rows>(query, codes + row * dim, offsets + row, scales + row,
                                            dim, sums + row);
  }
  for (; row < rows; ++row) {
    l1_code_rows<Lanes, 1>(query, codes + row * dim, offsets + row, scales + row, dim, sums + row);
  }
}

}  // namespace asyncstore::simd
