// The kernels over rows of one-byte codes, written once; see lane_kernels.h for how a file of one
// instruction set includes this, and for the members of Lanes.
//
// Codes says how one instruction set multiplies codes:
//   k_bytes                                        codes taken at a time
//   Query, Sum                                     registers
//   static Query load(const int8_t* query)         k_bytes elements
//   static Query load(const uint8_t* code)         k_bytes codes, less 128 each
//   static Sum zero()
//   static Sum add_products(const Sum& sum, const Query& query, const uint8_t* codes)
//   static int32_t total(const Sum& sum)
//
// A scan over an array far larger than the caches waits for memory, so these loops are made to keep
// reads in flight: several rows go together, sharing the loads of the query, and each step
// prefetches as many bytes as it takes. Rows that do not follow each other are prefetched whole.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "simd/kernels.h"

namespace asyncstore::simd {

inline constexpr size_t k_lanes = 32;

inline constexpr size_t k_cache_line_bytes = 64;
// How far ahead of the codes in use to prefetch, and how many rows go together. Measured with VNNI
// over 512 MB of 384 dims on huge pages, one core of a Xeon whose plain reads reach 14.6 GB/s: two
// rows read 17.5 GB/s, four 16.0, eight 15.8; with two rows and 0, 1, 2, 4, 8 KiB ahead it is 14.5,
// 16.0, 17.5, 17.6 and 16.5. On small pages 2 KiB is the best by a little.
inline constexpr size_t k_prefetch_bytes = 2048;
inline constexpr size_t k_dot_code_rows = 2;
// How many rows ahead those that do not follow each other are prefetched.
inline constexpr size_t k_prefetch_rows = 16;

// In every template here the first argument makes the copy that of one file.

// Prefetches the lines of [from + k_prefetch_bytes, + bytes), which may lie behind the last row:
// the rows of the next block usually do, and a prefetch of an address that is not mapped does
// nothing.
template <class Target, size_t bytes>
void prefetch_ahead(const uint8_t* from) {
  const uintptr_t begin = reinterpret_cast<uintptr_t>(from) + k_prefetch_bytes;
  for (size_t line = 0; line < bytes; line += k_cache_line_bytes) {
    __builtin_prefetch(reinterpret_cast<const void*>(begin + line));
  }
}

template <class Target>
void prefetch_row(const uint8_t* row, size_t stride_bytes) {
  for (size_t line = 0; line < stride_bytes; line += k_cache_line_bytes) {
    __builtin_prefetch(row + line);
  }
  __builtin_prefetch(row + stride_bytes - 1);
}

// Calls step.run<n, consecutive>(first, pointers to the codes of n rows) for all rows, `step_rows`
// at a time and what is left one by one.
template <class Target, size_t step_rows, class Step>
void for_rows(const CodeRows& rows, size_t count, const Step& step) {
  const uint8_t* pointers[step_rows];
  if (rows.numbers == nullptr) {
    size_t row = 0;
    for (; row + step_rows <= count; row += step_rows) {
      for (size_t i = 0; i < step_rows; ++i) {
        pointers[i] = rows.codes + (row + i) * rows.stride_bytes;
      }
      step.template run<step_rows, true>(row, pointers);
    }
    for (; row < count; ++row) {
      pointers[0] = rows.codes + row * rows.stride_bytes;
      step.template run<1, true>(row, pointers);
    }
    return;
  }
  const auto at = [&](size_t row) {
    return rows.codes + size_t{rows.numbers[row]} * rows.stride_bytes;
  };
  for (size_t row = 0; row < count && row < k_prefetch_rows; ++row) {
    prefetch_row<Target>(at(row), rows.stride_bytes);
  }
  const auto take = [&](size_t row) {
    if (row + k_prefetch_rows < count) {
      prefetch_row<Target>(at(row + k_prefetch_rows), rows.stride_bytes);
    }
    return at(row);
  };
  size_t row = 0;
  for (; row + step_rows <= count; row += step_rows) {
    for (size_t i = 0; i < step_rows; ++i) {
      pointers[i] = take(row + i);
    }
    step.template run<step_rows, false>(row, pointers);
  }
  for (; row < count; ++row) {
    pointers[0] = take(row);
    step.template run<1, false>(row, pointers);
  }
}

// `Element` is int8_t for a query, uint8_t for the codes of another row.
template <class Codes, class Element>
struct DotStep {
  typename Codes::Query rest_query;  // for the last k_bytes codes; counts each code once
  const Element* query;
  size_t dim;
  int32_t* sums;

  template <size_t row_count, bool consecutive>
  void run(size_t first, const uint8_t* const* rows) const {
    typename Codes::Sum running[row_count];
    for (size_t row = 0; row < row_count; ++row) {
      running[row] = Codes::zero();
    }
    size_t i = 0;
    for (; i + Codes::k_bytes <= dim; i += Codes::k_bytes) {
      if constexpr (consecutive) {
        prefetch_ahead<Codes, row_count * Codes::k_bytes>(rows[0] + row_count * i);
      }
      const typename Codes::Query part = Codes::load(query + i);
      for (size_t row = 0; row < row_count; ++row) {
        running[row] = Codes::add_products(running[row], part, rows[row] + i);
      }
    }
    if (i < dim) {
      if constexpr (consecutive) {
        prefetch_ahead<Codes, row_count * Codes::k_bytes>(rows[0] + row_count * i);
      }
      for (size_t row = 0; row < row_count; ++row) {
        running[row] =
            Codes::add_products(running[row], rest_query, rows[row] + dim - Codes::k_bytes);
      }
    }
    for (size_t row = 0; row < row_count; ++row) {
      sums[first + row] = Codes::total(running[row]);
    }
  }
};

// Rows shorter than one register are copied beside zeros.
template <class Codes>
struct ShortDotStep {
  typename Codes::Query query;
  size_t dim;
  int32_t* sums;

  template <size_t row_count, bool consecutive>
  void run(size_t first, const uint8_t* const* rows) const {
    uint8_t padded[Codes::k_bytes] = {};
    std::memcpy(padded, rows[0], dim);
    sums[first] = Codes::total(Codes::add_products(Codes::zero(), query, padded));
  }
};

template <class Codes, class Element>
void dot_codes(const Element* query, const CodeRows& rows, size_t dim, size_t count,
               int32_t* sums) {
  // What load() makes zero.
  constexpr Element k_nothing = std::is_same_v<Element, uint8_t> ? 128 : 0;
  Element padded[Codes::k_bytes];
  for (Element& element : padded) {
    element = k_nothing;
  }
  if (dim < Codes::k_bytes) {
    std::memcpy(padded, query, dim);
    for_rows<Codes, 1>(rows, count, ShortDotStep<Codes>{Codes::load(padded), dim, sums});
    return;
  }
  // The rest of a row is read as its last k_bytes codes: no mask, and no read outside the row.
  // Example: dim = 100, k_bytes = 64, rest = 36; the second load takes the codes 36..99, of which
  // 36..63 were counted before and meet 28 zeros.
  const size_t rest = dim % Codes::k_bytes;
  std::memcpy(padded + Codes::k_bytes - rest, query + dim - rest, rest);
  for_rows<Codes, k_dot_code_rows>(rows, count,
                                   DotStep<Codes, Element>{Codes::load(padded), query, dim, sums});
}

// What rows are compared with: floats, or the codes of another row.
template <class Lanes>
struct FloatQuery {
  const float* elements;

  explicit FloatQuery(const float* query) : elements(query) {}
  Lanes load(size_t i) const { return Lanes::load(elements + i); }
  Lanes load(size_t i, size_t count) const { return Lanes::load(elements + i, count); }
};

template <class Lanes>
struct CodeQuery {
  const uint8_t* code;
  Lanes offset, scale;

  CodeQuery(const uint8_t* row, size_t dim) : code(row) {
    float terms[2];
    std::memcpy(terms, row + dim, sizeof terms);
    offset = Lanes::splat(terms[0]);
    scale = Lanes::splat(terms[1]);
  }
  Lanes load(size_t i) const { return offset + scale * Lanes::load(code + i); }
  Lanes load(size_t i, size_t count) const { return offset + scale * Lanes::load(code + i, count); }
};

// `Term` is what a pair of elements adds to the distance; see lane_kernels.h.
template <class Lanes, class Term, class Query>
struct DistanceStep {
  Query query;
  size_t dim;
  float* sums;

  template <size_t row_count, bool consecutive>
  void run(size_t first, const uint8_t* const* rows) const {
    Lanes offset[row_count];
    Lanes scale[row_count];
    Lanes running[row_count];
    for (size_t row = 0; row < row_count; ++row) {
      float terms[2];
      std::memcpy(terms, rows[row] + dim, sizeof terms);
      offset[row] = Lanes::splat(terms[0]);
      scale[row] = Lanes::splat(terms[1]);
      running[row] = Lanes::splat(0);
    }
    size_t i = 0;
    for (; i + k_lanes <= dim; i += k_lanes) {
      if constexpr (consecutive) {
        prefetch_ahead<Lanes, row_count * k_lanes>(rows[0] + row_count * i);
      }
      const Lanes part = query.load(i);
      for (size_t row = 0; row < row_count; ++row) {
        const Lanes value = offset[row] + scale[row] * Lanes::load(rows[row] + i);
        running[row] = running[row] + Term::of(part, value);
      }
    }
    if (i < dim) {
      const size_t rest = dim - i;
      const Lanes part = query.load(i, rest);
      for (size_t row = 0; row < row_count; ++row) {
        const Lanes value = offset[row] + scale[row] * Lanes::load(rows[row] + i, rest);
        // A missing code stands for the offset, not for zero, and is taken out of the difference.
        running[row] = running[row] + Term::of(part, value).head(rest, 0);
      }
    }
    for (size_t row = 0; row < row_count; ++row) {
      sums[first + row] = running[row].sum();
    }
  }
};

// A table of 256 floats for each code of a row.
template <class Lanes>
struct LookupStep {
  const float* tables;
  size_t code_bytes;
  float* sums;

  template <size_t row_count, bool consecutive>
  void run(size_t first, const uint8_t* const* rows) const {
    static_assert(row_count == 1);
    Lanes running = Lanes::splat(0);
    size_t i = 0;
    for (; i + k_lanes <= code_bytes; i += k_lanes) {
      if constexpr (consecutive) {
        prefetch_ahead<Lanes, k_lanes>(rows[0] + i);
      }
      running = running + Lanes::lookup(tables + 256 * i, rows[0] + i);
    }
    if (i < code_bytes) {
      float rest[k_lanes] = {};
      for (size_t lane = 0; lane < code_bytes - i; ++lane) {
        rest[lane] = tables[256 * (i + lane) + rows[0][i + lane]];
      }
      running = running + Lanes::load(rest);
    }
    sums[first] = running.sum();
  }
};

template <class Lanes>
void lookup_codes(const float* tables, const CodeRows& rows, size_t code_bytes, size_t count,
                  float* sums) {
  for_rows<Lanes, 1>(rows, count, LookupStep<Lanes>{tables, code_bytes, sums});
}

template <class Lanes, class Term>
void distance_codes(const float* query, const CodeRows& rows, size_t dim, size_t count,
                    float* sums) {
  for_rows<Lanes, Lanes::k_code_rows>(
      rows, count,
      DistanceStep<Lanes, Term, FloatQuery<Lanes>>{FloatQuery<Lanes>(query), dim, sums});
}

template <class Lanes, class Term>
void distance_code_pairs(const uint8_t* code, const CodeRows& rows, size_t dim, size_t count,
                         float* sums) {
  for_rows<Lanes, Lanes::k_code_rows>(
      rows, count,
      DistanceStep<Lanes, Term, CodeQuery<Lanes>>{CodeQuery<Lanes>(code, dim), dim, sums});
}

}  // namespace asyncstore::simd
