#include "engine/multivector_indexes.h"

#include "multivector/code_index.h"

namespace asyncstore::engine {

MultivectorIndexes::MultivectorIndexes(std::span<const segment::Field> fields) : fields_(fields) {
  clear();
}

MultivectorIndexes::~MultivectorIndexes() = default;

void MultivectorIndexes::clear() {
  indexes_.clear();
  for (const segment::Field& field : fields_) {
    const bool has_codes = field.quantization.kind != quantize::Kind::none;
    indexes_.push_back(has_codes ? std::make_unique<multivector::CodeIndex>(field) : nullptr);
  }
}

const std::shared_ptr<const quantize::Quantizer>& MultivectorIndexes::quantizer(
    uint32_t number) const {
  return indexes_[number]->quantizer();
}

void MultivectorIndexes::set(uint32_t number, uint32_t slot, base::Bytes stored) {
  if (indexes_[number]) {
    indexes_[number]->set(slot, stored);
  }
}

void MultivectorIndexes::remove(uint32_t number, uint32_t slot) {
  if (indexes_[number]) {
    indexes_[number]->remove(slot);
  }
}

void MultivectorIndexes::apply(const Operation& operation, uint32_t first,
                               std::span<const uint32_t> slots) {
  for (uint32_t number = 0; number < indexes_.size(); ++number) {
    change_kept(
        operation, first + number, slots,
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
