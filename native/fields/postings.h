// Which slots have which keys: pairs in order, and a bitmap for each key that many slots have.
#pragma once

#include <cstddef>
#include <cstdint>
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

  // Shows keys and how many slots have each, ascending.
  template <typename Visit>
  void for_each_key(KeyRange range, const Visit& visit) const;
  // The next pairs in ascending order of both, or in descending order, at most so many: from the
  // first of the range on, or from behind `last`, which need not be there any more. None when there
  // is no other. A slot stands once for each of its keys.
  std::vector<Pair> ascending(KeyRange range, std::optional<Pair> last, size_t most) const;
  std::vector<Pair> descending(KeyRange range, std::optional<Pair> last, size_t most) const;

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
void Postings::for_each_key(KeyRange range, const Visit& visit) const {
  if (range.empty()) {
    return;
  }
  auto [pair, pairs_end, bitmap, bitmaps_end] = span(range);
  while (pair != pairs_end || bitmap != bitmaps_end) {
    if (bitmap != bitmaps_end && (pair == pairs_end || bitmap->first < pairs_.key(pair))) {
      visit(bitmap->first, bitmap->second.count());
      ++bitmap;
      continue;
    }
    const uint64_t key = pairs_.key(pair);
    uint64_t slots = 0;
    for (; pair != pairs_end && pairs_.key(pair) == key; pair = pairs_.next(pair)) {
      ++slots;
    }
    visit(key, slots);
  }
}

}  // namespace asyncstore::fields
