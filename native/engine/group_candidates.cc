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
    if (one.is_known && one.group) {
      Group& group = groups[*one.group];
      group.reach = std::max(group.reach, one.candidate.similarity + one.error);
      group.leasts.push_back(one.candidate.similarity - one.error);
    }
  }
  // A group is at least as good as the least of its best member.
  std::vector<float> best;
  std::unordered_map<uint64_t, float> bars;
  for (auto& [number, group] : groups) {
    best.push_back(*std::max_element(group.leasts.begin(), group.leasts.end()));
    bars[number] = largest(group.leasts, wanted.size);
  }
  const float bar = largest(best, wanted.groups);
  std::vector<Candidate> kept;
  for (const GroupCandidate& one : candidates) {
    const bool may_be = !one.is_known || (one.group && groups[*one.group].reach >= bar &&
                                          one.candidate.similarity + one.error >= bars[*one.group]);
    if (may_be) {
      kept.push_back(one.candidate);
    }
  }
  return kept;
}

}  // namespace asyncstore::engine
