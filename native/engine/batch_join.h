// Where the parts of a batch of searches meet.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <span>

#include "engine/completion_queue.h"

namespace asyncstore::engine {

// Each part is a task of its own; the last one answers. Any thread.
class BatchJoin {
 public:
  BatchJoin(uint64_t ticket, uint64_t queries, uint64_t limit, size_t parts,
            CompletionQueue& completions);

  // A part found this for queries first_query and on.
  void add(uint64_t first_query, std::span<const Rows> found);
  // A part failed.
  void fail(const base::Error& error);

 private:
  void end_part();

  const uint64_t ticket_;
  CompletionQueue& completions_;
  std::mutex mutex_;
  Batch batch_;
  std::optional<base::Error> error_;
  size_t parts_left_;
};

}  // namespace asyncstore::engine
