#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "fields/field_index.h"
#include "fields/keys.h"
#include "fields_payloads.h"
#include "filter/number.h"

using namespace asyncstore;
using namespace asyncstore::fields_test;
using fields::FieldBuilder;
using fields::FieldIndex;

namespace {

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr int k_rounds = 8;
#else
constexpr int k_rounds = 30;
#endif

// Random changes of `slots` slots.
void change(FieldIndex& index, Model& model, Generator& generator, uint32_t slots, int changes) {
  for (int i = 0; i < changes; ++i) {
    const auto slot = static_cast<uint32_t>(generator.below(slots));
    if (generator.below(4) == 0) {
      index.remove(slot);
      model.erase(slot);
    } else {
      model[slot] = generator.payload();
      index.set(slot, values_of(index.schema(), model[slot]));
    }
  }
}

std::set<std::pair<uint64_t, uint32_t>> pairs_of(const fields::Schema& schema, const Model& model) {
  std::set<std::pair<uint64_t, uint32_t>> pairs;
  for (const auto& [slot, payload] : model) {
    for (const uint64_t key : values_of(schema, payload).keys) {
      pairs.emplace(key, slot);
    }
  }
  return pairs;
}

// The strings and the integers of 64 bits at the path.
std::set<filter::Scalar> keys_of(const fields::Schema& schema, const std::string& payload) {
  const auto outline =
      payload::Outline::parse(base::bytes_of(payload), filter::levels_for(schema.path),
                              payload::Outline::Root::object, "The payload");
  std::vector<uint32_t> found;
  filter::values_at(outline.value(), 0, schema.path, found);
  std::set<filter::Scalar> keys;
  filter::for_each_value(outline.value(), found, [&](uint32_t value) {
    const auto text = outline.value().text(value);
    if (filter::is_string(outline.value(), value)) {
      keys.insert(payload::decode_string(text));
    } else if (filter::is_number(outline.value(), value)) {
      if (const auto number = filter::number_of(text)) {
        if (const auto* integer = std::get_if<int64_t>(&*number)) {
          keys.insert(*integer);
        }
      }
    }
  });
  return keys;
}

}  // namespace

TEST_CASE("field index: what a point is grouped by, as its payload says, or nothing") {
  constexpr uint32_t k_slots = 200;
  for (const Kind kind : k_all_kinds) {
    for (const bool wild : {false, true}) {
      Generator generator(kind, 300 + static_cast<uint64_t>(kind), wild);
      FieldIndex index(schema_of(kind));
      Model model;
      change(index, model, generator, k_slots, 1000);
      uint32_t known = 0;
      for (uint32_t slot = 0; slot < k_slots + 10; ++slot) {
        const auto keys = index.group_keys(slot);
        if (keys) {
          ++known;
          REQUIRE(model.contains(slot));
          CAPTURE(model[slot]);
          CHECK(keys->size() <= 1);
          CHECK(std::set<filter::Scalar>(keys->begin(), keys->end()) ==
                keys_of(index.schema(), model[slot]));
        }
      }
      const bool knows = kind == Kind::keyword || kind == Kind::integer || kind == Kind::uuid;
      CHECK((known > 0) == knows);
    }
  }
}

TEST_CASE("field index: the points of groups, as the payloads say, or nothing") {
  constexpr uint32_t k_slots = 200;
  for (const Kind kind : k_all_kinds) {
    CAPTURE(static_cast<int>(kind));
    for (const bool wild : {false, true}) {
      Generator generator(kind, 500 + static_cast<uint64_t>(kind), wild);
      FieldIndex index(schema_of(kind));
      Model model;
      change(index, model, generator, k_slots, 1000);
      std::map<filter::Scalar, std::vector<uint32_t>> groups;
      for (const auto& [slot, payload] : model) {
        for (const filter::Scalar& key : keys_of(index.schema(), payload)) {
          groups[key].push_back(slot);
        }
      }
      std::vector<filter::Scalar> keys;
      uint32_t known = 0;
      for (const auto& [key, slots] : groups) {
        keys.push_back(key);
        const auto found = index.slots_of_groups({&key, 1}, k_slots);
        REQUIRE(found.size() == 1);
        if (found[0]) {
          ++known;
          CHECK(*found[0] == slots);
        }
        const auto few = index.slots_of_groups({&key, 1}, slots.size() - 1);
        CHECK_FALSE(few[0].has_value());
      }
      const bool holds = kind == Kind::keyword || kind == Kind::integer || kind == Kind::uuid;
      CHECK((known > 0) == holds);
      if (known == groups.size() && holds) {
        CHECK(index.groups_are_among(keys));
      }
      for (size_t i = 0; i < keys.size(); ++i) {
        auto others = keys;
        others.erase(others.begin() + static_cast<ptrdiff_t>(i));
        CHECK_FALSE(index.groups_are_among(others));
      }
    }
  }
  CHECK(FieldIndex(schema_of(Kind::integer)).groups_are_among({}));
}

TEST_CASE("field index: every answer fits the payloads, through changes") {
  for (const Kind kind : k_all_kinds) {
    for (const char* path : {"a", "a[]", "a.b", "a[].b"}) {
      const uint64_t seed = 17 * static_cast<uint64_t>(kind) + std::string(path).size();
      CAPTURE(seed);
      CAPTURE(path);
      CAPTURE(static_cast<int>(kind));
      Generator generator(kind, seed, true);
      FieldIndex index(schema_of(kind, path));
      Model model;
      for (int round = 0; round < k_rounds; ++round) {
        change(index, model, generator, 200, 60);
        for (int i = 0; i < 8; ++i) {
          check_answer(index, model, generator.test(), 200);
          check_answer(index, model, generator.own_test(), 100);
        }
      }
      for (uint32_t slot = 0; slot < 200; ++slot) {
        index.remove(slot);
      }
      model.clear();
      CHECK(index.points() == 0);
      for (int i = 0; i < 50; ++i) {
        check_answer(index, model, generator.test(), 300);
      }
    }
  }
}

TEST_CASE("field index: values of its own kind alone are answered exactly") {
  constexpr uint32_t k_slots = 2500;  // enough for bitmaps
  for (const Kind kind : k_all_kinds) {
    const uint64_t seed = 100 + static_cast<uint64_t>(kind);
    CAPTURE(seed);
    CAPTURE(static_cast<int>(kind));
    Generator generator(kind, seed, false);
    FieldIndex index(schema_of(kind));
    Model model;
    change(index, model, generator, k_slots, 6000);
    uint64_t unsure = 0;
    for (int round = 0; round < 2; ++round) {
      for (int i = 0; i < k_rounds / 2; ++i) {
        const Checked checked = check_answer(index, model, generator.own_test(), k_slots);
        CHECK(checked.answered);
        CHECK((kind == Kind::geo || checked.unsure == 0));
        unsure += checked.unsure;
      }
      for (const bool wanted : {false, true}) {
        CHECK(check_answer(index, model, filter::IsEmpty{wanted}, k_slots).unsure == 0);
        CHECK(check_answer(index, model, filter::IsNull{wanted}, k_slots).unsure == 0);
      }
      // The second round: after most points are gone.
      for (uint32_t slot = 0; slot < k_slots && round == 0; ++slot) {
        if (slot % 8 != 0) {
          index.remove(slot);
          model.erase(slot);
        }
      }
    }
    CHECK(unsure < 200);
    uint64_t valued = 0;
    for (const auto& [slot, payload] : model) {
      const auto values = values_of(index.schema(), payload);
      valued += kind == Kind::text ? values.flags.has(Flag::foreign_text)
                                   : !values.keys.empty() || !values.terms.empty();
    }
    CHECK(index.points() == valued);
  }
}

TEST_CASE("field index: built at once it is the same as built one by one") {
  for (const Kind kind : k_all_kinds) {
    const uint64_t seed = 200 + static_cast<uint64_t>(kind);
    CAPTURE(seed);
    Generator generator(kind, seed, kind != Kind::boolean);
    FieldIndex single(schema_of(kind));
    FieldBuilder builder(schema_of(kind));
    for (int i = 0; i < 4000; ++i) {
      const auto slot = static_cast<uint32_t>(generator.below(3000));
      const auto values = values_of(single.schema(), generator.payload());
      single.set(slot, values);
      builder.set(slot, values);
    }
    const auto built = builder.build();
    check_same(single, *built, 3000, seed);
    // Both go on alike.
    for (int i = 0; i < 2000; ++i) {
      const auto slot = static_cast<uint32_t>(generator.below(3000));
      const auto values = values_of(single.schema(), generator.payload());
      single.set(slot, values);
      built->set(slot, values);
    }
    check_same(single, *built, 3000, seed + 1);
  }
}

TEST_CASE("field index: what is not looked up or ranged over is not answered") {
  FieldIndex lookup({payload::path_of("a"), "a", Kind::integer, true, false});
  FieldIndex range({payload::path_of("a"), "a", Kind::integer, false, true});
  const filter::Test match = filter::MatchAny{filter::ValueSet({int64_t{1}})};
  const filter::Test between = filter::NumberRange{{int64_t{1}, {}, {}, {}}};
  CHECK(lookup.answer(match, 10).has_value());
  CHECK(!lookup.answer(between, 10).has_value());
  CHECK(!range.answer(match, 10).has_value());
  CHECK(range.answer(between, 10).has_value());
  CHECK(!fields::has_order(lookup.schema()));
  CHECK(!fields::has_counts(range.schema()));
}

TEST_CASE("field index: values in order") {
  for (const Kind kind : {Kind::integer, Kind::real, Kind::datetime}) {
    const uint64_t seed = 300 + static_cast<uint64_t>(kind);
    CAPTURE(seed);
    Generator generator(kind, seed, true);
    FieldIndex index(schema_of(kind));
    Model model;
    change(index, model, generator, 2000, 5000);
    const auto pairs = pairs_of(index.schema(), model);
    for (int i = 0; i < 20; ++i) {
      fields::Order order{.descending = i % 2 == 0};
      const auto from =
          std::next(pairs.begin(), static_cast<ptrdiff_t>(generator.below(pairs.size())));
      const auto value_of = [&](uint64_t key) {
        return kind == Kind::real ? filter::Number(fields::real_of(key))
                                  : filter::Number(fields::integer_of(key));
      };
      if (i % 3 > 0) {
        order.from = value_of(from->first);
      }
      filter::SlotSet among(2000);
      for (uint32_t slot = 0; slot < 2000; slot += 1 + static_cast<uint32_t>(i) % 4) {
        among.add(slot);
      }
      std::vector<std::pair<uint64_t, uint32_t>> expected;
      for (const auto& pair : pairs) {
        const bool in_range = !order.from || (order.descending ? pair.first <= from->first
                                                               : pair.first >= from->first);
        if (in_range && (i < 4 || among.contains(pair.second))) {
          expected.push_back(pair);
        }
      }
      if (order.descending) {
        std::reverse(expected.begin(), expected.end());
      }
      size_t shown = 0;
      fields::OrderWalk walk(kind, order);
      const size_t part = 1 + random() % 700;
      for (auto page = index.next(walk, part); !page.empty(); page = index.next(walk, part)) {
        REQUIRE(page.size() <= part);
        for (const fields::Pair& pair : page) {
          if (i < 4 || among.contains(pair.value)) {
            REQUIRE(shown < expected.size());
            CHECK(walk.value(pair.key) == value_of(expected[shown].first));
            CHECK(pair.value == expected[shown].second);
            ++shown;
          }
        }
      }
      CHECK(shown == expected.size());
    }
  }
}

TEST_CASE("field index: values and how many slots have them") {
  for (const Kind kind : {Kind::keyword, Kind::integer, Kind::uuid, Kind::boolean}) {
    const uint64_t seed = 400 + static_cast<uint64_t>(kind);
    CAPTURE(seed);
    Generator generator(kind, seed, true);
    FieldIndex index(schema_of(kind));
    Model model;
    change(index, model, generator, 2000, 5000);
    for (const uint32_t step : {0, 1, 3, 50}) {
      filter::SlotSet among(2000);
      std::map<filter::Scalar, uint64_t> counts;
      for (const auto& [slot, payload] : model) {
        if (step > 0 && slot % step != 0) {
          continue;
        }
        among.add(slot);
        const auto values = values_of(index.schema(), payload);
        for (const std::string& term : values.terms) {
          ++counts[kind == Kind::uuid ? fields::uuid_text(term) : term];
        }
        for (const uint64_t key : values.keys) {
          ++counts[kind == Kind::boolean ? filter::Scalar(key == 1)
                                         : filter::Scalar(fields::integer_of(key))];
        }
      }
      std::vector<std::pair<filter::Scalar, uint64_t>> expected(counts.begin(), counts.end());
      std::stable_sort(expected.begin(), expected.end(),
                       [](const auto& a, const auto& b) { return a.second > b.second; });
      for (const uint64_t limit : {uint64_t{0}, uint64_t{5}, UINT64_MAX}) {
        const auto found = count_values(index, step == 0 ? nullptr : &among, limit);
        REQUIRE(found.size() == std::min<uint64_t>(limit, expected.size()));
        for (size_t i = 0; i < found.size(); ++i) {
          CHECK(found[i].value == expected[i].first);
          CHECK(found[i].slots == expected[i].second);
        }
      }
    }
  }
}

TEST_CASE("field index: values are counted while the index changes") {
  // Of 40,000 points the first half stays as it is. Of the others 200 each share a value, until
  // each gets one of its own between two parts, which takes the number of a term that is gone.
  constexpr uint32_t k_slots = 40'000;
  const auto value = [](uint32_t number) {
    fields::Values values = fields::values_of_nothing();
    values.terms = {"v" + std::to_string(number)};
    return values;
  };
  for (const uint32_t step : {1, 20}) {
    for (const bool all : {false, true}) {
      FieldIndex index(schema_of(Kind::keyword));
      filter::SlotSet among(k_slots);
      for (uint32_t slot = 0; slot < k_slots; ++slot) {
        index.set(slot, value(slot < k_slots / 2 ? slot % 14000 : 100'000 + slot / 200));
        if (slot % step == 0) {
          among.add(slot);
        }
      }
      uint32_t moved = k_slots / 2;
      fields::ValueCounter counter(all ? nullptr : &among, UINT64_MAX);
      uint32_t parts = 0;
      for (; index.count(counter); ++parts) {
        for (const uint32_t end = std::min(moved + 1000, k_slots); moved < end; ++moved) {
          index.set(moved, value(200'000 + moved));
        }
      }
      CHECK(parts > 1);
      while (counter.sort()) {
      }
      std::map<filter::Scalar, uint64_t> expected;
      for (uint32_t slot = 0; slot < k_slots / 2; ++slot) {
        if (all || slot % step == 0) {
          ++expected[filter::Scalar("v" + std::to_string(slot % 14000))];
        }
      }
      std::map<filter::Scalar, uint64_t> steady;
      for (const auto& found : counter.take()) {
        const std::string& text = std::get<std::string>(found.value);
        if (text.size() <= 6) {
          CHECK(steady.emplace(found.value, found.slots).second);
        }
        CHECK((text[1] != '2' || text.size() <= 6 || found.slots == 1));
      }
      CHECK(steady == expected);
    }
  }
}

TEST_CASE("field index: memory stays bounded while terms come and go") {
  FieldIndex index(schema_of(Kind::keyword));
  uint64_t early = 0;
  for (uint32_t i = 0; i < 40'000; ++i) {
    fields::Values values = fields::values_of_nothing();
    values.terms = {"term number " + std::to_string(i)};
    index.set(i % 500, values);
    early = i == 2000 ? index.ram_bytes() : early;
  }
  CHECK(index.ram_bytes() <= early * 3 / 2);
  CHECK(count_values(index, nullptr, UINT64_MAX).size() == 500);
}

TEST_CASE("field index: many values in one point") {
  for (const Kind kind : {Kind::keyword, Kind::integer}) {
    FieldIndex index(schema_of(kind));
    std::string array = "[";
    for (int i = 0; i < 20'000; ++i) {
      const std::string number = std::to_string(i % 15'000);
      array += (i > 0 ? "," : "") + (kind == Kind::keyword ? '"' + number + '"' : number);
    }
    Model model = {{3, R"({"a":)" + array + "]}"}, {5, R"({"a":7})"}};
    for (const auto& [slot, payload] : model) {
      index.set(slot, values_of(index.schema(), payload));
    }
    check_answer(index, model, filter::MatchAny{filter::ValueSet({int64_t{14'999}})}, 8);
    check_answer(index, model, filter::MatchAny{filter::ValueSet({std::string("14999")})}, 8);
    check_answer(index, model, filter::MatchExcept{filter::ValueSet({int64_t{7}})}, 8);
    index.remove(3);
    model.erase(3);
    check_answer(index, model, filter::MatchExcept{filter::ValueSet({int64_t{7}})}, 8);
  }
}

TEST_CASE("field index: readers and the writer at once") {
  FieldIndex index(schema_of(Kind::keyword));
  std::atomic<bool> stop = false;
  // Points 0 … 99 always hold "stays", and nothing else does.
  for (uint32_t slot = 0; slot < 100; ++slot) {
    index.set(slot, values_of(index.schema(), R"({"a":["stays","x"]})"));
  }
  const auto read = [&] {
    const filter::Test test = filter::MatchAny{filter::ValueSet({std::string("stays")})};
    while (!stop) {
      const auto answer = index.answer(test, 2000);
      CHECK(answer->sure.count() == 100);
      CHECK(answer->possible.count() == 100);
      CHECK(count_values(index, nullptr, 1000).size() >= 2);
      index.ram_bytes();
    }
  };
  std::thread first(read);
  std::thread second(read);
  std::mt19937_64 random(5);
  for (int i = 0; i < 3000; ++i) {
    fields::Values values = fields::values_of_nothing();
    values.terms = {"w" + std::to_string(random() % 50)};
    index.set(static_cast<uint32_t>(100 + random() % 1500), values);
    if (i % 10 == 0) {
      index.remove(static_cast<uint32_t>(100 + random() % 1500));
    }
  }
  stop = true;
  first.join();
  second.join();
}

TEST_CASE("field index: tokens are answered for the index's own rules alone") {
  FieldIndex index(schema_of(Kind::text));
  index.set(0, values_of(index.schema(), R"({"a":["red fox",7]})"));
  index.set(1, values_of(index.schema(), R"({"a":"fox red"})"));
  using QueryKind = text::Query::Kind;
  const auto query = [](QueryKind kind, const char* text) {
    return filter::MatchTokens::of(test_analyzer(), kind, text);
  };
  const auto phrase = index.answer(query(QueryKind::phrase, "red fox"), 2);
  REQUIRE(phrase.has_value());
  CHECK(phrase->possible.count() == 2);
  CHECK(phrase->sure.count() == 0);
  CHECK(index.answer(query(QueryKind::phrase, "fox"), 2)->sure.count() == 2);
  CHECK(index.answer(query(QueryKind::phrase, "fox fox"), 2)->possible.count() == 2);
  CHECK(index.answer(query(QueryKind::all, "fox cat"), 2)->possible.count() == 0);
  CHECK(index.answer(query(QueryKind::any, ""), 2)->possible.count() == 0);
  CHECK(index.estimate(query(QueryKind::any, "fox red")) == 2);
  CHECK(index.estimate(query(QueryKind::all, "fox cat")) == 0);
  const auto others = text::Analyzer::make({.lowercase = false}).value();
  CHECK(!index.answer(filter::MatchTokens::of(others, QueryKind::all, "fox"), 2).has_value());
  CHECK(!index.answer(filter::MatchText{filter::MatchText::Kind::whole, "fox"}, 2).has_value());
  CHECK(!index.answer(filter::MatchAny{filter::ValueSet({std::string("fox")})}, 2).has_value());
  CHECK(index.points() == 2);
}

TEST_CASE("field index: all tokens of a query, whichever way they are looked up") {
  FieldIndex index(schema_of(Kind::text));
  Model model;
  for (uint32_t slot = 0; slot < 4000; ++slot) {
    std::string text = "every";
    text += slot % 2 == 0 ? " even" : " odd";
    text += slot % 3 == 0 ? " third" : "";
    text += slot % 1000 == 7 ? " rare" : "";
    model[slot] = R"({"a":")" + text + "\"}";
    index.set(slot, values_of(index.schema(), model[slot]));
  }
  for (const char* wanted : {"every", "every even", "even third", "rare odd", "rare every even odd",
                             "even odd", "rare third every", "rare rare"}) {
    for (const auto kind : {text::Query::Kind::all, text::Query::Kind::any}) {
      const auto test = filter::MatchTokens::of(test_analyzer(), kind, wanted);
      const Checked checked = check_answer(index, model, test, 4000);
      CHECK(checked.answered);
      CHECK(checked.unsure == 0);
    }
  }
}
