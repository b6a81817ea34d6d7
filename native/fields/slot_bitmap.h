// The slots of one key that many points have: a roaring bitmap. The only user of CRoaring.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "filter/slot_set.h"

namespace asyncstore::fields {

// Not thread-safe; any number of threads may read while none writes.
class SlotBitmap {
 public:
  explicit SlotBitmap(std::span<const uint32_t> slots);

  // Whether that changed anything.
  bool add(uint32_t slot);
  bool remove(uint32_t slot);

  uint64_t count() const { return count_; }
  std::vector<uint32_t> slots() const;  // ascending
  // At most so many of them: the first from a slot on, and the last below it. Ascending.
  std::vector<uint32_t> slots_from(uint32_t slot, uint64_t most) const;
  std::vector<uint32_t> slots_below(uint32_t slot, uint64_t most) const;
  void add_to(filter::SlotSet& set) const;
  uint64_t ram_bytes() const;

 private:
  struct Free {
    void operator()(void* bitmap) const;
  };

  uint64_t rank(uint32_t slot) const;  // slots below it
  std::vector<uint32_t> part(uint64_t first, uint64_t count) const;

  // A roaring_bitmap_t, which newer versions of the library declare within a namespace.
  std::unique_ptr<void, Free> bitmap_;
  uint64_t count_;
};

}  // namespace asyncstore::fields
