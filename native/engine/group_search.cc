#include "engine/group_search.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <unordered_map>

namespace asyncstore::engine {

using base::Error;

namespace {

// Rows of all groups whose codes are compared one by one, within a millisecond: of more, a walk
// with a filter finds the best sooner.
constexpr uint64_t k_scan_rows_max = 1 << 15;
// More than any similarity.
constexpr float k_unknown_error = std::numeric_limits<float>::max();

}  // namespace

GroupSearch::GroupSearch(std::shared_ptr<Collection> collection, const GroupRequest& request,
                         const RowFinder& finder, const Rows& rows)
    : collection_(std::move(collection)),
      request_(request),
      finder_(finder),
      nearer_(finder.field(), collection_->table()),
      rows_(rows),
      index_(collection_->indexes().find(request.path)) {}

// --- of the rows in sight ---

bool GroupSearch::keep_best(std::vector<Candidate>& found, uint64_t sight, float threshold) {
  if (!index_ || rows_.codes == nullptr) {
    return false;
  }
  left_out_ = true;
  all_seen_ = found.size() < sight;
  std::erase_if(found, [&](const Candidate& candidate) {
    return std::binary_search(rows_.excluded.begin(), rows_.excluded.end(),
                              nearer_.slot(candidate));
  });
  if (found.size() > sight) {
    const auto end = found.begin() + static_cast<ptrdiff_t>(sight);
    std::nth_element(found.begin(), end, found.end(), nearer_);
    found.erase(end, found.end());
  }
  std::vector<uint32_t> slots;
  slots.reserve(found.size());
  for (const Candidate& candidate : found) {
    slots.push_back(nearer_.slot(candidate));
  }
  auto numbers = index_->group_numbers(slots);
  std::vector<GroupCandidate> grouped;
  grouped.reserve(found.size());
  float last = std::numeric_limits<float>::infinity();
  float error_max = 0;
  for (size_t i = 0; i < found.size(); ++i) {
    const float error = rows_.codes->reach(0, found[i]) - found[i].similarity;
    last = std::min(last, found[i].similarity);
    error_max = std::max(error_max, error);
    all_known_ = all_known_ && numbers[i].has_value();
    grouped.push_back(
        {found[i], std::isfinite(error) ? error : k_unknown_error, std::move(numbers[i])});
  }
  all_seen_ = all_seen_ || last + error_max < threshold;
  found = best_of_groups(grouped, request_.wanted);
  return true;
}

// --- groups of what was scored ---

void GroupSearch::add(std::vector<Candidate> scored, bool are_all) {
  scored_ = std::move(scored);
  all_seen_ = all_seen_ || (are_all && !left_out_);
}

Task::Next GroupSearch::step(Task& task, Worker& worker) {
  switch (stage_) {
    case Stage::hits:
      fetch_keys();
      stage_ = Stage::keys;
      if (keys_->read(task, worker)) {
        return Task::Next::wait;
      }
      [[fallthrough]];
    case Stage::keys: {
      auto keys = keys_->take();
      if (!keys.ok()) {
        error_ = std::move(keys.error());
        return Task::Next::done;
      }
      make_groups(keys.value());
      stage_ = Stage::scan;
      return begin_scan(worker) ? Task::Next::again : Task::Next::done;
    }
    case Stage::scan:
      if (!scan_->step()) {
        return Task::Next::again;
      }
      end_scan();
      stage_ = Stage::scanned;
      if (!candidates_.empty()) {
        return Task::Next::done;
      }
      [[fallthrough]];
    case Stage::scanned:
      put_scanned();
      return Task::Next::done;
  }
  return Task::Next::done;
}

void GroupSearch::fetch_keys() {
  keys_.emplace(collection_, index_, request_.path, scored_.size());
  for (size_t point = 0; point < scored_.size(); ++point) {
    keys_->add(point, nearer_.slot(scored_[point]));
  }
}

void GroupSearch::make_groups(const std::vector<GroupKeysFetch::Keys>& keys) {
  std::unordered_map<filter::Scalar, size_t> places;
  for (size_t point = 0; point < scored_.size(); ++point) {
    for (const filter::Scalar& key : keys[point]) {
      const auto place = places.find(key);
      if (place != places.end()) {
        put(scored_[point], groups_[place->second]);
      } else if (groups_.size() < request_.wanted.groups) {
        places.emplace(key, groups_.size());
        groups_.push_back({key, groups_.size(), {scored_[point]}});
      }
    }
  }
  std::vector<filter::Scalar> all;
  for (Group& group : groups_) {
    if (!all_known_) {
      group.members.resize(1);  // of the others better ones may have been dropped
    }
    group.is_settled = (all_seen_ && all_known_) || group.members.size() >= request_.wanted.size;
    all.push_back(group.key);
  }
  are_all_ = all_seen_ || groups_.size() >= request_.wanted.groups ||
             (index_ && index_->groups_are_among(all));
}

// A value may stand in a payload twice.
void GroupSearch::put(const Candidate& hit, Group& group) const {
  if (group.members.size() < request_.wanted.size && !is_same(group.members.back(), hit)) {
    group.members.push_back(hit);
  }
}

// --- the rest of their points ---

bool GroupSearch::begin_scan(Worker& worker) {
  if (!index_ || rows_.codes == nullptr) {
    return false;
  }
  std::vector<filter::Scalar> keys;
  std::vector<size_t> places;
  for (size_t place = 0; place < groups_.size(); ++place) {
    if (!groups_[place].is_settled) {
      keys.push_back(groups_[place].key);
      places.push_back(place);
    }
  }
  std::vector<GroupScan::Group> scanned;
  auto slots = index_->slots_of_groups(keys, k_scan_rows_max / std::max<size_t>(keys.size(), 1));
  for (size_t i = 0; i < keys.size(); ++i) {
    if (slots[i]) {
      scanned.push_back({*std::move(slots[i]), groups_[places[i]].members});
      scanned_.push_back(places[i]);
    }
  }
  query_.emplace(
      GroupQuery{*rows_.codes, rows_.admitted, rows_.excluded, nearer_, request_.wanted.size});
  scan_.emplace(std::move(scanned), *query_, finder_);
  scan_->share(worker);
  return !scanned_.empty();
}

void GroupSearch::end_scan() {
  kept_ = scan_->take();
  for (const std::vector<Candidate>& kept : kept_) {
    candidates_.insert(candidates_.end(), kept.begin(), kept.end());
  }
  std::sort(candidates_.begin(), candidates_.end(), is_before);
  candidates_.erase(std::unique(candidates_.begin(), candidates_.end(), is_same),
                    candidates_.end());
}

// Those that the second scores say belong to the best.
void GroupSearch::put_scanned() {
  std::unordered_map<uint64_t, float> similarities;
  for (const Candidate& exact : scored_) {
    similarities.emplace(place_of(exact), exact.similarity);
  }
  for (size_t i = 0; i < scanned_.size(); ++i) {
    std::vector<Candidate>& members = groups_[scanned_[i]].members;
    for (Candidate candidate : kept_[i]) {
      const auto exact = similarities.find(place_of(candidate));
      if (exact != similarities.end()) {
        candidate.similarity = exact->second;
        members.push_back(candidate);
      }
    }
    std::sort(members.begin(), members.end(), nearer_);
    members.resize(std::min<size_t>(members.size(), request_.wanted.size));
    groups_[scanned_[i]].is_settled = true;
  }
}

// --- the answer ---

std::pair<std::vector<Candidate>, Groups> GroupSearch::take() {
  // A point that was out of sight may be better than those in sight; groups that one point makes
  // stay in the order of its payload.
  std::sort(groups_.begin(), groups_.end(), [&](const Group& a, const Group& b) {
    const Candidate& best = a.members.front();
    const Candidate& other = b.members.front();
    return is_same(best, other) ? a.number < b.number : nearer_(best, other);
  });
  std::vector<Candidate> points;
  std::unordered_map<uint64_t, uint32_t> places;
  Groups all;
  all.are_all = are_all_;
  for (Group& group : groups_) {
    Groups::Group& shown = all.groups.emplace_back();
    shown.key = std::move(group.key);
    shown.is_settled = group.is_settled;
    for (const Candidate& member : group.members) {
      const auto [at, is_new] =
          places.try_emplace(place_of(member), static_cast<uint32_t>(points.size()));
      if (is_new) {
        points.push_back(member);
      }
      shown.hits.push_back(at->second);
    }
  }
  return {std::move(points), std::move(all)};
}

}  // namespace asyncstore::engine
