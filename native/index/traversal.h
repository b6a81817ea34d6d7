// One search over one graph, in steps.
#pragma once

#include <cstdint>

#include "index/graph.h"
#include "index/level_walk.h"

namespace asyncstore::index {

// Belongs to one task of an event loop; what it is given must outlive it. Its memory is that of the
// walk, which a worker keeps and gives to one search after another.
class Traversal {
 public:
  // Looks for the `ef` nearest rows that `filter` admits; null admits all. ef ≥ 1.
  Traversal(const Graph& graph, const QuerySimilarity& query, const RowFilter* filter, uint32_t ef,
            LevelWalk& walk);

  // Goes on until `evaluations_max` more rows were compared, or some hundreds more than that;
  // true when it is done. Eight rows that a filter was asked of count as one. The result does not
  // depend on how it was cut into steps.
  bool step(uint32_t evaluations_max);

  // When done: the nearest rows, the nearest first.
  const NearestRows& nearest() const { return walk_.nearest(); }

 private:
  void begin_level(std::span<const uint32_t> places);
  void sample();

  const Graph& graph_;
  const QuerySimilarity& query_;
  const RowFilter* filter_;
  uint32_t ef_;
  LevelWalk& walk_;
  uint32_t level_;
};

}  // namespace asyncstore::index
