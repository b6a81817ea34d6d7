// A walk over one level of a graph towards what is near to a query.
#pragma once

#include <cstdint>
#include <span>

#include "index/graph.h"
#include "index/nearest_rows.h"
#include "index/visited_rows.h"

namespace asyncstore::index {

// Keeps its memory from one walk to the next.
class LevelWalk {
 public:
  // Begins to look for the `ef` nearest rows; then compare() with some place to start from.
  void begin(uint32_t ef);
  // Compares the rows at `places` (1 to k_list_rows_max, none of them seen yet) with the query.
  void compare(const Level& level, const QuerySimilarity& query, std::span<const uint32_t> places);
  // Follows the links of the nearest row whose links were not yet followed; false at the end.
  bool step(const Level& level, const QuerySimilarity& query);

  // Goes to the nearest row of `level` and then to its place in the one below, level by level from
  // the topmost, where it begins at `tops`, to `last`. Needs at least two levels above `last`… 
  const NearestRows& nearest() const { return nearest_; }  // their places
  uint64_t evaluations() const { return evaluations_; }    // of all walks so far

 private:
  NearestRows nearest_;
  VisitedRows visited_;
  uint64_t evaluations_ = 0;
};

}  // namespace asyncstore::index
