#include "engine/sparse_indexes.h"

#include <algorithm>
#include <utility>

#include "sparse/index.h"

namespace asyncstore::engine {

SparseIndexes::SparseIndexes(uint32_t count) : changes_(count), saved_(count) {
  for (uint32_t number = 0; number < count; ++number) {
    indexes_.push_back(std::make_unique<sparse::Index>());
  }
}

SparseIndexes::~SparseIndexes() = default;

SavedIndex SparseIndexes::saved(uint32_t number) const {
  const std::lock_guard lock(mutex_);
  return saved_[number];
}

void SparseIndexes::set_saved(uint32_t number, SavedIndex saved) {
  const std::lock_guard lock(mutex_);
  saved_[number] = saved;
}

void SparseIndexes::load(uint32_t number, std::unique_ptr<sparse::Index> index, SavedIndex saved) {
  indexes_[number] = std::move(index);
  changes_[number] = 0;
  set_saved(number, saved);
}

void SparseIndexes::clear(uint32_t number) {
  load(number, std::make_unique<sparse::Index>(), {});
}

void SparseIndexes::set(uint32_t number, uint32_t slot, base::Bytes stored) {
  indexes_[number]->set(slot, stored);
  ++changes_[number];
}

void SparseIndexes::remove(uint32_t number, uint32_t slot) {
  if (indexes_[number]->has(slot)) {
    indexes_[number]->remove(slot);
    ++changes_[number];
  }
}

void SparseIndexes::apply(const Operation& operation, std::span<const uint32_t> slots) {
  const bool whole = operation.kind == Kind::upsert;
  for (uint32_t number = 0; number < count(); ++number) {
    const auto given = std::find_if(operation.kept.begin(), operation.kept.end(),
                                    [&](const KeptVectors& kept) { return kept.number == number; });
    if (given == operation.kept.end()) {
      for (size_t i = 0; i < slots.size() && whole; ++i) {
        remove(number, slots[i]);
      }
      continue;
    }
    const bool removes = whole || operation.kind == Kind::delete_vectors;
    size_t next = 0;
    for (uint32_t i = 0; i < slots.size(); ++i) {
      if (given->values.present.has(i)) {
        set(number, slots[i], given->values.value[next++]);
      } else if (removes) {
        remove(number, slots[i]);
      }
    }
  }
}

void SparseIndexes::remove_slot(uint32_t slot) {
  for (uint32_t number = 0; number < count(); ++number) {
    remove(number, slot);
  }
}

SparseIndexes::Snapshots SparseIndexes::snapshots() {
  Snapshots snapshots;
  for (const auto& index : indexes_) {
    snapshots.push_back(index->snapshot());
  }
  return snapshots;
}

}  // namespace asyncstore::engine
