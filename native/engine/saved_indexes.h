// Where indexes were saved by the last checkpoint.
#pragma once

#include <cstdint>
#include <mutex>
#include <vector>

namespace asyncstore::engine {

// Of one index; number 0: nowhere.
struct SavedIndex {
  uint64_t number = 0;  // of the file
  uint64_t lsn = 0;     // it holds the values as of this operation
  uint64_t bytes = 0;
};

// Of the indexes of a collection's vectors that are kept as values, by the numbers of these, and
// how many points of each have changed since.
class SavedIndexes {
 public:
  explicit SavedIndexes(uint32_t count) : saved_(count), changes_(count) {}

  uint32_t count() const { return static_cast<uint32_t>(changes_.size()); }

  // --- any thread ---
  SavedIndex saved(uint32_t number) const;
  void set_saved(uint32_t number, SavedIndex saved);

  // --- writer (and opening, before anything else) ---
  // It is as it was saved.
  void begin(uint32_t number, SavedIndex saved);
  void add_change(uint32_t number) { ++changes_[number]; }
  uint64_t changes(uint32_t number) const { return changes_[number]; }
  void forget_changes(uint32_t number, uint64_t changes) { changes_[number] -= changes; }
  // The file with this number is of no use any more.
  void forget_file(uint64_t file);

 private:
  mutable std::mutex mutex_;
  std::vector<SavedIndex> saved_;
  std::vector<uint64_t> changes_;
};

}  // namespace asyncstore::engine
