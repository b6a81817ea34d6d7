#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "fields/slots_within.h"
#include "fields_payloads.h"

using namespace asyncstore;
using namespace asyncstore::fields_test;
using fields::Content;
using fields::Flag;
using fields::KeyRange;

namespace {

constexpr uint32_t k_slots = 3000;
constexpr uint64_t k_keys = 200;

// Some slots have no key, most have one, some have several.
void fill(Content& content, std::vector<std::vector<uint64_t>>& keys, std::mt19937_64& random) {
  for (uint32_t slot = 0; slot < k_slots; ++slot) {
    const size_t count = random() % 8 == 0 ? 0 : random() % 8 == 0 ? 3 : 1;
    fields::Values values;
    values.flags.add(Flag::present);
    while (values.keys.size() < count) {
      const uint64_t key = random() % 50 == 0 ? UINT64_MAX : random() % k_keys;
      if (std::find(values.keys.begin(), values.keys.end(), key) == values.keys.end()) {
        values.keys.push_back(key);
      }
    }
    std::sort(values.keys.begin(), values.keys.end());
    keys.push_back(values.keys);
    content.set(slot, values);
  }
}

// With gaps between them, or without.
std::vector<KeyRange> draw(std::mt19937_64& random) {
  std::vector<KeyRange> ranges;
  const uint64_t step = 1 + random() % 60;
  const bool wide = random() % 2 == 0;
  for (uint64_t first = random() % 3; first < k_keys;) {
    const uint64_t last = first + random() % step;
    ranges.push_back({first, last});
    first = last + 1 + (wide ? random() % 4 * (random() % step) : random() % 3 / 2);
  }
  if (random() % 2 == 0) {
    ranges.push_back({ranges.back().last + 1, UINT64_MAX});
  }
  return ranges;
}

}  // namespace

TEST_CASE("slots within ranges of keys, few or nearly all, as one by one") {
  std::mt19937_64 random(4);
  Content content(schema_of(Kind::integer));
  std::vector<std::vector<uint64_t>> keys;
  fill(content, keys, random);
  int nearly_all = 0;
  for (int round = 0; round < 300; ++round) {
    CAPTURE(round);
    const std::vector<KeyRange> ranges = draw(random);
    const auto inside = [&](uint64_t key) {
      return std::any_of(ranges.begin(), ranges.end(),
                         [&](const KeyRange& range) { return range.contains(key); });
    };
    uint64_t pairs = 0;
    for (const KeyRange& range : ranges) {
      pairs += content.postings().count(range);
    }
    nearly_all += pairs * 4 > content.postings().count() * 3 ? 1 : 0;
    const uint32_t slots = round % 2 == 0 ? k_slots : k_slots / 2 + 1;
    const auto set = fields::slots_within(content, ranges, pairs, slots);
    REQUIRE(set.slots() == slots);
    for (uint32_t slot = 0; slot < slots; ++slot) {
      REQUIRE(set.contains(slot) == std::any_of(keys[slot].begin(), keys[slot].end(), inside));
    }
  }
  CHECK(nearly_all > 30);
}
