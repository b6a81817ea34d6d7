// Which slots have which keys: pairs in order, and a bitmap for each key that many slots have.
#pragma once

#include <cstdint>
#include <iterator>
#include <map>
#include <optional>
#include <vector>

#include "fields/keys.h"
#include "fields/slot_bitmap.h"
#include "fields/sorted_pairs.h"
#include "filter/slot_set.h"

namespace asyncstore::fields {

// Not thread-safe; any number of threads may read while none writes.
class Postings {
 public:
  // A key of so many slots gets a bitmap, which is smaller and faster by then, the next time that
  // a block near it is split; one whose slots become few loses it.
  static constexpr uint32_t k_bitmap_min = 512;
  static constexpr uint32_t k_bitmap_lost = 256;

  // A pair stands here once; adding it twice or removing one that is not there is an error.
  void add(uint64_t key, uint32_t slot);
  void remove(uint64_t key, uint32_t slot);
  // Takes all pairs at once while there is none. They may come in any order as long as the slots
  // of a key ascend; `pairs` is sorted.
  void fill(std::vector<Pair>& pairs);

  uint64_t count() const { return count_; }
  uint64_t count(KeyRange range) const;
  // Ascending; nothing where they are more than `most`.
  std::optional<std::vector<uint32_t>> slots(uint64_t key, uint64_t most = UINT64_MAX) const;
  void add_to(KeyRange range, filter::SlotSet& set) const;

  // Shows pairs as visit(key, slot) in ascending order of both, or in descending order, until
  // visit() is false. A slot stands once for each of its keys.
  template <typename Visit>
  void ascending(KeyRange range, const Visit& visit) const;
  template <typename Visit>
  void descending(KeyRange range, const Visit& visit) const;

  uint64_t ram_bytes() const;

 private:
  using Bitmaps = std::map<uint64_t, SlotBitmap>;
  struct Span {
    SortedPairs::Position first;
    SortedPairs::Position last;
    Bitmaps::const_iterator first_bitmap;
    Bitmaps::const_iterator last_bitmap;
  };

  SortedPairs::Position position(uint64_t key, uint32_t slot) const;
  SortedPairs::Position position_behind(uint64_t key) const;
  Span span(KeyRange range) const;  // which is not empty
  void gather(uint64_t key);        // the key's pairs into a bitmap, if they are many
  void scatter(Bitmaps::iterator bitmap);

  SortedPairs pairs_;
  Bitmaps bitmaps_;  // of keys that are not in `pairs_`
  uint64_t count_ = 0;
};

template <typename Visit>
void Postings::ascending(KeyRange range, const Visit& visit) const {
  if (range.empty()) {
    return;
  }
  auto [first, last, bitmap, last_bitmap] = span(range);
  while (first != last || bitmap != last_bitmap) {
    if (bitmap == last_bitmap || (first != last && pairs_.key(first) < bitmap->first)) {
      if (!visit(pairs_.key(first), pairs_.value(first))) {
        return;
      }
      first = pairs_.next(first);
      continue;
    }
    for (const uint32_t slot : bitmap->second.slots()) {
      if (!visit(bitmap->first, slot)) {
        return;
      }
    }
    ++bitmap;
  }
}

template <typename Visit>
void Postings::descending(KeyRange range, const Visit& visit) const {
  if (range.empty()) {
    return;
  }
  auto [first, last, first_bitmap, bitmap] = span(range);
  while (first != last || bitmap != first_bitmap) {
    const bool pairs_left = first != last;
    const auto pair = pairs_left ? pairs_.previous(last) : last;
    if (bitmap == first_bitmap || (pairs_left && pairs_.key(pair) > std::prev(bitmap)->first)) {
      if (!visit(pairs_.key(pair), pairs_.value(pair))) {
        return;
      }
      last = pair;
      continue;
    }
    --bitmap;
    const std::vector<uint32_t> slots = bitmap->second.slots();
    for (auto slot = slots.rbegin(); slot != slots.rend(); ++slot) {
      if (!visit(bitmap->first, *slot)) {
        return;
      }
    }
  }
}

}  // namespace asyncstore::fields
