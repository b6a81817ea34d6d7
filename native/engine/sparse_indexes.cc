#include "engine/sparse_indexes.h"

#include <algorithm>
#include <utility>

#include "sparse/index.h"

namespace asyncstore::engine {

SparseIndexes::SparseIndexes(uint32_t count, SavedIndexes& saved) : saved_(saved) {
  for (uint32_t number = 0; number < count; ++number) {
    indexes_.push_back(std::make_unique<sparse::Index>());
  }
}

SparseIndexes::~SparseIndexes() = default;

void SparseIndexes::load(uint32_t number, std::unique_ptr<sparse::Index> index, SavedIndex saved) {
  indexes_[number] = std::move(index);
  saved_.begin(number, saved);
}

void SparseIndexes::clear(uint32_t number) {
  load(number, std::make_unique<sparse::Index>(), {});
}

void SparseIndexes::set(uint32_t number, uint32_t slot, base::Bytes stored) {
  indexes_[number]->set(slot, stored);
  saved_.add_change(number);
}

void SparseIndexes::remove(uint32_t number, uint32_t slot) {
  if (indexes_[number]->has(slot)) {
    indexes_[number]->remove(slot);
    saved_.add_change(number);
  }
}

void SparseIndexes::apply(const Operation& operation, std::span<const uint32_t> slots) {
  for (uint32_t number = 0; number < count(); ++number) {
    change_kept(
        operation, number, slots,
        [&](uint32_t slot, base::Bytes stored) { set(number, slot, stored); },
        [&](uint32_t slot) { remove(number, slot); });
  }
}

void SparseIndexes::remove_slot(uint32_t slot) {
  for (uint32_t number = 0; number < count(); ++number) {
    remove(number, slot);
  }
}

bool SparseIndexes::work(uint64_t elements) {
  return std::any_of(indexes_.begin(), indexes_.end(),
                     [&](const auto& index) { return index->work(elements); });
}

SparseIndexes::Snapshots SparseIndexes::snapshots() {
  Snapshots snapshots;
  for (const auto& index : indexes_) {
    snapshots.push_back(index->snapshot());
  }
  return snapshots;
}

}  // namespace asyncstore::engine
