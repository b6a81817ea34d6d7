// Which candidates of a query may be among the best points of the best groups.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "engine/candidates.h"

namespace asyncstore::engine {

// What a query that is grouped wants.
struct GroupCounts {
  uint32_t groups = 0;  // ≥ 1
  uint32_t size = 0;    // of each; ≥ 1
};

// A candidate by its estimate, how far its exact score is from that at most, and what it is grouped
// by.
struct GroupCandidate {
  Candidate candidate;
  float error = 0;
  // Equal numbers are one group. Not known: it may be in any, in several, or in none.
  std::optional<std::vector<uint64_t>> groups;
};

// Those that are left when all are dropped that cannot be wanted: that have, in each of their
// groups, as many certainly better ones as are wanted of it, or as many certainly better groups as
// are wanted. In the order given. Those whose groups are not known are left, and may make a group
// one of the best of which others were dropped.
std::vector<Candidate> best_of_groups(std::span<const GroupCandidate> candidates,
                                      GroupCounts wanted);

}  // namespace asyncstore::engine
