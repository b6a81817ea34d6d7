// Which blocks are in use: a bit a block.
#pragma once

#include <cstdint>
#include <vector>

#include "gridstore/blocks.h"

namespace asyncstore::gridstore {

// Not thread-safe. Resident: 1 MiB for each GiB of blocks.
class BlockMask {
 public:
  uint64_t size() const { return size_; }
  // Blocks that are added are free, or used. `blocks` is a multiple of 64; shrinks as well.
  void resize(uint64_t blocks, bool used);

  void set(BlockRun run) { change(run, true); }
  void clear(BlockRun run) { change(run, false); }
  bool any_used(BlockRun run) const { return next_used(run.begin, run.end()) < run.end(); }

  // The first free (used) block in [from, end), or `end`.
  uint64_t next_free(uint64_t from, uint64_t end) const { return next(from, end, ~uint64_t{0}); }
  uint64_t next_used(uint64_t from, uint64_t end) const { return next(from, end, 0); }
  // The begin of the free run that ends before `block`, but not before `floor`.
  uint64_t free_since(uint64_t block, uint64_t floor) const;

  // The begin of the first `need` free blocks in a row in [begin, end), or `end`. Both are
  // multiples of 64.
  uint64_t find(uint64_t begin, uint64_t end, uint64_t need) const;

  uint64_t ram_bytes() const { return words_.capacity() * sizeof(uint64_t); }

 private:
  void change(BlockRun run, bool used);
  // The first block whose bit differs from those of `skip`.
  uint64_t next(uint64_t from, uint64_t end, uint64_t skip) const;

  std::vector<uint64_t> words_;
  uint64_t size_ = 0;
};

}  // namespace asyncstore::gridstore
