// The codes of a collection's multivectors.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "engine/operation.h"

namespace asyncstore::multivector {
class CodeIndex;
struct CodeSnapshot;
}  // namespace asyncstore::multivector

namespace asyncstore::engine {

// One for each multivector that has codes. They are not saved: opening makes them of the vectors.
class MultivectorIndexes {
 public:
  using Snapshots = std::vector<std::shared_ptr<const multivector::CodeSnapshot>>;

  // The fields outlive this.
  explicit MultivectorIndexes(std::span<const segment::Field> fields);
  ~MultivectorIndexes();

  // Of the multivector with this number; any thread.
  bool has_codes(uint32_t number) const { return indexes_[number] != nullptr; }
  const std::shared_ptr<const quantize::Quantizer>& quantizer(uint32_t number) const;

  // --- writer (and opening, before anything else) ---
  // The point of the slot has this multivector, as stored.
  void set(uint32_t number, uint32_t slot, base::Bytes stored);
  void remove(uint32_t number, uint32_t slot);
  // What the operation does to its points, a slot a point; `first` is the number of the first
  // multivector among the vectors that are kept as values.
  void apply(const Operation& operation, uint32_t first, std::span<const uint32_t> slots);
  // There is no point in it any more.
  void remove_slot(uint32_t slot);
  // As they are now; null for those without codes.
  Snapshots snapshots();
  // Forgets everything.
  void clear();

 private:
  std::span<const segment::Field> fields_;
  std::vector<std::unique_ptr<multivector::CodeIndex>> indexes_;
};

}  // namespace asyncstore::engine
