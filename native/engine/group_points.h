// What the operations of a group will have done, before any of them is applied.
#pragma once

#include <cstddef>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "engine/operation.h"
#include "gridstore/gridstore.h"
#include "points/id_index.h"
#include "points/point_id.h"
#include "points/point_table.h"

namespace asyncstore::engine {

// The points as a job of the group finds them when its turn comes: those of the table and the
// Gridstore, changed by the operations before it. Belongs to the writer.
class GroupPoints {
 public:
  GroupPoints(const points::PointTable& table, gridstore::Gridstore& payload)
      : table_(table), payload_(payload) {}

  // Takes in an operation that was accepted; in the order of the log.
  void add(const Operation& operation);

  bool exists(const points::PointId& id) const;
  // The JSON text; empty when the point has none or is not there.
  base::Result<std::vector<std::byte>> payload(const points::PointId& id);

 private:
  struct Point {
    bool exists = false;
    bool has_payload = false;  // told by an operation of the group
    std::vector<std::byte> payload;
  };
  const points::PointTable& table_;
  gridstore::Gridstore& payload_;
  struct Hash {
    size_t operator()(const points::PointId& id) const { return points::IdHash::hash(id); }
  };
  std::unordered_map<points::PointId, Point, Hash> points_;
};

}  // namespace asyncstore::engine
