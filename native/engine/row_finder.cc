#include "engine/row_finder.h"

namespace asyncstore::engine {

bool RowFinder::find_segment(uint32_t slot, const points::Location& location) {
  for (size_t tried = 0; location.present() && tried < field_->segments.size(); ++tried) {
    if (is_in_segment(location)) {
      return true;
    }
    segment_ = segment_ + 1 < field_->segments.size() ? segment_ + 1 : 0;
  }
  if (location.present() || table_->version(slot) > lsn_) {
    moved_.push_back(slot);
  }
  return false;
}

}  // namespace asyncstore::engine
