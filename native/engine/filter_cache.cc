#include "engine/filter_cache.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"

namespace asyncstore::engine {

FilterCache::Passing FilterCache::find(const std::string& key, uint64_t lsn) {
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(entries_.begin(), entries_.end(),
                                  [&](const Entry& entry) { return entry.key == key; });
  if (lsn != lsn_ || found == entries_.end()) {
    return nullptr;
  }
  entries_.splice(entries_.begin(), entries_, found);
  return entries_.front().passing;
}

void FilterCache::put(const std::string& key, uint64_t lsn, Passing passing) {
  const std::lock_guard lock(mutex_);
  if (lsn < lsn_) {
    return;
  }
  if (lsn > lsn_) {
    entries_.clear();
    bytes_ = 0;
    lsn_ = lsn;
  }
  entries_.push_front({key, std::move(passing)});
  bytes_ += entries_.front().bytes();
  while (bytes_ > base::k_filter_cache_bytes) {
    bytes_ -= entries_.back().bytes();
    entries_.pop_back();
  }
}

uint64_t FilterCache::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

}  // namespace asyncstore::engine
