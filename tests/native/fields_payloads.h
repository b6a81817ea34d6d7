// Random payloads for field indexes, random tests of them, and what is true of both.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <cstdio>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "fields/field_index.h"
#include "filter/matcher.h"
#include "filter/values.h"
#include "payload/token.h"
#include "payload_text.h"

namespace asyncstore::fields_test {

using fields::Flag;
using fields::Kind;

inline constexpr Kind k_all_kinds[] = {Kind::keyword,  Kind::integer, Kind::real, Kind::boolean,
                                       Kind::datetime, Kind::uuid,    Kind::geo,  Kind::text};

inline const text::Analyzer& test_analyzer() {
  static const text::Analyzer analyzer = text::Analyzer::make({.stopwords = {"22"}}).value();
  return analyzer;
}

inline fields::Schema schema_of(Kind kind, const std::string& path = "a") {
  fields::Schema schema{payload::path_of(path), path, kind};
  if (kind == Kind::text) {
    schema.analyzer = test_analyzer();
  }
  return schema;
}

inline fields::Values values_of(const fields::Schema& schema, const std::string& payload) {
  const auto outline =
      payload::Outline::parse(base::bytes_of(payload), filter::levels_for(schema.path),
                              payload::Outline::Root::object, "The payload");
  REQUIRE_MESSAGE(outline.ok(), payload);
  return fields::extract(schema, outline.value());
}

class Generator {
 public:
  // `wild`: values of all kinds everywhere, and extreme ones.
  Generator(Kind kind, uint64_t seed, bool wild) : kind_(kind), wild_(wild), random_(seed) {}

  uint64_t below(uint64_t limit) { return random_() % limit; }

  std::string payload() {
    switch (below(wild_ ? 12 : 6)) {
      case 0:
        return "{}";
      case 1:
        return R"({"a":[)" + value() + "," + value() + "," + value() + "]}";
      case 2:
        return below(2) == 0 ? R"({"a":null})" : R"({"a":[]})";
      case 6:
        return R"({"a":{"b":)" + value() + "}}";
      case 7:
        return R"({"a":[{"b":)" + value() + R"(},{"b":[)" + value() + "," + value() + "]}," +
               value() + "]}";
      case 8:
        return R"({"a":[null,)" + value() + "]}";
      case 9:
        return R"({"a":[[)" + value() + "]]}";
      default:
        return R"({"a":)" + value() + "}";
    }
  }

  filter::Test test() {
    switch (below(11)) {
      case 0:
      case 1:
        return filter::MatchAny{filter::ValueSet(scalars())};
      case 2:
      case 3:
        return filter::MatchExcept{filter::ValueSet(scalars())};
      case 4:
        return text_test();
      case 5:
        return filter::NumberRange{bounds<filter::Number>([&] { return number(); })};
      case 6:
        return filter::DatetimeRange{bounds<int64_t>([&] { return time(); })};
      case 7:
        return shape();
      case 8:
        return filter::ValuesCount{bounds<int64_t>([&] { return static_cast<int64_t>(below(4)); })};
      case 9:
        return filter::IsEmpty{below(2) == 0};
      default:
        return filter::IsNull{below(2) == 0};
    }
  }

  // One that the kind answers.
  filter::Test own_test() {
    switch (kind_) {
      case Kind::integer:
      case Kind::real:
        return filter::NumberRange{bounds<filter::Number>([&] { return number(); })};
      case Kind::datetime:
        return filter::DatetimeRange{bounds<int64_t>([&] { return time(); })};
      case Kind::geo:
        return shape();
      case Kind::text:
        return tokens_test(below(2) == 0 ? text::Query::Kind::all : text::Query::Kind::any);
      default:
        return below(2) == 0 ? filter::Test(filter::MatchAny{filter::ValueSet(scalars())})
                             : filter::Test(filter::MatchExcept{filter::ValueSet(scalars())});
    }
  }

 private:
  std::string value() {
    const Kind kind = wild_ && below(3) == 0 ? static_cast<Kind>(below(fields::k_kinds)) : kind_;
    if (wild_ && below(12) == 0) {
      constexpr const char* k_odd[] = {"null",         "[]",    "{}",    "[1]",
                                       R"({"lon":1})", "1e999", "-1e999"};
      return k_odd[below(std::size(k_odd))];
    }
    switch (kind) {
      case Kind::keyword:
        return payload::encode_string(word());
      case Kind::integer:
        return std::to_string(std::get<int64_t>(integer()));
      case Kind::real:
        return real_text();
      case Kind::boolean:
        return below(3) == 0 ? "true" : "false";
      case Kind::datetime:
        return datetime_text();
      case Kind::uuid:
        return '"' + uuid() + '"';
      case Kind::text:
        return payload::encode_string(word() + "-" + word());
      case Kind::geo:
        break;
    }
    return R"({"lon":)" + degrees(180) + R"(,"lat":)" + degrees(90) + "}";
  }

  std::string word() {
    constexpr const char* k_words[] = {"",
                                       "a",
                                       "red",
                                       "red wine",
                                       "green",
                                       "grün",
                                       "https://example.com/1",
                                       "https://example.com/22",
                                       "https://example.com/2",
                                       "blue"};
    // Some words are frequent, many are rare.
    return below(3) > 0 ? k_words[below(std::size(k_words))] : "word " + std::to_string(below(400));
  }
  filter::Number integer() {
    constexpr int64_t k_extreme[] = {INT64_MIN, INT64_MAX, -1, 0, (int64_t{1} << 53) + 1, 1};
    if (wild_ && below(6) == 0) {
      return k_extreme[below(std::size(k_extreme))];
    }
    const auto value = static_cast<int64_t>(below(3) == 0 ? below(5) : below(1000));
    return value - 50;
  }
  std::string real_text() {
    constexpr const char* k_extreme[] = {"9007199254740993",
                                         "9007199254740992",
                                         "-0.0",
                                         "1e300",
                                         "9223372036854775808",
                                         "-9223372036854775808",
                                         "4.0e0",
                                         "9007199254740991",
                                         "1e-320",
                                         "-1e300"};
    if (wild_ && below(4) == 0) {
      return k_extreme[below(std::size(k_extreme))];
    }
    return std::to_string((static_cast<double>(below(2000)) - 1000) / 8);
  }
  filter::Number number() {
    if (below(2) == 0) {
      return integer();
    }
    const auto number = filter::number_of(real_text());
    REQUIRE(number.has_value());
    return *number;
  }
  static constexpr int64_t k_day_us = 86'400'000'000;
  int64_t time() { return static_cast<int64_t>(below(40)) * k_day_us + (below(2) == 0 ? 0 : 1); }
  std::string datetime_text() {
    if (wild_ && below(4) == 0) {
      return R"("1970-13-01")";
    }
    char text[64];
    std::snprintf(text, sizeof text, R"("1970-01-%02dT00:00:00.%06d%s")",
                  static_cast<int>(below(30)) + 1, static_cast<int>(below(3)),
                  below(4) == 0 ? "+01:00" : "Z");
    return text;
  }
  std::string uuid() {
    const uint64_t number = below(3) == 0 ? below(4) : below(300);
    std::string text =
        points::PointId{true, number * 0x9E3779B97F4A7C15, 0xA0000000000000FF}.text();
    if (wild_ && below(3) == 0) {
      std::transform(text.begin(), text.end(), text.begin(),
                     [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    }
    return text;
  }
  std::string degrees(double limit) {
    if (below(20) == 0) {
      return below(2) == 0 ? std::to_string(limit) : std::to_string(-limit);
    }
    const double spread = below(2) == 0 ? limit : 2;  // all over the map, or near its middle
    return std::to_string((static_cast<double>(below(100'001)) / 50'000 - 1) * spread);
  }
  double coordinate(double limit) { return std::stod(degrees(limit)); }

  std::vector<filter::Scalar> scalars() {
    std::vector<filter::Scalar> scalars;
    const uint64_t count = below(6);
    for (uint64_t i = 0; i < count; ++i) {
      switch (wild_                    ? below(4)
              : kind_ == Kind::keyword ? 0
              : kind_ == Kind::uuid    ? 1
              : kind_ == Kind::boolean ? 2
                                       : 3) {
        case 0:
          scalars.emplace_back(word());
          break;
        case 1:
          scalars.emplace_back(uuid());
          break;
        case 2:
          scalars.emplace_back(below(2) == 0);
          break;
        default:
          scalars.emplace_back(std::get<int64_t>(integer()));
      }
    }
    return scalars;
  }
  filter::Test tokens_test(text::Query::Kind kind) {
    std::string text = word();
    for (uint64_t more = below(3); more > 0; --more) {
      text += " " + word();
    }
    return filter::MatchTokens::of(test_analyzer(), kind, text);
  }
  filter::Test text_test() {
    if (below(2) == 0) {
      return tokens_test(static_cast<text::Query::Kind>(below(3)));
    }
    constexpr filter::MatchText::Kind k_kinds[] = {
        filter::MatchText::Kind::whole, filter::MatchText::Kind::any,
        filter::MatchText::Kind::phrase, filter::MatchText::Kind::prefix};
    const std::string text = word();
    const auto kind = k_kinds[below(4)];
    return filter::MatchText{kind, text.substr(0, below(text.size() + 1)), {word(), word()}};
  }
  template <typename T, typename Draw>
  filter::Bounds<T> bounds(const Draw& draw) {
    filter::Bounds<T> bounds;
    for (auto* bound : {&bounds.gt, &bounds.gte, &bounds.lt, &bounds.lte}) {
      if (below(3) == 0) {
        *bound = draw();
      }
    }
    return bounds;
  }
  filter::Test shape() {
    const auto point = [&] { return filter::GeoPoint{coordinate(180), coordinate(90)}; };
    switch (below(3)) {
      case 0: {
        filter::GeoPoint a = point();
        filter::GeoPoint b = point();
        return filter::GeoBox{{a.lon, std::max(a.lat, b.lat)}, {b.lon, std::min(a.lat, b.lat)}};
      }
      case 1:
        return filter::GeoRadius{
            point(), static_cast<double>(below(2) == 0 ? below(300'000) : below(21'000'000))};
      default: {
        filter::GeoPolygon polygon{ring(point(), 20), {}};
        if (below(2) == 0) {
          polygon.interiors.push_back(ring(polygon.exterior.front(), 5));
        }
        return polygon;
      }
    }
  }
  filter::GeoPolygon::Ring ring(filter::GeoPoint around, double size) {
    filter::GeoPolygon::Ring ring;
    for (uint64_t i = 0, corners = 3 + below(5); i < corners; ++i) {
      ring.push_back(
          {around.lon + coordinate(180) / 180 * size, around.lat + coordinate(90) / 90 * size});
    }
    ring.push_back(ring.front());
    return ring;
  }

  const Kind kind_;
  const bool wild_;
  std::mt19937_64 random_;
};

// The payloads by slot.
using Model = std::map<uint32_t, std::string>;

class NoFacts : public filter::PointFacts {
 public:
  points::PointId id() const override { return {}; }
  bool has_vector(uint32_t) const override { return false; }
};

inline bool is_true(const payload::Path& path, const filter::Test& test,
                    const std::string& payload) {
  filter::Filter filter;
  filter.must.push_back({filter::FieldCondition{path, {test}}});
  const auto matches = filter::Matcher(filter).matches(base::bytes_of(payload), NoFacts());
  REQUIRE(matches.ok());
  return matches.value();
}

struct Checked {
  bool answered = false;
  uint64_t unsure = 0;  // slots
};

// Compares what the index says with what the payloads do.
inline Checked check_answer(const fields::FieldIndex& index, const Model& model,
                            const filter::Test& test, uint32_t slots) {
  const auto answer = index.answer(test, slots);
  if (!answer) {
    return {};
  }
  REQUIRE(answer->sure.slots() == slots);
  REQUIRE(answer->possible.slots() == slots);
  uint64_t possible = 0;
  uint64_t sure = 0;
  for (const auto& [slot, payload] : model) {
    if (slot >= slots) {
      break;
    }
    const bool truth = is_true(index.schema().path, test, payload);
    CAPTURE(slot);
    CAPTURE(payload);
    CAPTURE(test.index());
    REQUIRE((truth || !answer->sure.contains(slot)));
    REQUIRE((!truth || answer->possible.contains(slot)));
    REQUIRE((answer->possible.contains(slot) || !answer->sure.contains(slot)));
    sure += answer->sure.contains(slot);
    possible += answer->possible.contains(slot);
  }
  // Nothing but points.
  REQUIRE(answer->sure.count() == sure);
  REQUIRE(answer->possible.count() == possible);
  const auto estimate = index.estimate(test);
  REQUIRE((!estimate || *estimate >= possible));
  return {true, possible - sure};
}

// What a counter says in the end.
inline std::vector<fields::ValueCount> count_values(const fields::FieldIndex& index,
                                                    const filter::SlotSet* among, uint64_t limit) {
  fields::ValueCounter counter(among, limit);
  while (index.count(counter) || counter.sort()) {
  }
  return counter.take();
}

// Whether two indexes say the same of all tests.
inline void check_same(const fields::FieldIndex& a, const fields::FieldIndex& b, uint32_t slots,
                       uint64_t seed, int tests = 60) {
  REQUIRE(a.points() == b.points());
  Generator generator(a.schema().kind, seed, true);
  for (int i = 0; i < tests; ++i) {
    const filter::Test test = i % 2 == 0 ? generator.test() : generator.own_test();
    const auto left = a.answer(test, slots);
    const auto right = b.answer(test, slots);
    REQUIRE(left.has_value() == right.has_value());
    if (left) {
      CAPTURE(test.index());
      REQUIRE((left->sure == right->sure));
      REQUIRE((left->possible == right->possible));
    }
  }
}

}  // namespace asyncstore::fields_test
