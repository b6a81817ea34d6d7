#include "engine/admitted_rows.h"

#include <algorithm>
#include <bit>

namespace asyncstore::engine {

namespace {
constexpr size_t k_prefetch_slots = 16;  // places of slots lie apart
}  // namespace

uint64_t AdmittedRows::count_max() const {
  const uint64_t live = field_->live_count();
  return passing_ ? std::min(live, points_) : live;
}

uint64_t AdmittedRows::estimated(uint32_t segment) const {
  const uint64_t live = field_->segments[segment].live_count();
  if (!passing_) {
    return live;
  }
  const auto all = static_cast<double>(std::max<uint64_t>(field_->live_count(), 1));
  const double share = std::min(1.0, static_cast<double>(points_) / all);
  return static_cast<uint64_t>(static_cast<double>(live) * share);
}

uint64_t AdmittedRows::has_each(uint32_t segment, std::span<const uint32_t> rows) const {
  for (const uint32_t row : rows) {
    field_->segments[segment].segment->prefetch_slot(row);
  }
  uint64_t admitted = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    admitted |= uint64_t{has(segment, rows[i])} << i;
  }
  return admitted;
}

uint64_t AdmittedRows::word(uint32_t segment, uint32_t index) const {
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

// The table tells of now, the view of a moment ago: a point that was written or moved since has its
// row of that moment looked for among all rows.
void AdmittedRows::list(uint32_t number, uint64_t lsn, const points::PointTable& table) {
  lists_.resize(field_->segments.size());
  std::vector<uint32_t> moved;
  uint32_t segment = 0;  // where the last one was found: mostly the next one is there, too
  std::vector<uint32_t> slots;
  slots.reserve(points_);
  passing_->for_each([&](uint32_t slot) { slots.push_back(slot); });
  for (size_t i = 0; i < slots.size(); ++i) {
    table.prefetch_location(slots[std::min(i + k_prefetch_slots, slots.size() - 1)], number);
    const uint32_t slot = slots[i];
    const points::Location location = table.location(slot, number);
    bool found = false;
    for (size_t tried = 0; location.present() && tried < field_->segments.size(); ++tried) {
      const SegmentView& view = field_->segments[segment];
      if (view.segment->id() == location.segment) {
        found = location.row < view.rows && view.live(location.row);
        break;
      }
      segment = segment + 1 < field_->segments.size() ? segment + 1 : 0;
    }
    if (found) {
      lists_[segment].push_back(location.row);
    } else if (location.present() || table.version(slot) > lsn) {
      moved.push_back(slot);
    }
  }
  if (!moved.empty()) {
    list_by_slots(moved);
  }
}

void AdmittedRows::list_by_slots(std::span<const uint32_t> listed) {
  filter::SlotSet slots(passing_->slots());
  for (const uint32_t slot : listed) {
    slots.add(slot);
  }
  for (uint32_t segment = 0; segment < field_->segments.size(); ++segment) {
    const SegmentView& view = field_->segments[segment];
    for (uint32_t row = 0; row < view.rows; ++row) {
      if (slots.contains(view.segment->slot(row)) && view.live(row)) {
        lists_[segment].push_back(row);
      }
    }
  }
}

}  // namespace asyncstore::engine
