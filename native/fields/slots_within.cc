#include "fields/slots_within.h"

namespace asyncstore::fields {

using filter::SlotSet;

namespace {

constexpr uint64_t k_check_pairs = 8;  // that are added in the time of checking a slot

bool is_within(std::span<const KeyRange> ranges, uint64_t key) {
  const auto behind =
      std::upper_bound(ranges.begin(), ranges.end(), key,
                       [](uint64_t k, const KeyRange& one) { return k < one.first; });
  return behind != ranges.begin() && (behind - 1)->contains(key);
}

// Slots with a key in none of the ranges.
SlotSet outside_of(const Postings& postings, std::span<const KeyRange> ranges, uint32_t slots) {
  SlotSet others(slots);
  uint64_t first = 0;  // that is not looked at yet
  for (const KeyRange& range : ranges) {
    if (range.first > first) {
      postings.add_to({first, range.first - 1}, others);
    }
    if (range.last == UINT64_MAX) {
      return others;
    }
    first = range.last + 1;
  }
  postings.add_to({first, UINT64_MAX}, others);
  return others;
}

}  // namespace

SlotSet slots_within(const Content& content, std::span<const KeyRange> ranges, uint64_t inside,
                     uint32_t slots) {
  const Postings& postings = content.postings();
  const uint64_t outside = postings.count() - inside;
  const uint64_t checked = std::min(outside, content.column().several().count());
  if (inside <= outside + k_check_pairs * checked) {
    SlotSet set(slots);
    for (const KeyRange& range : ranges) {
      postings.add_to(range, set);
    }
    return set;
  }
  const SlotSet others = outside_of(postings, ranges, slots);
  SlotSet set = content.column().valued().slots(slots);
  set -= others;
  add_several(content, others, set, [&](uint64_t key) { return is_within(ranges, key); });
  return set;
}

}  // namespace asyncstore::fields
