// A mark on some of the slots: a growing bitmap, a bit for each.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "fields/slot_words.h"
#include "filter/slot_set.h"

namespace asyncstore::fields {

// In blocks of 65,536 slots; one without a mark in it that was never touched takes no memory.
// Growing moves pointers only. Not thread-safe.
class SlotMarks {
 public:
  bool contains(uint32_t slot) const {
    const size_t block = slot / k_block_slots;
    return block < blocks_.size() && blocks_[block] != nullptr &&
           ((*blocks_[block])[word_of(slot)] >> (slot % 64) & 1) != 0;
  }

  void set(uint32_t slot, bool marked) {
    if (contains(slot) == marked) {
      return;
    }
    const size_t block = slot / k_block_slots;
    if (block >= blocks_.size()) {
      blocks_.resize(block + 1);
    }
    if (blocks_[block] == nullptr) {
      blocks_[block] = std::make_unique<Block>();
    }
    (*blocks_[block])[word_of(slot)] ^= uint64_t{1} << (slot % 64);
    count_ += marked ? 1 : uint64_t{0} - 1;
  }

  uint64_t count() const { return count_; }

  void add_to(filter::SlotSet& set) const {
    combine(set, [](uint64_t word, uint64_t marks) { return word | marks; });
  }
  void remove_from(filter::SlotSet& set) const {
    combine(set, [](uint64_t word, uint64_t marks) { return word & ~marks; });
  }
  filter::SlotSet slots(uint32_t slots) const {
    filter::SlotSet set(slots);
    add_to(set);
    return set;
  }

  uint64_t ram_bytes() const {
    uint64_t bytes = blocks_.capacity() * sizeof blocks_.front();
    for (const auto& block : blocks_) {
      bytes += block != nullptr ? sizeof(Block) : 0;
    }
    return bytes;
  }

 private:
  static constexpr uint32_t k_block_slots = 65536;
  using Block = std::array<uint64_t, k_block_slots / 64>;

  static size_t word_of(uint32_t slot) { return slot % k_block_slots / 64; }

  template <typename Combine>
  void combine(filter::SlotSet& set, const Combine& combine) const {
    for (size_t block = 0; block < blocks_.size(); ++block) {
      if (blocks_[block] != nullptr) {
        combine_words(set, block * (k_block_slots / 64), *blocks_[block], combine);
      }
    }
  }

  std::vector<std::unique_ptr<Block>> blocks_;
  uint64_t count_ = 0;
};

}  // namespace asyncstore::fields
