#include "engine/row_finder.h"

namespace asyncstore::engine {

std::optional<RowFinder::Place> RowFinder::look_up(uint32_t slot) {
  const points::Location location = table_->location(slot, number_);
  for (size_t tried = 0; location.present() && tried < field_->segments.size(); ++tried) {
    const SegmentView& view = field_->segments[segment_];
    if (view.segment->id() == location.segment) {
      if (location.row < view.rows && view.live(location.row)) {
        return Place{segment_, location.row};
      }
      break;
    }
    segment_ = segment_ + 1 < field_->segments.size() ? segment_ + 1 : 0;
  }
  if (location.present() || table_->version(slot) > lsn_) {
    moved_.push_back(slot);
  }
  return std::nullopt;
}

}  // namespace asyncstore::engine
