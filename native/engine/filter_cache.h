// Which points passed the filters that were asked last.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>

#include "filter/slot_set.h"

namespace asyncstore::engine {

// Searches tend to come with the same filters again. What passes one holds until the next operation
// is applied. At most k_filter_cache_bytes, and the sets that searches still hold. Any thread.
class FilterCache {
 public:
  using Passing = std::shared_ptr<const filter::SlotSet>;

  // Null when it is not known which points passed as of this operation.
  Passing find(const std::string& key, uint64_t lsn);
  void put(const std::string& key, uint64_t lsn, Passing passing);
  uint64_t bytes() const;

 private:
  struct Entry {
    std::string key;
    Passing passing;
    uint64_t bytes() const { return key.size() + passing->words().size_bytes(); }
  };

  mutable std::mutex mutex_;
  uint64_t lsn_ = 0;          // of all entries
  std::list<Entry> entries_;  // the last one that was asked for first
  uint64_t bytes_ = 0;
};

}  // namespace asyncstore::engine
