#include "engine/group_candidates.h"

#include <algorithm>
#include <functional>
#include <limits>

namespace asyncstore::engine {

namespace {

constexpr float k_lowest = -std::numeric_limits<float>::infinity();

// A candidate in one of its groups.
struct Member {
  uint64_t group;
  uint32_t candidate;
  float least;  // its exact score is not below it
  float reach;  // nor above it
};

// By groups, and in each those with the largest leasts first.
std::vector<Member> members_of(std::span<const GroupCandidate> candidates) {
  std::vector<Member> members;
  members.reserve(candidates.size());
  for (uint32_t i = 0; i < candidates.size(); ++i) {
    const auto& [candidate, error, groups] = candidates[i];
    for (size_t j = 0; groups && j < groups->size(); ++j) {
      members.push_back(
          {(*groups)[j], i, candidate.similarity - error, candidate.similarity + error});
    }
  }
  std::sort(members.begin(), members.end(), [](const Member& a, const Member& b) {
    return a.group != b.group ? a.group < b.group : a.least > b.least;
  });
  return members;
}

// Calls visit(the members of one group) for each.
template <typename Visit>
void for_groups(std::span<const Member> members, const Visit& visit) {
  while (!members.empty()) {
    size_t count = 1;
    while (count < members.size() && members[count].group == members.front().group) {
      ++count;
    }
    visit(members.first(count));
    members = members.subspan(count);
  }
}

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
  const std::vector<Member> members = members_of(candidates);
  // A group is at least as good as the least of its best member.
  std::vector<float> best;
  for_groups(members, [&](std::span<const Member> group) { best.push_back(group.front().least); });
  const float bar = largest(best, wanted.groups);
  std::vector<uint8_t> may_be_in(candidates.size());
  for_groups(members, [&](std::span<const Member> group) {
    float reach = k_lowest;
    for (const Member& member : group) {
      reach = std::max(reach, member.reach);
    }
    const float own_bar = group.size() < wanted.size ? k_lowest : group[wanted.size - 1].least;
    for (const Member& member : group) {
      if (reach >= bar && member.reach >= own_bar) {
        may_be_in[member.candidate] = 1;
      }
    }
  });
  std::vector<Candidate> kept;
  for (size_t i = 0; i < candidates.size(); ++i) {
    if (!candidates[i].groups || may_be_in[i] != 0) {
      kept.push_back(candidates[i].candidate);
    }
  }
  return kept;
}

}  // namespace asyncstore::engine
