#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <random>
#include <set>

#include "fields/postings.h"
#include "fields/slot_marks.h"
#include "fields/terms.h"

using namespace asyncstore;
using fields::KeyRange;
using fields::Pair;
using fields::Postings;
using fields::Terms;
using filter::SlotSet;

namespace {

using Model = std::set<std::pair<uint64_t, uint32_t>>;

void check_range(const Postings& postings, const Model& model, KeyRange range, uint32_t slots) {
  std::vector<std::pair<uint64_t, uint32_t>> expected;
  SlotSet set(slots);
  for (auto pair = model.lower_bound({range.first, 0});
       pair != model.end() && pair->first <= range.last; ++pair) {
    expected.push_back(*pair);
    set.add(pair->second);
  }
  REQUIRE(postings.count(range) == expected.size());
  SlotSet found(slots);
  postings.add_to(range, found);
  REQUIRE((found == set));
  std::map<uint64_t, uint64_t> counts;
  for (const auto& pair : expected) {
    ++counts[pair.first];
  }
  uint64_t last_key = 0;
  postings.for_each_key(range, [&](uint64_t key, uint64_t count) {
    REQUIRE(key >= last_key);
    last_key = key;
    REQUIRE(counts.at(key) == count);
    counts.erase(key);
  });
  REQUIRE(counts.empty());
  for (const size_t part : {expected.size() + 1, 1 + expected.size() / 7}) {
    for (const bool up : {true, false}) {
      std::vector<std::pair<uint64_t, uint32_t>> shown;
      std::optional<fields::Pair> last;
      const auto next = [&] {
        return up ? postings.ascending(range, last, part) : postings.descending(range, last, part);
      };
      for (auto page = next(); !page.empty(); page = next()) {
        REQUIRE(page.size() <= part);
        for (const fields::Pair& pair : page) {
          shown.emplace_back(pair.key, pair.value);
        }
        last = page.back();
      }
      REQUIRE((shown == expected));
      std::reverse(expected.begin(), expected.end());
    }
  }
}

void check_ranges(const Postings& postings, const Model& model, std::mt19937_64& random,
                  uint64_t keys, uint32_t slots) {
  REQUIRE(postings.count() == model.size());
  check_range(postings, model, {}, slots);
  check_range(postings, model, KeyRange::none(), slots);
  for (int i = 0; i < 10; ++i) {
    const uint64_t first = random() % keys;
    const uint64_t last = i % 2 == 0 ? first : first + random() % keys;
    check_range(postings, model, {first, last}, i < 8 ? slots : slots / 3);
  }
}

}  // namespace

TEST_CASE("postings: they equal a set of pairs, with few and with many slots a key") {
  // Keys, of which small ones are frequent; slots up to several containers of a bitmap.
  for (const uint64_t keys : {1, 8, 300, 100'000}) {
    for (const uint32_t slots : {3000U, 200'000U}) {
      CAPTURE(keys);
      std::mt19937_64 random(keys);
      Postings postings;
      Model model;
      const auto change = [&](int changes, bool grow) {
        for (int i = 0; i < changes; ++i) {
          const uint64_t key = std::min(random() % keys, random() % keys);
          const auto slot = static_cast<uint32_t>(random() % slots);
          if (grow ? random() % 8 != 0 : random() % 8 == 0) {
            if (model.emplace(key, slot).second) {
              postings.add(key, slot);
            }
          } else if (!model.empty()) {
            const auto from = model.lower_bound({key, slot});
            const auto pair = from == model.end() ? *model.begin() : *from;
            model.erase(pair);
            postings.remove(pair.first, pair.second);
          }
        }
      };
      for (int round = 0; round < 6; ++round) {
        change(4000, round < 3);
        check_ranges(postings, model, random, keys, slots);
      }
      std::vector<Pair> pairs;
      for (const auto& [key, slot] : model) {
        pairs.push_back({key, slot});
      }
      std::stable_sort(pairs.begin(), pairs.end(),
                       [](const Pair& a, const Pair& b) { return a.value < b.value; });
      Postings filled;
      filled.fill(pairs);
      check_ranges(filled, model, random, keys, slots);
      while (!model.empty()) {
        const auto pair = random() % 2 == 0 ? *model.begin() : *model.rbegin();
        model.erase(pair);
        postings.remove(pair.first, pair.second);
        filled.remove(pair.first, pair.second);
      }
      check_ranges(postings, model, random, keys, slots);
      check_ranges(filled, model, random, keys, slots);
      CHECK(filled.ram_bytes() < 1000);
    }
  }
}

TEST_CASE("postings: ascending values fill the blocks") {
  Postings postings;
  for (uint32_t i = 0; i < 100'000; ++i) {
    postings.add(i, i);
  }
  CHECK(postings.ram_bytes() < 100'000 * 13);
}

TEST_CASE("postings: a frequent key takes little memory and is given back when it gets rare") {
  Postings postings;
  for (uint32_t slot = 0; slot < 100'000; ++slot) {
    postings.add(7, slot);
    postings.add(1000 + slot, slot);
  }
  const uint64_t both = postings.ram_bytes();
  CHECK(both < 100'000 * 14 + 40'000);
  for (uint32_t slot = 0; slot < 100'000; ++slot) {
    postings.remove(7, slot);
  }
  CHECK(postings.count(KeyRange::one(7)) == 0);
  CHECK(postings.ram_bytes() < both);
}

TEST_CASE("slot marks: they equal a set") {
  for (const uint64_t seed : {1, 2}) {
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    fields::SlotMarks marks;
    std::set<uint32_t> model;
    for (int i = 0; i < 5000; ++i) {
      const auto slot = static_cast<uint32_t>(random() % 300'000);
      const bool marked = random() % 3 > 0;
      marks.set(slot, marked);
      if (marked) {
        model.insert(slot);
      } else {
        model.erase(slot);
      }
      REQUIRE(marks.contains(slot) == marked);
    }
    CHECK(marks.count() == model.size());
    CHECK(!marks.contains(UINT32_MAX));
    for (const uint32_t slots : {1U, 63U, 64U, 65'536U, 100'001U, 400'000U}) {
      const SlotSet set = marks.slots(slots);
      std::vector<uint32_t> shown;
      set.for_each([&](uint32_t slot) { shown.push_back(slot); });
      const std::vector<uint32_t> expected(model.begin(), model.lower_bound(slots));
      REQUIRE((shown == expected));
      SlotSet rest(slots, SlotSet::Fill::all);
      marks.remove_from(rest);
      CHECK(rest.count() == slots - expected.size());
    }
  }
}

TEST_CASE("terms: they equal a map, and numbers are used again") {
  for (const uint64_t seed : {1, 2, 3}) {
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    Terms terms;
    std::map<std::string, uint32_t> model;  // texts in use, with their numbers
    bool kept = false;
    std::map<uint32_t, std::string> before;  // numbers that must keep their meaning
    for (int i = 0; i < 20'000; ++i) {
      // Many share the first eight bytes; some have zeros in them, or end in them.
      std::string text = random() % 2 == 0 ? "longer prefix " : "";
      text += std::to_string(random() % 900) + std::string(random() % 3, '\0');
      if (const auto used = model.find(text); used != model.end()) {
        REQUIRE(terms.find(text) == used->second);
        if (random() % 2 == 0) {
          terms.unuse(used->second);
          model.erase(used);
        }
      } else {
        REQUIRE((kept || !terms.find(text)));
        const uint32_t term = terms.find_or_add(text);
        terms.use(term);
        model[text] = term;
        REQUIRE((terms.text(term) == text));
      }
      for (const auto& [number, meant] : before) {
        REQUIRE((terms.text(number) == meant));
      }
      if (i % 1000 == 500) {
        terms.keep();
        kept = true;
        for (const auto& [used, number] : model) {
          if (before.size() < 50) {
            before[number] = used;
          }
        }
      } else if (i % 1000 == 900) {
        while (terms.release()) {
        }
        kept = false;
        before.clear();
      }
    }
    std::vector<std::string> shown;
    terms.ascending("5", [&](uint32_t term) {
      shown.emplace_back(terms.text(term));
      return true;
    });
    std::vector<std::string> expected;
    for (auto used = model.lower_bound("5"); used != model.end(); ++used) {
      expected.push_back(used->first);
    }
    CHECK((shown == expected));
    CHECK(terms.count() == model.size());
    CHECK(terms.numbers() < 5500);
  }
}

TEST_CASE("terms: many at once come into the order of their texts") {
  for (const uint64_t seed : {1, 2, 3, 4}) {
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    std::map<std::string, uint32_t> model;
    Terms terms;
    for (int i = 0; i < 5000; ++i) {
      // Long beginnings that many share, so that whole pieces of them are equal; zeros at the end.
      std::string text(random() % 3 == 0 ? random() % 700 : random() % 3, 'x');
      text += std::to_string(random() % 3000) + std::string(random() % 20, '\0');
      if (!model.contains(text)) {
        model[text] = terms.add(text);
        terms.use(model[text]);
      }
    }
    terms.order();
    auto expected = model.begin();
    terms.ascending({}, [&](uint32_t term) {
      REQUIRE(expected != model.end());
      REQUIRE((terms.text(term) == expected->first));
      REQUIRE(term == expected->second);
      ++expected;
      return true;
    });
    CHECK((expected == model.end()));
    for (const auto& [text, term] : model) {
      REQUIRE(terms.find(text) == term);
    }
  }
}
