// The keys of each slot.
#pragma once

#include <cstdint>
#include <span>

#include "base/stable_array.h"
#include "fields/slot_marks.h"

namespace asyncstore::fields {

// Eight bytes a slot; several keys stand in memory of their own. Growing moves nothing. Not
// thread-safe; any number of threads may read while none writes.
class Column {
 public:
  Column() = default;
  ~Column();
  Column(const Column&) = delete;
  Column& operator=(const Column&) = delete;

  // Ascending, each once; valid until the slot is set again.
  std::span<const uint64_t> keys(uint32_t slot) const;
  void set(uint32_t slot, std::span<const uint64_t> keys);

  const SlotMarks& valued() const { return valued_; }    // slots with a key
  const SlotMarks& several() const { return several_; }  // with more than one

  uint64_t ram_bytes() const;

 private:
  void clear(uint32_t slot);

  // The key itself, or the address of the number of keys and the keys.
  base::StableArray<uint64_t> words_;
  uint64_t slots_ = 0;
  uint64_t several_bytes_ = 0;
  SlotMarks valued_;
  SlotMarks several_;
};

}  // namespace asyncstore::fields
