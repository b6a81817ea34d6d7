// Where a new value goes.
#pragma once

#include <cstdint>
#include <optional>

#include "gridstore/block_mask.h"
#include "gridstore/blocks.h"
#include "gridstore/gaps.h"

namespace asyncstore::gridstore {

// The line of blocks has three parts:
//
//   0 …………… tail        in use or free, block by block: mask and gaps
//   tail …… end         on disk and never used since the store was opened: given out in order
//   end …               not on disk yet: grow()
//
// A value goes into the first hole that is large enough, else to the tail. So sequential inserts
// find their place without a search, and space that reserve() saw in the tail suffices for every
// value that finds no hole. Looking for a hole costs a look at one number for every 64 MiB of
// values, then the mask of one region.
//
// Not thread-safe. Resident: 1 MiB and 6 KiB for each GiB of values.
class FreeSpace {
 public:
  // `region_blocks` is a multiple of 64, at most 32,768.
  explicit FreeSpace(uint32_t region_blocks);

  uint64_t end() const { return end_; }
  uint64_t tail() const { return tail_; }
  uint64_t tail_blocks() const { return end_ - tail_; }
  uint64_t free_blocks() const { return free_below_tail_ + tail_blocks(); }
  bool used(BlockRun run) const;  // every block of it
  uint64_t ram_bytes() const { return mask_.ram_bytes() + gaps_.ram_bytes(); }

  // Blocks up to `end` are on disk.
  void grow(uint64_t end);
  // `count` (at least 1) blocks in a row, which are in use then; nothing when grow() must come
  // first.
  std::optional<BlockRun> take(uint64_t count);
  void free(BlockRun run);

  // --- loading: claim() for all that is in use, then load_finish(), then the rest ---
  // False, and nothing changes, when a block of the run is claimed already.
  bool claim(BlockRun run);
  void load_finish();

 private:
  std::optional<uint64_t> find_hole(uint64_t count);
  void take_below_tail(BlockRun run);
  void move_tail(uint64_t tail);
  // Also counts the region's free blocks.
  Gap measure(uint32_t region);
  template <typename Visit>
  void visit_regions(BlockRun run, Visit visit) const;

  uint32_t region_blocks_;
  uint64_t tail_ = 0;
  uint64_t end_ = 0;
  uint64_t free_below_tail_ = 0;
  // In whole regions; blocks from the tail on are marked as used.
  BlockMask mask_;
  Gaps gaps_;
  // No run across regions is longer, so that they are not looked through in vain each time.
  uint64_t joined_max_ = 0;
};

}  // namespace asyncstore::gridstore
