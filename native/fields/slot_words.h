// Sets of slots as words of 64 bits, combined with a SlotSet.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "filter/slot_set.h"

namespace asyncstore::fields {

// Combines the words of the set from word `at` on with others by `combine(word, other)`; what lies
// beyond the set is passed over.
template <typename Combine>
void combine_words(filter::SlotSet& set, size_t at, std::span<const uint64_t> others,
                   const Combine& combine) {
  const std::span<uint64_t> words = set.words();
  if (at >= words.size()) {
    return;
  }
  const size_t count = std::min(others.size(), words.size() - at);
  for (size_t i = 0; i < count; ++i) {
    words[at + i] = combine(words[at + i], others[i]);
  }
  if (set.slots() % 64 != 0) {
    words.back() &= (uint64_t{1} << (set.slots() % 64)) - 1;
  }
}

}  // namespace asyncstore::fields
