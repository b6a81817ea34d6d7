// Rows of sparse vectors in their order of coming, 65,536 a window, and what is known about them at
// one moment.
//
// What comes last is a tail: the elements of each row as they were given. A tail that is full
// becomes a run, runs become larger runs, and when the window is full there is one run of codes.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

#include "base/growing.h"
#include "sparse/run.h"

namespace asyncstore::sparse {

inline constexpr uint32_t k_no_row = UINT32_MAX;
inline constexpr uint32_t k_no_slot_of_row = UINT32_MAX;

// Immutable, but for what it remembers.
class WindowView {
 public:
  uint32_t rows = 0;                             // of the runs and the tail
  uint32_t live = 0;                             // that belong to points
  std::vector<std::shared_ptr<const Run>> runs;  // oldest first
  // The tail: the elements of row first_tail_row + i end at tail_ends[i].
  uint32_t first_tail_row = 0;
  std::shared_ptr<const uint32_t[]> tail_ends;
  std::shared_ptr<const uint32_t[]> tail_indices;
  std::shared_ptr<const float[]> tail_values;
  std::shared_ptr<const uint32_t[]> slots;  // of each row
  std::shared_ptr<const RowBits> deleted;   // null: none
  uint64_t ram_bytes = 0;

  bool is_live(uint32_t row) const { return !has_bit(deleted.get(), row); }
  uint32_t slot(uint32_t row) const { return slots[row]; }
  struct Elements {
    std::span<const uint32_t> indices;
    std::span<const float> values;
  };
  Elements tail_row(uint32_t row) const {
    const uint32_t at = row - first_tail_row;
    const uint32_t begin = at == 0 ? 0 : tail_ends[at - 1];
    const uint32_t count = tail_ends[at] - begin;
    return {{tail_indices.get() + begin, count}, {tail_values.get() + begin, count}};
  }
  // Adds to each count how many live rows have the dimension; `dims` ascend.
  void count_rows(std::span<const uint32_t> dims, std::span<uint64_t> counts) const;

 private:
  uint64_t count_rows(const Run& run, uint32_t dim, const Piece& piece) const;

  mutable std::mutex mutex_;
  // By the run's first row and dimension, once it was asked for.
  mutable std::map<std::pair<uint32_t, uint32_t>, uint32_t> counts_;
};

// The rows of an index at one moment.
struct Snapshot {
  std::vector<std::shared_ptr<const WindowView>> windows;
  uint64_t live = 0;  // rows
  uint64_t ram_bytes = 0;
};

}  // namespace asyncstore::sparse
