// Blocks of values that were replaced or removed, until they may be written again.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "gridstore/blocks.h"

namespace asyncstore::gridstore {

// A run waits for two things. For readers: release() tells of holders, and a run is safe from
// readers once the holder of the release() after it, and all before, are gone. And for a flush:
// runs that a flush knows are needed to open the store again until a later one is committed. A
// flush may set a million runs free at once; they are freed some at each call, so that none takes
// long. Belongs to the writer.
class WaitingBlocks {
 public:
  using Free = std::function<void(BlockRun)>;

  // `flush`: the number of the first flush, counted from 1, that does not know the run any more;
  // 0: none ever knew it.
  void add(BlockRun run, uint32_t flush);
  // What was added since the last call waits for this holder. Frees what waits for nothing more.
  void release(std::shared_ptr<const void> holder, const Free& free);
  // This flush and all before it are committed or given up for it.
  void committed(uint32_t flush, const Free& free);

  uint64_t blocks() const { return blocks_; }
  uint64_t ram_bytes() const;
  // Shows every run that waits.
  void visit(const Free& show) const;

 private:
  struct Waiting {
    uint64_t begin;
    uint32_t count;
    uint32_t flush;
    BlockRun run() const { return {begin, count}; }
  };
  struct Held {
    std::weak_ptr<const void> holder;
    std::vector<Waiting> runs;
  };
  void sort_out(const std::vector<Waiting>& runs);
  void free_some(uint64_t runs, const Free& free);

  std::vector<Waiting> added_;      // since the last release()
  std::deque<Held> held_;           // oldest first
  std::vector<Waiting> unflushed_;  // safe from readers
  std::deque<Waiting> ready_;       // waits for nothing more
  uint32_t committed_ = 0;
  uint64_t blocks_ = 0;
};

}  // namespace asyncstore::gridstore
