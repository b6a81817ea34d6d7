#include "engine/group_scan.h"

#include <algorithm>
#include <span>
#include <utility>

namespace asyncstore::engine {

namespace {

// A code at a random place takes some 40 ns: a step of about a tenth of a millisecond.
constexpr uint32_t k_step_slots = 2048;

}  // namespace

GroupScan::GroupScan(std::vector<Group> groups, const GroupQuery& query, const RowFinder& finder)
    : groups_(std::move(groups)),
      query_(query),
      finder_(finder),
      waiting_(finder.field().segments.size()) {
  best_.reserve(groups_.size());
  for (Group& group : groups_) {
    best_.emplace_back(std::move(group.known), query_);
  }
}

bool GroupScan::step() {
  for (uint32_t left = k_step_slots; group_ < groups_.size(); ++group_, slot_ = 0) {
    const size_t rest = groups_[group_].slots.size() - slot_;
    find_some(static_cast<uint32_t>(std::min<size_t>(rest, left)));
    compare_all();
    left -= static_cast<uint32_t>(std::min<size_t>(rest, left));
    if (left == 0) {
      return false;
    }
  }
  find_moved();
  return true;
}

void GroupScan::find_some(uint32_t count) {
  const std::span<const uint32_t> slots(groups_[group_].slots);
  finder_.find(slots.subspan(slot_, count),
               [&](uint32_t slot, RowFinder::Place place) { wait_for(slot, place); });
  slot_ += count;
}

void GroupScan::find_moved() {
  std::vector<std::pair<uint32_t, RowFinder::Place>> moved;
  finder_.find_moved(
      [&](uint32_t slot, RowFinder::Place place) { moved.emplace_back(slot, place); });
  for (group_ = 0; !moved.empty() && group_ < groups_.size(); ++group_) {
    const std::vector<uint32_t>& slots = groups_[group_].slots;
    for (const auto& [slot, place] : moved) {
      if (std::binary_search(slots.begin(), slots.end(), slot)) {
        wait_for(slot, place);
      }
    }
    compare_all();
  }
}

void GroupScan::wait_for(uint32_t slot, RowFinder::Place place) {
  if (!query_.admitted.has(place.segment, place.row) ||
      std::binary_search(query_.excluded.begin(), query_.excluded.end(), slot)) {
    return;
  }
  Waiting& waiting = waiting_[place.segment];
  waiting.rows[waiting.count++] = place.row;
  if (waiting.count == waiting.rows.size()) {
    compare(place.segment);
  }
}

void GroupScan::compare_all() {
  for (uint32_t segment = 0; segment < waiting_.size(); ++segment) {
    if (waiting_[segment].count > 0) {
      compare(segment);
    }
  }
}

void GroupScan::compare(uint32_t segment) {
  Waiting& waiting = waiting_[segment];
  float estimates[index::k_list_rows_max];
  query_.codes.estimates(0, segment, {waiting.rows.data(), waiting.count}, estimates);
  for (uint32_t i = 0; i < waiting.count; ++i) {
    best_[group_].add({estimates[i], segment, waiting.rows[i]});
  }
  waiting.count = 0;
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
