#include "engine/group_candidates.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <unordered_map>

namespace asyncstore::engine {

namespace {

constexpr float k_lowest = -std::numeric_limits<float>::infinity();

struct Group {
  float reach = k_lowest;     // of its best
  std::vector<float> leasts;  // of its members
  float bar = k_lowest;       // whose reach is below it is not among its best
};

// The value that is number `place`, from 1 on, of the largest; the lowest where there are fewer.
float largest(std::vector<float>& values, uint32_t place) {
  if (values.size() < place) {
    return k_lowest;
  }
  const auto at = values.begin() + static_cast<ptrdiff_t>(place - 1);
  std::nth_element(values.begin(), at, values.end(), std::greater<>());
  return *at;
}

}  // namespace

std::vector<Candidate> best_of_groups(std::span<const GroupCandidate> candidates,
                                      GroupCounts wanted) {
  std::unordered_map<uint64_t, Group> groups;
  for (const GroupCandidate& one : candidates) {
    for (size_t i = 0; one.groups && i < one.groups->size(); ++i) {
      Group& group = groups[(*one.groups)[i]];
      group.reach = std::max(group.reach, one.candidate.similarity + one.error);
      group.leasts.push_back(one.candidate.similarity - one.error);
    }
  }
  // A group is at least as good as the least of its best member.
  std::vector<float> best;
  best.reserve(groups.size());
  for (auto& [number, group] : groups) {
    best.push_back(*std::max_element(group.leasts.begin(), group.leasts.end()));
    group.bar = largest(group.leasts, wanted.size);
  }
  const float bar = largest(best, wanted.groups);
  const auto may_be_in = [&](const GroupCandidate& one, uint64_t number) {
    const Group& group = groups[number];
    return group.reach >= bar && one.candidate.similarity + one.error >= group.bar;
  };
  std::vector<Candidate> kept;
  for (const GroupCandidate& one : candidates) {
    if (!one.groups || std::any_of(one.groups->begin(), one.groups->end(),
                                   [&](uint64_t number) { return may_be_in(one, number); })) {
      kept.push_back(one.candidate);
    }
  }
  return kept;
}

}  // namespace asyncstore::engine
