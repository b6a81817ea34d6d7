#include "engine/group_scan.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <utility>

namespace asyncstore::engine {

namespace {

// A code at a random place takes some 40 ns: a step of about a tenth of a millisecond.
constexpr uint32_t k_step_slots = 2048;

bool is_before(const Candidate& a, const Candidate& b) {
  return std::pair(a.segment, a.row) < std::pair(b.segment, b.row);
}

}  // namespace

GroupScan::GroupScan(std::vector<Group> groups, const Query& query, const RowFinder& finder)
    : groups_(std::move(groups)),
      query_(query),
      finder_(finder),
      best_(groups_.size()),
      waiting_(finder.field().segments.size()) {
  for (size_t i = 0; i < groups_.size(); ++i) {
    std::vector<Candidate>& known = groups_[i].known;
    std::sort(known.begin(), known.end(), is_before);
    for (const Candidate& exact : known) {
      raise(best_[i], exact.similarity);
    }
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
    look_at({estimates[i], segment, waiting.rows[i]});
  }
  waiting.count = 0;
}

void GroupScan::look_at(const Candidate& candidate) {
  Best& best = best_[group_];
  const float reach = query_.codes.reach_at_most(0, candidate);
  const std::vector<Candidate>& known = groups_[group_].known;
  if (reach < bar(best) || std::binary_search(known.begin(), known.end(), candidate, is_before)) {
    return;
  }
  best.kept.push_back({candidate, reach});
  raise(best, 2 * candidate.similarity - reach);
}

// What is below it is not among the best of the group.
float GroupScan::bar(const Best& best) const {
  return best.leasts.size() < query_.size ? -std::numeric_limits<float>::infinity()
                                          : best.leasts.front();
}

void GroupScan::raise(Best& best, float least) const {
  best.leasts.push_back(least);
  std::push_heap(best.leasts.begin(), best.leasts.end(), std::greater<>());
  if (best.leasts.size() > query_.size) {
    std::pop_heap(best.leasts.begin(), best.leasts.end(), std::greater<>());
    best.leasts.pop_back();
  }
}

std::vector<std::vector<Candidate>> GroupScan::take() {
  std::vector<std::vector<Candidate>> taken;
  for (size_t i = 0; i < groups_.size(); ++i) {
    taken.push_back(best_of(groups_[i], best_[i]));
  }
  return taken;
}

// Of what is kept, now that the bar is as high as it gets, with the errors looked at closely.
std::vector<Candidate> GroupScan::best_of(const Group& group, const Best& rough) const {
  Best best;
  for (const Candidate& exact : group.known) {
    raise(best, exact.similarity);
  }
  for (const Kept& one : rough.kept) {
    if (one.reach >= bar(rough)) {
      const float reach = query_.codes.reach(0, one.candidate);
      best.kept.push_back({one.candidate, reach});
      raise(best, 2 * one.candidate.similarity - reach);
    }
  }
  std::vector<Candidate> candidates;
  for (const Kept& one : best.kept) {
    if (one.reach >= bar(best)) {
      candidates.push_back(one.candidate);
    }
  }
  if (candidates.size() > query_.candidates) {
    const auto end = candidates.begin() + static_cast<ptrdiff_t>(query_.candidates);
    std::nth_element(candidates.begin(), end, candidates.end(), query_.nearer);
    candidates.erase(end, candidates.end());
  }
  return candidates;
}

}  // namespace asyncstore::engine
