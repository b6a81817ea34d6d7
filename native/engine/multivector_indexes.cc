#include "engine/multivector_indexes.h"

#include <utility>

#include "multivector/code_index.h"

namespace asyncstore::engine {

MultivectorIndexes::MultivectorIndexes(std::span<const segment::Field> fields, uint32_t first,
                                       SavedIndexes& saved)
    : fields_(fields),
      first_(first),
      saved_(saved),
      indexes_(fields.size()),
      changed_(fields.size()) {
  for (uint32_t number = 0; number < indexes_.size(); ++number) {
    clear(number);
  }
}

MultivectorIndexes::~MultivectorIndexes() = default;

bool MultivectorIndexes::has_codes(uint32_t number) const {
  return fields_[number].quantization.kind != quantize::Kind::none;
}

void MultivectorIndexes::load(uint32_t number, std::unique_ptr<multivector::CodeIndex> index,
                              SavedIndex saved) {
  indexes_[number] = std::move(index);
  saved_.begin(first_ + number, saved);
}

void MultivectorIndexes::clear(uint32_t number) {
  load(number,
       has_codes(number) ? std::make_unique<multivector::CodeIndex>(fields_[number]) : nullptr, {});
}

void MultivectorIndexes::set(uint32_t number, uint32_t slot, base::Bytes stored) {
  if (indexes_[number]) {
    indexes_[number]->set(slot, stored);
    note(number, slot);
  }
}

void MultivectorIndexes::remove(uint32_t number, uint32_t slot) {
  if (indexes_[number] && indexes_[number]->has(slot)) {
    indexes_[number]->remove(slot);
    note(number, slot);
  }
}

void MultivectorIndexes::note(uint32_t number, uint32_t slot) {
  saved_.add_change(first_ + number);
  if (changed_[number]) {
    changed_[number]->push_back(slot);
  }
}

std::vector<uint32_t> MultivectorIndexes::take_changed(uint32_t number) {
  return std::exchange(*changed_[number], {});
}

void MultivectorIndexes::apply(const Operation& operation, std::span<const uint32_t> slots) {
  for (uint32_t number = 0; number < indexes_.size(); ++number) {
    change_kept(
        operation, first_ + number, slots,
        [&](uint32_t slot, base::Bytes stored) { set(number, slot, stored); },
        [&](uint32_t slot) { remove(number, slot); });
  }
}

void MultivectorIndexes::remove_slot(uint32_t slot) {
  for (uint32_t number = 0; number < indexes_.size(); ++number) {
    remove(number, slot);
  }
}

MultivectorIndexes::Snapshots MultivectorIndexes::snapshots() {
  Snapshots snapshots;
  for (const auto& index : indexes_) {
    snapshots.push_back(index ? index->snapshot() : nullptr);
  }
  return snapshots;
}

}  // namespace asyncstore::engine
