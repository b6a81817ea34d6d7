#include "engine/id_walk.h"

#include <algorithm>

namespace asyncstore::engine {

using points::PointId;

namespace {
constexpr uint64_t k_few = 1 << 16;  // ids in a heap, made in about a millisecond
constexpr size_t k_heap_part = 64;
constexpr uint64_t k_walk_part = 1024;
}  // namespace

// Where fewer points are in the set than a walk over all ids would pass on its way to as many as
// are wanted, they alone are put in order.
IdWalk::IdWalk(points::PointTable& table, const filter::SlotSet& set, const PointId& from,
               uint64_t wanted)
    : table_(table), set_(set), from_(from) {
  const uint64_t count = set.count();
  const auto ids = static_cast<double>(table.live_count());
  of_few_ = count <= k_few && static_cast<double>(count) * static_cast<double>(count) <=
                                  ids * static_cast<double>(wanted);
  if (!of_few_) {
    return;
  }
  set.for_each([&](uint32_t slot) {
    if (table_.id(slot) >= from) {
      heap_.push_back(slot);
    }
  });
  std::make_heap(heap_.begin(), heap_.end(),
                 [&](uint32_t a, uint32_t b) { return table_.id(b) < table_.id(a); });
}

bool IdWalk::next(std::vector<uint32_t>& slots) {
  return of_few_ ? next_of_few(slots) : next_of_all(slots);
}

bool IdWalk::next_of_few(std::vector<uint32_t>& slots) {
  for (size_t i = 0; i < k_heap_part && !heap_.empty(); ++i) {
    std::pop_heap(heap_.begin(), heap_.end(),
                  [&](uint32_t a, uint32_t b) { return table_.id(b) < table_.id(a); });
    slots.push_back(heap_.back());
    heap_.pop_back();
  }
  return !heap_.empty();
}

bool IdWalk::next_of_all(std::vector<uint32_t>& slots) {
  if (!from_) {
    return false;
  }
  auto found = table_.scroll(*from_, k_walk_part + 1);
  from_.reset();
  if (found.size() > k_walk_part) {
    from_ = table_.id(found.back());
    found.pop_back();
  }
  for (const uint32_t slot : found) {
    if (set_.contains(slot)) {
      slots.push_back(slot);
    }
  }
  return from_.has_value();
}

}  // namespace asyncstore::engine
