// A set of slots: a bit for each.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/assert.h"

namespace asyncstore::filter {

// Sets that are combined have the same number of slots. Bits at or beyond it are 0.
class SlotSet {
 public:
  enum class Fill : uint8_t { none, all };

  explicit SlotSet(uint32_t slots, Fill fill = Fill::none)
      : slots_(slots), words_((size_t{slots} + 63) / 64, fill == Fill::all ? ~uint64_t{0} : 0) {
    trim();
  }

  uint32_t slots() const { return slots_; }
  bool contains(uint32_t slot) const {
    return slot < slots_ && (words_[slot / 64] >> (slot % 64) & 1) != 0;
  }
  // Slots beyond the set are passed over: their points came after it was made.
  void add(uint32_t slot) {
    if (slot < slots_) {
      words_[slot / 64] |= uint64_t{1} << (slot % 64);
    }
  }
  void remove(uint32_t slot) {
    if (slot < slots_) {
      words_[slot / 64] &= ~(uint64_t{1} << (slot % 64));
    }
  }

  SlotSet& operator&=(const SlotSet& other) {
    ASSERT(slots_ == other.slots_);
    for (size_t i = 0; i < words_.size(); ++i) {
      words_[i] &= other.words_[i];
    }
    return *this;
  }
  SlotSet& operator|=(const SlotSet& other) {
    ASSERT(slots_ == other.slots_);
    for (size_t i = 0; i < words_.size(); ++i) {
      words_[i] |= other.words_[i];
    }
    return *this;
  }
  SlotSet& operator-=(const SlotSet& other) {
    ASSERT(slots_ == other.slots_);
    for (size_t i = 0; i < words_.size(); ++i) {
      words_[i] &= ~other.words_[i];
    }
    return *this;
  }
  void invert() {
    for (uint64_t& word : words_) {
      word = ~word;
    }
    trim();
  }

  uint64_t count() const {
    uint64_t count = 0;
    for (const uint64_t word : words_) {
      count += static_cast<uint64_t>(std::popcount(word));
    }
    return count;
  }
  // The first slot of the set from this one on; slots() when there is none.
  uint32_t next(uint32_t slot) const {
    for (size_t i = slot / 64; i < words_.size(); ++i) {
      const uint64_t word = i == slot / 64 ? words_[i] >> (slot % 64) << (slot % 64) : words_[i];
      if (word != 0) {
        return static_cast<uint32_t>(i * 64 + static_cast<size_t>(std::countr_zero(word)));
      }
    }
    return slots_;
  }
  // 64 slots a word, the lowest bit first. Who writes leaves bits beyond slots() alone.
  std::span<const uint64_t> words() const { return words_; }
  std::span<uint64_t> words() { return words_; }

  // The slots, ascending.
  template <typename Visit>
  void for_each(const Visit& visit) const {
    for (size_t i = 0; i < words_.size(); ++i) {
      for (uint64_t word = words_[i]; word != 0; word &= word - 1) {
        visit(static_cast<uint32_t>(i * 64 + static_cast<size_t>(std::countr_zero(word))));
      }
    }
  }

  friend bool operator==(const SlotSet&, const SlotSet&) = default;

 private:
  void trim() {
    if (slots_ % 64 != 0) {
      words_.back() &= (uint64_t{1} << (slots_ % 64)) - 1;
    }
  }

  uint32_t slots_;
  std::vector<uint64_t> words_;
};

}  // namespace asyncstore::filter
