// The indexes of a collection's sparse vectors, one for each name.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "engine/operation.h"
#include "engine/saved_indexes.h"

namespace asyncstore::sparse {
class Index;
struct Snapshot;
}  // namespace asyncstore::sparse

namespace asyncstore::engine {

class SparseIndexes {
 public:
  using Snapshots = std::vector<std::shared_ptr<const sparse::Snapshot>>;

  // Tells `saved`, which outlives this, what changes; its first numbers are those of the indexes.
  SparseIndexes(uint32_t count, SavedIndexes& saved);
  ~SparseIndexes();

  uint32_t count() const { return static_cast<uint32_t>(indexes_.size()); }

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

 private:
  std::vector<std::unique_ptr<sparse::Index>> indexes_;
  SavedIndexes& saved_;
};

}  // namespace asyncstore::engine
