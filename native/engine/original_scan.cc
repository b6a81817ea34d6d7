#include "engine/original_scan.h"

#include <algorithm>
#include <bit>

#include "base/limits.h"

namespace asyncstore::engine {

namespace {
constexpr uint64_t k_part_bytes = 256 << 10;
constexpr size_t k_parts_inflight = 8;
constexpr uint32_t k_looks = 1 << 16;  // at rows, in one call
}  // namespace

std::span<const OriginalScan::Part> OriginalScan::next() {
  parts_.clear();
  uint32_t looks = 0;
  while (!done() && parts_.size() < k_parts_inflight && looks < k_looks) {
    if (find_row(looks)) {
      take_part(looks);
    }
    if (row_ >= field_.segments[segment_].rows) {
      ++segment_;
      row_ = 0;
    }
  }
  return parts_;
}

// Goes to the first admitted row from here on; false when the segment has none, or none was found
// yet.
bool OriginalScan::find_row(uint32_t& looks) {
  const uint32_t rows = field_.segments[segment_].rows;
  while (row_ < rows && looks < k_looks) {
    const uint64_t word = admitted_.word(segment_, row_ / 64) >> (row_ % 64);
    looks += 64;
    if (word != 0) {
      row_ += static_cast<uint32_t>(std::countr_zero(word));
      return true;
    }
    row_ = row_ / 64 * 64 + 64;
  }
  return false;
}

// What lies behind the last row that is admitted may be cut off, and is of no interest.
void OriginalScan::take_part(uint32_t& looks) {
  const SegmentView& view = field_.segments[segment_];
  const uint64_t stride = view.segment->layout().stride();
  const auto rows_max = static_cast<uint32_t>(std::max<uint64_t>(1, k_part_bytes / stride));
  const auto gap_max = static_cast<uint32_t>(base::k_read_gap_bytes / stride);
  const uint32_t first = row_;
  uint32_t last = row_;
  for (uint32_t row = first + 1;
       row < view.rows && row - first < rows_max && row - last <= gap_max + 1; ++row) {
    last = admitted_.has(segment_, row) ? row : last;
    ++looks;
  }
  parts_.push_back({segment_, first, last - first + 1});
  row_ = last + 1;
}

}  // namespace asyncstore::engine
