#include "engine/group_scan.h"

#include <algorithm>
#include <span>
#include <utility>

namespace asyncstore::engine {

namespace {

// To find a row and to compare its code, both at random places, takes some 30 ns: a step of about a
// tenth of a millisecond.
constexpr uint32_t k_step_slots = 4096;

constexpr uint32_t k_cache_line_bytes = 64;
// Of longer codes the rest is prefetched when they are compared.
constexpr uint32_t k_prefetch_bytes_max = 512;

// Inlined in any case: GCC leaves out the call of what only prefetches.
[[gnu::always_inline]] inline void prefetch(const uint8_t* code, uint32_t bytes) {
  const uint8_t* last = code + std::min(bytes, k_prefetch_bytes_max) - 1;
  for (; code < last; code += k_cache_line_bytes) {
    __builtin_prefetch(code);
  }
  __builtin_prefetch(last);
}

}  // namespace

GroupScan::GroupScan(std::vector<Group> groups, const GroupQuery& query, const RowFinder& finder)
    : query_(query), finder_(finder), waiting_(finder.field().segments.size()) {
  for (size_t i = 0; i < waiting_.size(); ++i) {
    const segment::Segment& segment = *finder.field().segments[i].segment;
    waiting_[i].codes = segment.codes(0);
    waiting_[i].code_bytes = segment.quantizer()->code_bytes();
  }
  best_.reserve(groups.size());
  for (Group& group : groups) {
    slots_.insert(slots_.end(), group.slots.begin(), group.slots.end());
    ends_.push_back(slots_.size());
    best_.emplace_back(std::move(group.known), query_, errors_);
  }
}

bool GroupScan::step() {
  const size_t begin = slot_;
  slot_ = std::min(slots_.size(), begin + k_step_slots);
  finder_.find(std::span(slots_).subspan(begin, slot_ - begin),
               [&](size_t i, RowFinder::Place place) {
                 while (begin + i >= ends_[group_]) {
                   ++group_;
                 }
                 wait_for(slots_[begin + i], place, group_);
               });
  if (slot_ < slots_.size()) {
    return false;
  }
  find_moved();
  for (uint32_t segment = 0; segment < waiting_.size(); ++segment) {
    compare(segment, waiting_[segment].count);
  }
  return true;
}

void GroupScan::find_moved() {
  finder_.find_moved([&](uint32_t slot, RowFinder::Place place) {
    for (uint32_t group = 0; group < ends_.size(); ++group) {
      const std::span<const uint32_t> of_group = slots(group);
      if (std::binary_search(of_group.begin(), of_group.end(), slot)) {
        wait_for(slot, place, group);
      }
    }
  });
}

std::span<const uint32_t> GroupScan::slots(size_t group) const {
  const size_t first = group == 0 ? 0 : ends_[group - 1];
  return std::span(slots_).subspan(first, ends_[group] - first);
}

void GroupScan::wait_for(uint32_t slot, RowFinder::Place place, uint32_t group) {
  if (!query_.admitted.has(place.segment, place.row) ||
      std::binary_search(query_.excluded.begin(), query_.excluded.end(), slot)) {
    return;
  }
  Waiting& waiting = waiting_[place.segment];
  prefetch(waiting.codes + size_t{place.row} * waiting.code_bytes, waiting.code_bytes);
  waiting.rows[waiting.count] = place.row;
  waiting.groups[waiting.count] = group;
  ++waiting.count;
  if (waiting.count == waiting.rows.size()) {
    compare(place.segment, waiting.count / 2);
  }
}

// The first of those that wait.
void GroupScan::compare(uint32_t segment, uint32_t count) {
  Waiting& waiting = waiting_[segment];
  float estimates[index::k_list_rows_max];
  query_.codes.estimates(0, segment, {waiting.rows.data(), count}, estimates);
  for (uint32_t i = 0; i < count; ++i) {
    best_[waiting.groups[i]].add({estimates[i], segment, waiting.rows[i]});
  }
  std::copy(waiting.rows.begin() + count, waiting.rows.begin() + waiting.count,
            waiting.rows.begin());
  std::copy(waiting.groups.begin() + count, waiting.groups.begin() + waiting.count,
            waiting.groups.begin());
  waiting.count -= count;
}

std::vector<std::vector<Candidate>> GroupScan::take() const {
  std::vector<std::vector<Candidate>> taken;
  taken.reserve(best_.size());
  for (const GroupBest& best : best_) {
    taken.push_back(best.candidates());
  }
  return taken;
}

}  // namespace asyncstore::engine
