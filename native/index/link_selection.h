// Which of the rows near to a row it is linked to.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "index/graph.h"

namespace asyncstore::index {

struct LinkCandidate {
  float similarity;  // to the row that is linked
  uint32_t place;

  // Nearer first, equal ones by place.
  friend bool operator<(const LinkCandidate& a, const LinkCandidate& b) {
    return a.similarity != b.similarity ? a.similarity > b.similarity : a.place < b.place;
  }
};

// Of one thread; keeps its memory.
class LinkSelection {
 public:
  // Chooses at most `links_max` of `candidates`, which are sorted, and writes them to the links of
  // `place`. The heuristic of HNSW (algorithm 4): a candidate is left out when it is nearer to one
  // that was chosen than to the row itself, for it can be reached by way of that one; so the links
  // lead into all directions.
  void select(const Level& level, const RowSimilarity& similarity, uint32_t place,
              std::span<const LinkCandidate> candidates, uint32_t links_max);

 private:
  // Leaves out of `waiting_` those that are nearer to `chosen` than to the row.
  void leave_out(const Level& level, const RowSimilarity& similarity, uint32_t chosen);

  std::vector<LinkCandidate> waiting_;
};

}  // namespace asyncstore::index
