// The kernels over rows whose codes take 1, 2 or 4 bits an element, written once; see
// lane_kernels.h for how a file of one instruction set includes this.
//
// A row of n bytes holds 8 / bits fields of n elements each: the k-th bits of all bytes, lowest
// first, are the elements k·n … k·n + n − 1. So unpacking is a shift and a mask, whatever the width
// of the registers, and no element changes its place within them.
//
// Packed says how one instruction set multiplies them:
//   k_bytes                                             of a register
//   Register, Sum
//   static Register load(const void* from)              k_bytes bytes
//   static Register load(const void* from, size_t n)    n of them, 1..k_bytes − 1, the others zero
//   static Sum zero()
//   template <unsigned bits>
//   static Sum add_products(const Sum& sum, const Register& codes, const Register* query)
//                                                       query[k] belongs to field k
//   template <size_t rows>
//   static void totals(const Sum* sums, int32_t* to)
#pragma once

#include <cstddef>
#include <cstdint>

#include "simd/code_kernels.h"
#include "simd/kernels.h"

namespace asyncstore::simd {

inline constexpr size_t k_dot_packed_rows = 4;

template <class Packed, unsigned bits>
struct DotPackedStep {
  static constexpr size_t k_fields = 8 / bits;

  const int8_t* query;
  size_t code_bytes;
  int32_t* sums;

  template <size_t row_count, bool consecutive>
  void run(size_t first, const uint8_t* const* rows) const {
    typename Packed::Sum running[row_count];
    for (size_t row = 0; row < row_count; ++row) {
      running[row] = Packed::zero();
    }
    typename Packed::Register parts[k_fields];
    size_t i = 0;
    for (; i + Packed::k_bytes <= code_bytes; i += Packed::k_bytes) {
      if constexpr (consecutive) {
        prefetch_ahead<Packed, row_count * Packed::k_bytes>(rows[0] + row_count * i);
      }
      for (size_t field = 0; field < k_fields; ++field) {
        parts[field] = Packed::load(query + field * code_bytes + i);
      }
      for (size_t row = 0; row < row_count; ++row) {
        running[row] =
            Packed::template add_products<bits>(running[row], Packed::load(rows[row] + i), parts);
      }
    }
    if (i < code_bytes) {
      const size_t rest = code_bytes - i;
      if constexpr (consecutive) {
        prefetch_ahead<Packed, row_count * Packed::k_bytes>(rows[0] + row_count * i);
      }
      for (size_t field = 0; field < k_fields; ++field) {
        parts[field] = Packed::load(query + field * code_bytes + i, rest);
      }
      for (size_t row = 0; row < row_count; ++row) {
        running[row] = Packed::template add_products<bits>(
            running[row], Packed::load(rows[row] + i, rest), parts);
      }
    }
    Packed::template totals<row_count>(running, sums + first);
  }
};

template <class Packed, unsigned bits>
void dot_packed(const int8_t* query, const CodeRows& rows, size_t code_bytes, size_t count,
                int32_t* sums) {
  for_rows<Packed, k_dot_packed_rows>(rows, count,
                                      DotPackedStep<Packed, bits>{query, code_bytes, sums});
}

}  // namespace asyncstore::simd
