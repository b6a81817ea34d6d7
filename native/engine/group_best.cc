#include "engine/group_best.h"

#include <algorithm>
#include <functional>
#include <utility>

namespace asyncstore::engine {

namespace {

// When so many errors are known, a row is not looked at whose estimate is farther from the best
// than twice the largest of them.
constexpr uint32_t k_errors_known = 64;
constexpr float k_error_margin = 2;

// Candidates for each point that is wanted, and for few some more, where errors are not known.
constexpr uint64_t k_candidates_per_point = 32;
constexpr uint64_t k_candidates_min = 128;

}  // namespace

GroupBest::GroupBest(std::vector<Candidate> known, const GroupQuery& query, SeenErrors& errors)
    : query_(&query), errors_(&errors), known_(std::move(known)), leasts_(query.size) {
  std::sort(known_.begin(), known_.end(), is_before);
  for (const Candidate& exact : known_) {
    leasts_.add(exact.similarity);
  }
}

void GroupBest::look_at(const Candidate& candidate) {
  const float reach = query_->codes.reach_at_most(0, candidate);
  const float error = reach - candidate.similarity;
  errors_->max = std::max(errors_->max, error);
  ++errors_->points;
  if (reach >= leasts_.bar() &&
      !std::binary_search(known_.begin(), known_.end(), candidate, is_before)) {
    kept_.push_back({candidate, reach});
    leasts_.add(candidate.similarity - error);
  }
  if (errors_->points >= k_errors_known) {
    floor_ = leasts_.bar() - k_error_margin * errors_->max;
  }
}

// Now that the bar is as high as it gets, errors are looked at closely.
std::vector<Candidate> GroupBest::candidates() const {
  Leasts leasts(query_->size);
  for (const Candidate& exact : known_) {
    leasts.add(exact.similarity);
  }
  std::vector<Kept> near;
  for (const Kept& one : kept_) {
    if (one.reach >= leasts_.bar()) {
      const float reach = query_->codes.reach(0, one.candidate);
      near.push_back({one.candidate, reach});
      leasts.add(2 * one.candidate.similarity - reach);
    }
  }
  std::vector<Candidate> found;
  for (const Kept& one : near) {
    if (one.reach >= leasts.bar()) {
      found.push_back(one.candidate);
    }
  }
  const uint64_t most = std::max(k_candidates_min, query_->size * k_candidates_per_point);
  if (found.size() > most) {
    const auto end = found.begin() + static_cast<ptrdiff_t>(most);
    std::nth_element(found.begin(), end, found.end(), query_->nearer);
    found.erase(end, found.end());
  }
  return found;
}

void GroupBest::Leasts::add(float least) {
  heap_.push_back(least);
  std::push_heap(heap_.begin(), heap_.end(), std::greater<>());
  if (heap_.size() > size_) {
    std::pop_heap(heap_.begin(), heap_.end(), std::greater<>());
    heap_.pop_back();
  }
}

}  // namespace asyncstore::engine
