// Where points have their rows.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/view.h"
#include "filter/slot_set.h"
#include "points/point_table.h"

namespace asyncstore::engine {

// Of one field in one view, by the places that the table has for the points. The table tells of
// now, the view of a moment ago: a point that was written or moved since has its row of that moment
// looked for among all rows, once for all of them. What it is made of outlives it.
class RowFinder {
 public:
  struct Place {
    uint32_t segment;  // in FieldView::segments
    uint32_t row;
  };

  // `number` is the field's, `lsn` the view's.
  RowFinder(const FieldView& field, uint32_t number, uint64_t lsn, const points::PointTable& table)
      : field_(&field), number_(number), lsn_(lsn), table_(&table) {}

  const FieldView& field() const { return *field_; }

  // Shows the live rows of the points in these slots as visit(i, place), where i is the place among
  // the slots; later, those of points that were moved.
  template <typename Visit>
  void find(std::span<const uint32_t> slots, const Visit& visit) {
    for (const uint32_t slot : slots.first(std::min(k_prefetch_slots, slots.size()))) {
      table_->prefetch_location(slot, number_);
    }
    for (size_t i = 0; i < slots.size(); ++i) {
      if (i + k_prefetch_slots < slots.size()) {
        table_->prefetch_location(slots[i + k_prefetch_slots], number_);
      }
      const points::Location location = table_->location(slots[i], number_);
      if (is_in_segment(location) || find_segment(slots[i], location)) {
        visit(i, Place{segment_, location.row});
      }
    }
  }

  // Also finds what `other` was asked for and found to be moved.
  void take_moved(const RowFinder& other) {
    moved_.insert(moved_.end(), other.moved_.begin(), other.moved_.end());
  }

  // When all slots were asked for, in any order and each as often as it may be: the rest of them,
  // each once, as visit(slot, place).
  template <typename Visit>
  void find_moved(const Visit& visit) {
    if (moved_.empty()) {
      return;
    }
    filter::SlotSet moved(*std::max_element(moved_.begin(), moved_.end()) + 1);
    for (const uint32_t slot : moved_) {
      moved.add(slot);
    }
    for (uint32_t segment = 0; segment < field_->segments.size(); ++segment) {
      const SegmentView& view = field_->segments[segment];
      for (uint32_t row = 0; row < view.rows; ++row) {
        const uint32_t slot = view.segment->slot(row);
        if (moved.contains(slot) && view.live(row)) {
          visit(slot, Place{segment, row});
        }
      }
    }
  }

 private:
  static constexpr size_t k_prefetch_slots = 64;  // places of slots lie apart

  // Whether the location is a live row of the segment at hand.
  bool is_in_segment(const points::Location& location) const {
    if (segment_ >= field_->segments.size()) {
      return false;
    }
    const SegmentView& view = field_->segments[segment_];
    return view.segment->id() == location.segment && location.row < view.rows &&
           view.live(location.row);
  }
  // Whether it is one of any, which then is at hand; else the point has none, or was moved.
  bool find_segment(uint32_t slot, const points::Location& location);

  const FieldView* field_;
  uint32_t number_;
  uint64_t lsn_;
  const points::PointTable* table_;
  uint32_t segment_ = 0;  // where the last one was found: mostly the next one is there, too
  std::vector<uint32_t> moved_;
};

}  // namespace asyncstore::engine
