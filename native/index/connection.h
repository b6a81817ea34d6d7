// Sees to it that a walk can come to each row.
//
// The heuristic may leave a row without a link to it: few rows of usual data, but nearly all of
// thousands of equal ones, which have places for a handful of links to their like.
#pragma once

#include <cstdint>
#include <functional>

#include "base/region.h"
#include "index/graph.h"
#include "index/level_walk.h"

namespace asyncstore::index {

class Connection {
 public:
  // `queue` has room for each row once; `ef` rows around a row are tried. For graphs of two levels
  // and more. What is given must outlive it.
  Connection(const Graph& graph, const RowSimilarity& similarity, uint32_t ef, uint32_t* queue,
             LevelWalk& walk);
  bool allocate();  // a bit a row; false without memory

  // Links what cannot be reached in level 0 from the first row of the topmost level to the nearest
  // that can. False when `tick`, called for each of them and every few milliseconds, said no.
  bool connect(const std::function<bool()>& tick);
  uint32_t connected() const { return connected_; }

 private:
  bool reached(uint32_t row) const {
    return ((bits_.as<uint64_t>()[row / 64] >> (row % 64)) & 1) != 0;
  }
  void mark(uint32_t row) { bits_.as<uint64_t>()[row / 64] |= uint64_t{1} << (row % 64); }
  // Marks all that can be reached from `row`.
  bool spread(uint32_t row, const std::function<bool()>& tick);
  // Links a reached row to it.
  void link(uint32_t row);

  const Graph& graph_;
  Level level_;
  const RowSimilarity& similarity_;
  uint32_t ef_;
  uint32_t* queue_;
  base::Region bits_;
  LevelWalk& walk_;
  uint32_t connected_ = 0;
};

}  // namespace asyncstore::index
