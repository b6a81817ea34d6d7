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
  bool is_known = false;               // else it may be in any group, in several, or in none
  std::optional<uint64_t> group = {};  // equal numbers are one group; none: it is in none
};

// Those that are left when all are dropped that cannot be wanted: that are in no group, that have
// as many certainly better ones in their group as are wanted of it, or that are in a group than
// which as many groups as are wanted are certainly better. In the order given.
std::vector<Candidate> best_of_groups(std::span<const GroupCandidate> candidates,
                                      GroupCounts wanted);

}  // namespace asyncstore::engine
