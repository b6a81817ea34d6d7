// What the operations of a group will have done, before any of them is applied.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/result.h"
#include "engine/operation.h"
#include "engine/value_stores.h"
#include "points/id_index.h"
#include "points/point_id.h"
#include "points/point_table.h"

namespace asyncstore::engine {

// The points as a job of the group finds them when its turn comes: those of the table and the
// Gridstores, changed by the operations before it. Belongs to the writer.
class GroupPoints {
 public:
  GroupPoints(const Schema& schema, const points::PointTable& table, ValueStores& values)
      : schema_(schema), table_(table), values_(values) {}

  // Takes in an operation that was accepted; in the order of the log.
  void add(const Operation& operation);

  const Schema& schema() const { return schema_; }
  bool exists(const points::PointId& id) const;
  // The JSON text; empty when the point has none or is not there.
  base::Result<std::vector<std::byte>> payload(const points::PointId& id);
  // By its number in the schema.
  bool has_vector(const points::PointId& id, uint32_t number) const;

 private:
  struct Point {
    bool exists = false;
    bool has_payload = false;  // told by an operation of the group
    std::vector<std::byte> payload;
    bool is_new = false;                             // has no vectors but these
    std::vector<std::pair<uint32_t, bool>> vectors;  // given or taken; of a number the last counts
  };
  void follow_vectors(Point& point, const Operation& operation, uint32_t index) const;

  const Schema schema_;
  const points::PointTable& table_;
  ValueStores& values_;
  struct Hash {
    size_t operator()(const points::PointId& id) const { return points::IdHash::hash(id); }
  };
  std::unordered_map<points::PointId, Point, Hash> points_;
};

}  // namespace asyncstore::engine
