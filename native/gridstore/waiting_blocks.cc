#include "gridstore/waiting_blocks.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "base/assert.h"

namespace asyncstore::gridstore {
namespace {

// How many are freed at once, 0.1 us each: by the commit of a flush, what the next group may need;
// by every release(), so few that a group of one value does not notice.
constexpr uint64_t k_committed_runs = 4096;
constexpr uint64_t k_released_runs = 32;

}  // namespace

void WaitingBlocks::add(BlockRun run, uint32_t flush) {
  if (run.count == 0) {
    return;  // an empty value
  }
  ASSERT(run.count <= UINT32_MAX);
  added_.push_back({run.begin, static_cast<uint32_t>(run.count), flush});
  blocks_ += run.count;
}

void WaitingBlocks::release(std::shared_ptr<const void> holder, const Free& free) {
  // Twice what came in the meantime, so that they do not pile up.
  const uint64_t runs = std::max<uint64_t>(k_released_runs, 2 * added_.size());
  // A holder that others still have delays all later runs, even when none came before it.
  if (!added_.empty() || holder.use_count() > 1) {
    held_.push_back({holder, std::exchange(added_, {})});
  }
  holder.reset();
  std::vector<Held> gone;
  while (!held_.empty() && held_.front().holder.expired()) {
    gone.push_back(std::move(held_.front()));
    held_.pop_front();
  }
#ifndef __SANITIZE_THREAD__  // which knows no fences
  // expired() alone does not synchronise with who let go last: what that thread read of a block
  // must come before what is written to it from now on.
  std::atomic_thread_fence(std::memory_order_acquire);
#endif
  for (const Held& held : gone) {
    sort_out(held.runs);
  }
  free_some(runs, free);
}

void WaitingBlocks::committed(uint32_t flush, const Free& free) {
  ASSERT(flush >= committed_);
  committed_ = flush;
  sort_out(std::exchange(unflushed_, {}));
  free_some(k_committed_runs, free);
}

void WaitingBlocks::sort_out(const std::vector<Waiting>& runs) {
  for (const Waiting& waiting : runs) {
    if (waiting.flush <= committed_) {
      ready_.push_back(waiting);
    } else {
      unflushed_.push_back(waiting);
    }
  }
}

void WaitingBlocks::free_some(uint64_t runs, const Free& free) {
  for (; runs > 0 && !ready_.empty(); --runs) {
    blocks_ -= ready_.front().count;
    free(ready_.front().run());
    ready_.pop_front();
  }
}

uint64_t WaitingBlocks::ram_bytes() const {
  uint64_t runs = added_.capacity() + unflushed_.capacity() + ready_.size();
  for (const Held& held : held_) {
    runs += held.runs.capacity();
  }
  return runs * sizeof(Waiting);
}

void WaitingBlocks::visit(const Free& show) const {
  const auto show_all = [&](const auto& runs) {
    for (const Waiting& waiting : runs) {
      show(waiting.run());
    }
  };
  show_all(added_);
  show_all(unflushed_);
  show_all(ready_);
  for (const Held& held : held_) {
    show_all(held.runs);
  }
}

}  // namespace asyncstore::gridstore
