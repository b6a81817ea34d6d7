#include "engine/admitted_rows.h"

#include <algorithm>
#include <bit>

namespace asyncstore::engine {

uint64_t AdmittedRows::count_max() const {
  const uint64_t live = field_->live_count();
  return rows_ ? rows_->count() : passing_ ? std::min(live, points_) : live;
}

uint64_t AdmittedRows::estimated(uint32_t segment) const {
  const uint64_t live = field_->segments[segment].live_count();
  if (rows_) {
    return rows_->count(segment);
  }
  if (!passing_) {
    return live;
  }
  const auto all = static_cast<double>(std::max<uint64_t>(field_->live_count(), 1));
  const double share = std::min(1.0, static_cast<double>(points_) / all);
  return static_cast<uint64_t>(static_cast<double>(live) * share);
}

uint64_t AdmittedRows::has_each(uint32_t segment, std::span<const uint32_t> rows) const {
  uint64_t admitted = 0;
  if (rows_) {
    for (size_t i = 0; i < rows.size(); ++i) {
      admitted |= uint64_t{rows_->has(segment, rows[i])} << i;
    }
    return admitted;
  }
  for (const uint32_t row : rows) {
    field_->segments[segment].segment->prefetch_slot(row);
  }
  for (size_t i = 0; i < rows.size(); ++i) {
    admitted |= uint64_t{has(segment, rows[i])} << i;
  }
  return admitted;
}

uint64_t AdmittedRows::word(uint32_t segment, uint32_t index) const {
  if (rows_) {
    return rows_->word(segment, index);
  }
  const SegmentView& view = field_->segments[segment];
  const uint64_t live = view.live_word(index);
  if (!passing_) {
    return live;
  }
  uint64_t admitted = 0;
  for (uint64_t rest = live; rest != 0; rest &= rest - 1) {
    const auto bit = static_cast<uint32_t>(std::countr_zero(rest));
    admitted |= uint64_t{passing_->contains(view.segment->slot(index * 64 + bit))} << bit;
  }
  return admitted;
}

}  // namespace asyncstore::engine
