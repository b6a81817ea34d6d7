#include "fields/postings.h"

#include <array>
#include <iterator>
#include <utility>

#include "base/assert.h"

namespace asyncstore::fields {

namespace {

// Sorts by key, keeping the order of pairs with one key: least digits first, digits that all pairs
// share left out. Several times as fast as a sort by comparing.
void sort_by_key(std::vector<Pair>& pairs) {
  constexpr uint32_t k_digit_bits = 11;
  constexpr uint32_t k_digits = (64 + k_digit_bits - 1) / k_digit_bits;
  constexpr uint64_t k_mask = (uint64_t{1} << k_digit_bits) - 1;
  std::vector<std::array<uint32_t, k_mask + 1>> counts(k_digits);
  for (const Pair& pair : pairs) {
    for (uint32_t digit = 0; digit < k_digits; ++digit) {
      ++counts[digit][pair.key >> (digit * k_digit_bits) & k_mask];
    }
  }
  std::vector<Pair> sorted(pairs.size());
  for (uint32_t digit = 0; digit < k_digits; ++digit) {
    const uint32_t shift = digit * k_digit_bits;
    auto& starts = counts[digit];
    if (pairs.empty() || starts[pairs.front().key >> shift & k_mask] == pairs.size()) {
      continue;
    }
    uint32_t start = 0;
    for (uint32_t& count : starts) {
      start += std::exchange(count, start);
    }
    for (const Pair& pair : pairs) {
      sorted[starts[pair.key >> shift & k_mask]++] = pair;
    }
    pairs.swap(sorted);
  }
}

}  // namespace

void Postings::add(uint64_t key, uint32_t slot) {
  ++count_;
  if (const auto bitmap = bitmaps_.find(key); bitmap != bitmaps_.end()) {
    const bool added = bitmap->second.add(slot);
    ASSERT(added);
    return;
  }
  if (pairs_.insert(position(key, slot), {key, slot})) {
    gather(key);
  }
}

void Postings::remove(uint64_t key, uint32_t slot) {
  --count_;
  if (const auto bitmap = bitmaps_.find(key); bitmap != bitmaps_.end()) {
    const bool removed = bitmap->second.remove(slot);
    ASSERT(removed);
    if (bitmap->second.count() < k_bitmap_lost) {
      scatter(bitmap);
    }
    return;
  }
  const auto found = position(key, slot);
  ASSERT(found != pairs_.end() && pairs_.key(found) == key && pairs_.value(found) == slot);
  pairs_.erase(found);
}

void Postings::fill(std::vector<Pair>& pairs) {
  ASSERT(count_ == 0);
  sort_by_key(pairs);
  count_ = pairs.size();
  std::vector<uint32_t> slots;
  for (size_t first = 0; first < pairs.size();) {
    const uint64_t key = pairs[first].key;
    size_t last = first + 1;
    while (last < pairs.size() && pairs[last].key == key) {
      ++last;
    }
    if (last - first < k_bitmap_min) {
      for (; first < last; ++first) {
        pairs_.append(pairs[first]);
      }
      continue;
    }
    slots.clear();
    for (; first < last; ++first) {
      slots.push_back(pairs[first].value);
    }
    bitmaps_.emplace_hint(bitmaps_.end(), key, SlotBitmap(slots));
  }
}

uint64_t Postings::count(KeyRange range) const {
  if (range.empty()) {
    return 0;
  }
  const Span found = span(range);
  uint64_t count = pairs_.count(found.first, found.last);
  for (auto bitmap = found.first_bitmap; bitmap != found.last_bitmap; ++bitmap) {
    count += bitmap->second.count();
  }
  return count;
}

std::optional<std::vector<uint32_t>> Postings::slots(uint64_t key, uint64_t most) const {
  if (const auto bitmap = bitmaps_.find(key); bitmap != bitmaps_.end()) {
    return bitmap->second.count() <= most ? std::optional(bitmap->second.slots()) : std::nullopt;
  }
  const auto first = position(key, 0);
  const auto last = position_behind(key);
  if (pairs_.count(first, last) > most) {
    return std::nullopt;
  }
  std::vector<uint32_t> slots;
  pairs_.for_each_run(first, last,
                      [&](auto, auto run) { slots.insert(slots.end(), run.begin(), run.end()); });
  return slots;
}

void Postings::add_to(KeyRange range, filter::SlotSet& set) const {
  if (range.empty()) {
    return;
  }
  const Span found = span(range);
  pairs_.for_each_run(found.first, found.last, [&](auto, auto slots) {
    for (const uint32_t slot : slots) {
      set.add(slot);
    }
  });
  for (auto bitmap = found.first_bitmap; bitmap != found.last_bitmap; ++bitmap) {
    bitmap->second.add_to(set);
  }
}

std::vector<Pair> Postings::ascending(KeyRange range, std::optional<Pair> last, size_t most) const {
  std::vector<Pair> page;
  if (range.empty()) {
    return page;
  }
  auto [pair, pairs_end, bitmap, bitmaps_end] = span(range);
  uint32_t from = 0;  // in the first bitmap
  if (last) {
    pair = position(last->key, last->value + 1);
    bitmap = bitmaps_.lower_bound(last->key);
    from = bitmap != bitmaps_end && bitmap->first == last->key ? last->value + 1 : 0;
  }
  while (page.size() < most && (pair != pairs_end || bitmap != bitmaps_end)) {
    if (bitmap == bitmaps_end || (pair != pairs_end && pairs_.key(pair) < bitmap->first)) {
      page.push_back({pairs_.key(pair), pairs_.value(pair)});
      pair = pairs_.next(pair);
      continue;
    }
    for (const uint32_t slot : bitmap->second.slots_from(from, most - page.size())) {
      page.push_back({bitmap->first, slot});
    }
    from = 0;
    ++bitmap;
  }
  return page;
}

std::vector<Pair> Postings::descending(KeyRange range, std::optional<Pair> last,
                                       size_t most) const {
  std::vector<Pair> page;
  if (range.empty()) {
    return page;
  }
  auto [pairs_begin, pair, bitmaps_begin, bitmap] = span(range);
  uint32_t below = UINT32_MAX;  // in the first bitmap
  if (last) {
    pair = position(last->key, last->value);
    bitmap = bitmaps_.upper_bound(last->key);
    below =
        bitmap != bitmaps_begin && std::prev(bitmap)->first == last->key ? last->value : UINT32_MAX;
  }
  while (page.size() < most && (pair != pairs_begin || bitmap != bitmaps_begin)) {
    const bool pairs_left = pair != pairs_begin;
    const auto next = pairs_left ? pairs_.previous(pair) : pair;
    if (bitmap == bitmaps_begin || (pairs_left && pairs_.key(next) > std::prev(bitmap)->first)) {
      page.push_back({pairs_.key(next), pairs_.value(next)});
      pair = next;
      continue;
    }
    --bitmap;
    const auto slots = bitmap->second.slots_below(below, most - page.size());
    for (auto slot = slots.rbegin(); slot != slots.rend(); ++slot) {
      page.push_back({bitmap->first, *slot});
    }
    below = UINT32_MAX;
  }
  return page;
}

uint64_t Postings::ram_bytes() const {
  constexpr uint64_t k_node_bytes = 64;
  uint64_t bytes = pairs_.ram_bytes();
  for (const auto& [key, bitmap] : bitmaps_) {
    bytes += bitmap.ram_bytes() + k_node_bytes;
  }
  return bytes;
}

SortedPairs::Position Postings::position(uint64_t key, uint32_t slot) const {
  return pairs_.find([&](uint64_t other, uint32_t value) {
    return other < key || (other == key && value < slot);
  });
}

SortedPairs::Position Postings::position_behind(uint64_t key) const {
  return pairs_.find([&](uint64_t other, uint32_t) { return other <= key; });
}

Postings::Span Postings::span(KeyRange range) const {
  return {position(range.first, 0), position_behind(range.last), bitmaps_.lower_bound(range.first),
          bitmaps_.upper_bound(range.last)};
}

void Postings::gather(uint64_t key) {
  const auto first = position(key, 0);
  const auto last = position_behind(key);
  if (pairs_.count(first, last) < k_bitmap_min) {
    return;
  }
  bitmaps_.emplace(key, SlotBitmap(*slots(key)));
  pairs_.erase(first, last);
}

void Postings::scatter(Bitmaps::iterator bitmap) {
  const uint64_t key = bitmap->first;
  const std::vector<uint32_t> slots = bitmap->second.slots();
  bitmaps_.erase(bitmap);
  for (const uint32_t slot : slots) {
    pairs_.insert(position(key, slot), {key, slot});
  }
}

}  // namespace asyncstore::fields
