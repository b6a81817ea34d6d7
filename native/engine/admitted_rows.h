// The rows of a field that a filtered search may return.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "engine/passing_rows.h"
#include "engine/view.h"
#include "filter/slot_set.h"

namespace asyncstore::engine {

// Rows that live and, with a filter, hold a point that passes it. The view outlives this.
class AdmittedRows {
 public:
  // All that live.
  explicit AdmittedRows(const FieldView& field) : field_(&field) {}
  // Of the points in `passing`; each row is asked for its point.
  AdmittedRows(const FieldView& field, std::shared_ptr<const filter::SlotSet> passing)
      : field_(&field), passing_(std::move(passing)), points_(passing_->count()) {}
  // From now on those of `passing` are known by their rows.
  void know(std::shared_ptr<const PassingRows> rows) { rows_ = std::move(rows); }

  // No field admits more rows.
  uint64_t count_max() const;
  // About how many rows of a segment are admitted.
  uint64_t estimated(uint32_t segment) const;
  bool all_live() const { return passing_ == nullptr; }

  bool has(uint32_t segment, uint32_t row) const {
    if (rows_) {
      return rows_->has(segment, row);
    }
    const SegmentView& view = field_->segments[segment];
    return view.live(row) && (!passing_ || passing_->contains(view.segment->slot(row)));
  }
  // Bit i tells of rows[i]; at most 64, which may lie anywhere.
  uint64_t has_each(uint32_t segment, std::span<const uint32_t> rows) const;
  // Bit b tells of row 64 · index + b.
  uint64_t word(uint32_t segment, uint32_t index) const;
  // All of a segment, ascending, where they are known and few; else null.
  const std::vector<uint32_t>* list(uint32_t segment) const {
    return rows_ ? rows_->list(segment) : nullptr;
  }

 private:
  const FieldView* field_;
  std::shared_ptr<const filter::SlotSet> passing_;
  uint64_t points_ = 0;
  std::shared_ptr<const PassingRows> rows_;
};

}  // namespace asyncstore::engine
