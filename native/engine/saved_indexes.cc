#include "engine/saved_indexes.h"

namespace asyncstore::engine {

SavedIndex SavedIndexes::saved(uint32_t number) const {
  const std::lock_guard lock(mutex_);
  return saved_[number];
}

void SavedIndexes::set_saved(uint32_t number, SavedIndex saved) {
  const std::lock_guard lock(mutex_);
  saved_[number] = saved;
}

void SavedIndexes::begin(uint32_t number, SavedIndex saved) {
  changes_[number] = 0;
  set_saved(number, saved);
}

void SavedIndexes::forget_file(uint64_t file) {
  const std::lock_guard lock(mutex_);
  for (SavedIndex& saved : saved_) {
    if (saved.number == file) {
      saved = {};
    }
  }
}

}  // namespace asyncstore::engine
