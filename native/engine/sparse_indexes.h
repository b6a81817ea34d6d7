// The indexes of a collection's sparse vectors, one for each name.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "engine/field_indexes.h"
#include "engine/operation.h"

namespace asyncstore::sparse {
class Index;
struct Snapshot;
}  // namespace asyncstore::sparse

namespace asyncstore::engine {

class SparseIndexes {
 public:
  using Snapshots = std::vector<std::shared_ptr<const sparse::Snapshot>>;

  explicit SparseIndexes(uint32_t count);
  ~SparseIndexes();

  uint32_t count() const { return static_cast<uint32_t>(indexes_.size()); }

  // --- any thread ---
  SavedIndex saved(uint32_t number) const;
  void set_saved(uint32_t number, SavedIndex saved);

  // --- writer (and opening, before anything else) ---
  void load(uint32_t number, std::unique_ptr<sparse::Index> index, SavedIndex saved);
  // Forgets everything.
  void clear(uint32_t number);
  // The point of the slot has this vector, as stored.
  void set(uint32_t number, uint32_t slot, base::Bytes stored);
  void remove(uint32_t number, uint32_t slot);
  // What the operation does to its points; a slot a point.
  void apply(const Operation& operation, std::span<const uint32_t> slots);
  // There is no point in it any more.
  void remove_slot(uint32_t slot);
  // Some of the work that changes have left behind (sparse::Index::work()); false when none was.
  bool work(uint64_t elements);
  // As they are now.
  Snapshots snapshots();
  uint64_t changes(uint32_t number) const { return changes_[number]; }  // since it was saved
  void forget_changes(uint32_t number, uint64_t changes) { changes_[number] -= changes; }

 private:
  std::vector<std::unique_ptr<sparse::Index>> indexes_;
  std::vector<uint64_t> changes_;
  mutable std::mutex mutex_;
  std::vector<SavedIndex> saved_;
};

}  // namespace asyncstore::engine
