// Which points passed the filters that were asked last, and their rows.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "engine/passing_rows.h"
#include "engine/view.h"
#include "filter/slot_set.h"

namespace asyncstore::engine {

// Searches tend to come with the same filters again. What passes one holds until the next operation
// is applied. At most k_filter_cache_bytes, and the sets that searches still hold. Any thread.
class FilterCache {
 public:
  using Passing = std::shared_ptr<const filter::SlotSet>;
  using Rows = std::shared_ptr<const PassingRows>;

  // Null when it is not known which points passed as of this operation.
  Passing find(const std::string& key, uint64_t lsn);
  void put(const std::string& key, uint64_t lsn, Passing passing);
  // The rows that the points have in this field of this view; null when they are not known.
  Rows find_rows(const std::string& key, uint32_t field, const std::shared_ptr<const View>& view);
  void put_rows(const std::string& key, uint32_t field, const std::shared_ptr<const View>& view,
                Rows rows);
  uint64_t bytes() const;

 private:
  struct RowsOfView {
    uint32_t field;
    std::weak_ptr<const View> view;  // that a cached set keeps no segment from going
    Rows rows;
    bool of(uint32_t number, const std::shared_ptr<const View>& one) const {
      return field == number && !view.owner_before(one) && !one.owner_before(view);
    }
  };
  struct Entry {
    std::string key;
    Passing passing;
    std::vector<RowsOfView> rows = {};  // one for each field
    uint64_t bytes() const;
  };

  std::list<Entry>::iterator find(const std::string& key);
  void shrink();

  mutable std::mutex mutex_;
  uint64_t lsn_ = 0;          // of all entries
  std::list<Entry> entries_;  // the last one that was asked for first
  uint64_t bytes_ = 0;
};

}  // namespace asyncstore::engine
