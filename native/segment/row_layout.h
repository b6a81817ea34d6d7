// Where the rows of a segment lie in its file of vectors.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/limits.h"

namespace asyncstore::segment {

// A header page, then rows at a fixed stride: the row's size rounded up to the largest power of two
// (at most a sector) that wastes no more than an eighth of the file. Rows of whole sectors (every
// 128 float32) are then read directly without a byte too much, and small rows never straddle a
// sector.
//
//   384 float32:  1,536 bytes, stride 1,536      100 float32:  400 bytes, stride 448
//   96 float32:     384 bytes, stride   384        1 float32:    4 bytes, stride   4
//
// Row 5 of 384 float32 lies at 4,096 + 5 · 1,536 = 11,776.
class RowLayout {
 public:
  explicit RowLayout(uint32_t row_bytes) : row_bytes_(row_bytes), stride_(row_bytes) {
    for (uint64_t alignment = base::k_sector_bytes; alignment > 1; alignment /= 2) {
      const uint64_t stride = base::round_up(row_bytes, alignment);
      if ((stride - row_bytes) * 8 <= stride) {
        stride_ = static_cast<uint32_t>(stride);
        break;
      }
    }
  }

  uint32_t row_bytes() const { return row_bytes_; }
  uint32_t stride() const { return stride_; }
  uint64_t offset(uint64_t row) const { return base::k_page_bytes + row * stride_; }
  uint64_t file_bytes(uint64_t rows) const { return offset(rows); }

 private:
  uint32_t row_bytes_;
  uint32_t stride_;
};

}  // namespace asyncstore::segment
