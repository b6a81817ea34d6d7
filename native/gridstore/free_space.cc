#include "gridstore/free_space.h"

#include <algorithm>

#include "base/assert.h"
#include "base/bytes.h"

namespace asyncstore::gridstore {

FreeSpace::FreeSpace(uint32_t region_blocks) : region_blocks_(region_blocks), gaps_(region_blocks) {
  ASSERT(region_blocks > 0 && region_blocks % 64 == 0 && region_blocks <= 32768);
}

bool FreeSpace::used(BlockRun run) const {
  return run.end() <= tail_ && mask_.next_free(run.begin, run.end()) == run.end();
}

void FreeSpace::grow(uint64_t end) {
  ASSERT(end >= end_);
  end_ = end;
}

std::optional<BlockRun> FreeSpace::take(uint64_t count) {
  ASSERT(count > 0);
  if (const auto hole = find_hole(count)) {
    const BlockRun run{*hole, count};
    take_below_tail(run);
    return run;
  }
  if (count > tail_blocks()) {
    return std::nullopt;
  }
  const BlockRun run{tail_, count};
  move_tail(run.end());
  return run;
}

std::optional<uint64_t> FreeSpace::find_hole(uint64_t count) {
  if (count > free_below_tail_) {
    return std::nullopt;
  }
  // Each turn takes the run or sets right the number that promised it.
  for (uint32_t region = gaps_.first_with(count, 0); region < gaps_.count();
       region = gaps_.first_with(count, region)) {
    const uint64_t begin = uint64_t{region} * region_blocks_;
    const uint64_t found = mask_.find(begin, begin + region_blocks_, count);
    if (found < begin + region_blocks_) {
      return found;
    }
    Gap gap = gaps_.get(region);
    gap.longest = static_cast<uint16_t>(count - 1);
    gaps_.set(region, gap);
  }
  if (count > joined_max_) {
    return std::nullopt;
  }
  const auto joined = gaps_.first_joined(count);
  if (!joined.begin) {
    joined_max_ = joined.longest;
  }
  return joined.begin;
}

// Calls `visit(region, begin, end)` with the run's part of each region, in blocks of the region.
template <typename Visit>
void FreeSpace::visit_regions(BlockRun run, Visit visit) const {
  for (uint64_t at = run.begin; at < run.end();) {
    const uint64_t region = at / region_blocks_;
    const uint64_t region_begin = region * region_blocks_;
    const uint64_t stop = std::min(run.end(), region_begin + region_blocks_);
    visit(static_cast<uint32_t>(region), at - region_begin, stop - region_begin);
    at = stop;
  }
}

void FreeSpace::take_below_tail(BlockRun run) {
  mask_.set(run);
  free_below_tail_ -= run.count;
  visit_regions(run, [&](uint32_t region, uint64_t begin, uint64_t end) {
    Gap gap = gaps_.get(region);
    gap.leading = static_cast<uint16_t>(std::min<uint64_t>(gap.leading, begin));
    gap.trailing = static_cast<uint16_t>(std::min<uint64_t>(gap.trailing, region_blocks_ - end));
    // What is left of the region cannot be more, and often is less.
    const uint64_t rest = std::max(begin, region_blocks_ - end);
    gap.longest = static_cast<uint16_t>(std::min<uint64_t>(gap.longest, rest));
    gaps_.set(region, gap);
  });
}

void FreeSpace::free(BlockRun run) {
  ASSERT(used(run));
  mask_.clear(run);
  free_below_tail_ += run.count;
  visit_regions(run, [&](uint32_t region, uint64_t begin, uint64_t end) {
    const uint64_t base = uint64_t{region} * region_blocks_;
    const uint64_t first = mask_.free_since(base + begin, base) - base;
    const uint64_t last = mask_.next_used(base + end, base + region_blocks_) - base;
    Gap gap = gaps_.get(region);
    gap.leading = static_cast<uint16_t>(first == 0 ? last : gap.leading);
    gap.trailing =
        static_cast<uint16_t>(last == region_blocks_ ? region_blocks_ - first : gap.trailing);
    gap.longest = static_cast<uint16_t>(std::max<uint64_t>(gap.longest, last - first));
    gaps_.set(region, gap);
    if (first == 0 || last == region_blocks_) {
      joined_max_ = UINT64_MAX;
    }
  });
}

void FreeSpace::move_tail(uint64_t tail) {
  ASSERT(tail <= end_);
  tail_ = tail;
  if (tail_ > mask_.size()) {
    mask_.resize(base::round_up(tail_, region_blocks_), true);
    gaps_.resize(static_cast<uint32_t>(mask_.size() / region_blocks_));
  }
}

bool FreeSpace::claim(BlockRun run) {
  if (run.end() > mask_.size()) {
    mask_.resize(base::round_up(run.end(), region_blocks_), false);
  }
  if (mask_.any_used(run)) {
    return false;
  }
  mask_.set(run);
  tail_ = std::max(tail_, run.end());
  return true;
}

void FreeSpace::load_finish() {
  mask_.resize(base::round_up(tail_, region_blocks_), false);
  mask_.set({tail_, mask_.size() - tail_});
  gaps_.resize(static_cast<uint32_t>(mask_.size() / region_blocks_));
  for (uint32_t region = 0; region < gaps_.count(); ++region) {
    gaps_.set(region, measure(region));
  }
  joined_max_ = UINT64_MAX;
  end_ = std::max(end_, tail_);
}

Gap FreeSpace::measure(uint32_t region) {
  const uint64_t begin = uint64_t{region} * region_blocks_;
  const uint64_t end = begin + region_blocks_;
  Gap gap;
  for (uint64_t at = mask_.next_free(begin, end); at < end;) {
    const uint64_t stop = mask_.next_used(at, end);
    free_below_tail_ += stop - at;
    gap.leading = static_cast<uint16_t>(at == begin ? stop - at : gap.leading);
    gap.trailing = static_cast<uint16_t>(stop == end ? stop - at : 0);
    gap.longest = static_cast<uint16_t>(std::max(uint64_t{gap.longest}, stop - at));
    at = mask_.next_free(stop, end);
  }
  return gap;
}

}  // namespace asyncstore::gridstore
