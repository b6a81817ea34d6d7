// The points of a set in the order of their ids.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "filter/slot_set.h"
#include "points/point_table.h"

namespace asyncstore::engine {

// Belongs to one task, which holds a view. All at least as far as `from`; about `wanted` of them
// will be asked for.
class IdWalk {
 public:
  IdWalk(points::PointTable& table, const filter::SlotSet& set, const points::PointId& from,
         uint64_t wanted);

  // Appends the next slots of the set; after a fraction of a millisecond there may be none yet.
  // False when there are no more.
  bool next(std::vector<uint32_t>& slots);

 private:
  bool next_of_few(std::vector<uint32_t>& slots);
  bool next_of_all(std::vector<uint32_t>& slots);

  points::PointTable& table_;
  const filter::SlotSet& set_;
  std::optional<points::PointId> from_;  // where a walk over all ids goes on
  bool of_few_ = false;
  std::vector<uint32_t> heap_;  // of few: those that are left, the lowest id first
};

}  // namespace asyncstore::engine
