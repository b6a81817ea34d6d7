#include "engine/filter_cache.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"

namespace asyncstore::engine {

FilterCache::Passing FilterCache::find(const std::string& key, uint64_t lsn) {
  const std::lock_guard lock(mutex_);
  const auto found = find(key);
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
  shrink();
}

FilterCache::Rows FilterCache::find_rows(const std::string& key, uint32_t field,
                                         const std::shared_ptr<const View>& view) {
  const std::lock_guard lock(mutex_);
  const auto entry = find(key);
  if (view->lsn != lsn_ || entry == entries_.end()) {
    return nullptr;
  }
  for (const RowsOfView& one : entry->rows) {
    if (one.of(field, view)) {
      return one.rows;
    }
  }
  return nullptr;
}

void FilterCache::put_rows(const std::string& key, uint32_t field,
                           const std::shared_ptr<const View>& view, Rows rows) {
  const std::lock_guard lock(mutex_);
  const auto entry = find(key);
  if (view->lsn != lsn_ || entry == entries_.end()) {
    return;
  }
  bytes_ -= entry->bytes();
  std::erase_if(entry->rows, [&](const RowsOfView& one) { return one.field == field; });
  entry->rows.push_back({field, view, std::move(rows)});
  bytes_ += entry->bytes();
  shrink();
}

std::list<FilterCache::Entry>::iterator FilterCache::find(const std::string& key) {
  return std::find_if(entries_.begin(), entries_.end(),
                      [&](const Entry& entry) { return entry.key == key; });
}

void FilterCache::shrink() {
  while (bytes_ > base::k_filter_cache_bytes) {
    bytes_ -= entries_.back().bytes();
    entries_.pop_back();
  }
}

uint64_t FilterCache::Entry::bytes() const {
  uint64_t bytes = key.size() + passing->words().size_bytes();
  for (const RowsOfView& one : rows) {
    bytes += one.rows->bytes();
  }
  return bytes;
}

uint64_t FilterCache::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

}  // namespace asyncstore::engine
