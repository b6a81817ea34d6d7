// Slots by ranges of their keys.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

#include "fields/content.h"
#include "fields/keys.h"
#include "filter/slot_set.h"

namespace asyncstore::fields {

// Slots with a key in one of the ranges, which ascend, do not meet, and hold `inside` pairs in all;
// by way of the keys outside where these are fewer.
filter::SlotSet slots_within(const Content& content, std::span<const KeyRange> ranges,
                             uint64_t inside, uint32_t slots);

// Adds the slots of `candidates` that have several keys, one of which passes.
template <typename Passes>
void add_several(const Content& content, const filter::SlotSet& candidates, filter::SlotSet& set,
                 const Passes& passes) {
  if (content.column().several().count() == 0) {
    return;
  }
  filter::SlotSet several = content.column().several().slots(set.slots());
  several &= candidates;
  several.for_each([&](uint32_t slot) {
    const auto keys = content.column().keys(slot);
    if (std::any_of(keys.begin(), keys.end(), passes)) {
      set.add(slot);
    }
  });
}

}  // namespace asyncstore::fields
