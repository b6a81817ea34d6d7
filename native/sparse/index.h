// An inverted index of the sparse vectors of one name: for each dimension the points that have it.
//
// A vector that is set becomes a row; the row that its slot had before is deleted. Rows are never
// changed, so that what a search sees is fixed by how many rows there were and which of them were
// deleted (window.h), and nobody is locked out. Weights are kept as bytes: a search finds by them
// what may be best, with a bound of its error, and reads the vectors themselves of few points.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "base/bytes.h"
#include "sparse/window.h"

namespace asyncstore::sparse {

// Sizes other than the defaults are for tests.
struct IndexOptions {
  uint32_t tail_elements = 1 << 16;
  uint32_t window_rows = k_window_rows;
  uint64_t window_elements = 1 << 24;
};

// One thread, the writer, changes it and takes snapshots; any thread uses these.
class Index {
 public:
  explicit Index(IndexOptions options = {});
  ~Index();
  Index(const Index&) = delete;
  Index& operator=(const Index&) = delete;

  // The slot has this vector now, as stored (sparse_vector.h).
  void set(uint32_t slot, base::Bytes stored);
  // It has none.
  void remove(uint32_t slot);
  bool has(uint32_t slot) const { return row_of(slot) != k_no_row; }
  uint32_t slot_count() const { return static_cast<uint32_t>(rows_.size()); }

  // The rows as they are now: the same object while nothing changes.
  std::shared_ptr<const Snapshot> snapshot();

  // Rows that come and go leave work behind: runs to be merged, windows to be coded, what deleted
  // rows had to be dropped. Every change does some of it, a few times as much as it makes; this
  // does about so many elements more. False when nothing was left.
  bool work(uint64_t elements);

  // Before anything else, in the order of the snapshot that was saved: a window's runs and the
  // slots of its rows, k_no_slot_of_row for those that were deleted. False when a slot comes twice.
  bool load(std::vector<std::shared_ptr<const Run>> runs, const std::vector<uint32_t>& slots);

 private:
  struct Window;
  struct Task;

  uint32_t row_of(uint32_t slot) const { return slot < rows_.size() ? rows_[slot] : k_no_row; }
  Window& open_window();
  void gather_tail(Window& window);
  void finish(Window& window);
  void delete_row(uint32_t row);
  void begin_task(Window& window);
  void end_task(Window& window);

  const IndexOptions options_;
  std::vector<uint32_t> rows_;                    // by slot: window << 16 | row
  std::vector<std::unique_ptr<Window>> windows_;  // by number; null: the number is free
  std::deque<uint32_t> busy_;                     // numbers of those that have a task
  uint32_t open_ = k_no_row;                      // the number of the window that takes rows
  uint64_t live_ = 0;
  std::shared_ptr<const Snapshot> snapshot_;  // null: something has changed
};

}  // namespace asyncstore::sparse
