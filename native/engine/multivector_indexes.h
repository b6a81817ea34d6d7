// The codes of a collection's multivectors.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "engine/operation.h"
#include "engine/saved_indexes.h"

namespace asyncstore::multivector {
class CodeIndex;
struct CodeSnapshot;
}  // namespace asyncstore::multivector

namespace asyncstore::engine {

// One for each multivector that has codes.
class MultivectorIndexes {
 public:
  using Snapshots = std::vector<std::shared_ptr<const multivector::CodeSnapshot>>;

  // Tells `saved` what changes; there, the number of the first multivector is `first`, as among the
  // vectors that are kept as values. The fields and `saved` outlive this.
  MultivectorIndexes(std::span<const segment::Field> fields, uint32_t first, SavedIndexes& saved);
  ~MultivectorIndexes();

  // Of the multivector with this number; any thread.
  bool has_codes(uint32_t number) const;

  // --- writer (and opening, before anything else) ---
  void load(uint32_t number, std::unique_ptr<multivector::CodeIndex> index, SavedIndex saved);
  // Forgets everything.
  void clear(uint32_t number);
  // The point of the slot has this multivector, as stored.
  void set(uint32_t number, uint32_t slot, base::Bytes stored);
  void remove(uint32_t number, uint32_t slot);
  // What the operation does to its points; a slot a point.
  void apply(const Operation& operation, std::span<const uint32_t> slots);
  // There is no point in it any more.
  void remove_slot(uint32_t slot);
  // From here on, until end_training(), slots that change are noted, while other codes are made.
  void begin_training(uint32_t number) { changed_[number].emplace(); }
  void end_training(uint32_t number) { changed_[number].reset(); }
  // Those that were since the last call.
  std::vector<uint32_t> take_changed(uint32_t number);
  // As they are now; null for those without codes.
  Snapshots snapshots();

 private:
  void note(uint32_t number, uint32_t slot);

  std::span<const segment::Field> fields_;
  const uint32_t first_;
  SavedIndexes& saved_;
  std::vector<std::unique_ptr<multivector::CodeIndex>> indexes_;
  std::vector<std::optional<std::vector<uint32_t>>> changed_;
};

}  // namespace asyncstore::engine
