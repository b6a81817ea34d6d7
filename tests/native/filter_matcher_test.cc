// What a filter says of a payload, without indexes.
#include <doctest/doctest.h>

#include <limits>
#include <string>
#include <vector>

#include "filter/datetime.h"
#include "filter/matcher.h"
#include "filter/values.h"

using namespace asyncstore;
using namespace asyncstore::filter;

namespace {

class Facts final : public PointFacts {
 public:
  points::PointId id() const override { return points::PointId::integer(7); }
  bool has_vector(uint32_t number) const override { return number == 1; }
};

Condition field(const char* path, Test test) {
  return {FieldCondition{payload::Path::parse(path).value(), {std::move(test)}}};
}

bool passes(const Filter& filter, const std::string& payload) {
  Matcher matcher(filter);
  const auto result = matcher.matches(std::as_bytes(std::span(payload)), Facts());
  REQUIRE(result.ok());
  return result.value();
}

bool holds(const char* path, Test test, const std::string& payload) {
  return passes({{field(path, std::move(test))}, {}, {}, {}}, payload);
}

Test any(std::vector<Scalar> values) {
  return MatchAny{ValueSet(values)};
}
Test except(std::vector<Scalar> values) {
  return MatchExcept{ValueSet(values)};
}
std::string string_of(const char* value) {
  return value;
}
Test count(std::optional<int64_t> gte, std::optional<int64_t> lte) {
  return ValuesCount{{{}, gte, {}, lte}};
}

}  // namespace

TEST_CASE("filter: values match without being taken for another kind") {
  CHECK(holds("a", any({int64_t{5}}), R"({"a": 5})"));
  CHECK_FALSE(holds("a", any({int64_t{5}}), R"({"a": 5.0})"));
  CHECK_FALSE(holds("a", any({int64_t{5}}), R"({"a": "5"})"));
  CHECK_FALSE(holds("a", any({int64_t{1}}), R"({"a": true})"));
  CHECK(holds("a", any({true}), R"({"a": true})"));
  CHECK(holds("a", any({string_of("é\"")}), R"({"a": "\u00e9\""})"));
  CHECK_FALSE(holds("a", any({string_of("x")}), R"({"b": "x"})"));
  CHECK_FALSE(holds("a", any({}), R"({"a": 1})"));
  CHECK_FALSE(holds("a", any({int64_t{5}}), R"({"a": 99999999999999999999999})"));
}

TEST_CASE("filter: arrays are flattened one level") {
  CHECK(holds("a", any({int64_t{2}}), R"({"a": [1, 2]})"));
  CHECK(holds("a[]", any({int64_t{2}}), R"({"a": [1, 2]})"));
  CHECK_FALSE(holds("a", any({int64_t{2}}), R"({"a": [[1, 2]]})"));
  CHECK(holds("a[].b", any({int64_t{2}}), R"({"a": [{"b": 1}, {"b": [2]}]})"));
  CHECK_FALSE(holds("a.b", any({int64_t{2}}), R"({"a": [{"b": 2}]})"));
  CHECK(holds("a[1].b", any({int64_t{2}}), R"({"a": [{"b": 1}, {"b": 2}]})"));
  CHECK_FALSE(holds("a[0].b", any({int64_t{2}}), R"({"a": [{"b": 1}, {"b": 2}]})"));
  CHECK(holds("\"x.y\"", any({int64_t{2}}), R"({"x.y": 2})"));
}

TEST_CASE("filter: except wants a value that is not null and not listed") {
  CHECK(holds("a", except({string_of("x")}), R"({"a": "y"})"));
  CHECK(holds("a", except({string_of("x")}), R"({"a": 3})"));
  CHECK(holds("a", except({string_of("x")}), R"({"a": ["x", "y"]})"));
  CHECK_FALSE(holds("a", except({string_of("x")}), R"({"a": ["x", null]})"));
  CHECK_FALSE(holds("a", except({string_of("x")}), R"({"a": null})"));
  CHECK_FALSE(holds("a", except({string_of("x")}), R"({})"));
  CHECK(holds("a", except({}), R"({"a": {}})"));
}

TEST_CASE("filter: text is a part of a string") {
  using Kind = MatchText::Kind;
  CHECK(holds("a", MatchText{Kind::whole, "ell"}, R"({"a": "Hello"})"));
  CHECK_FALSE(holds("a", MatchText{Kind::whole, "ELL"}, R"({"a": "Hello"})"));
  CHECK_FALSE(holds("a", MatchText{Kind::whole, "1"}, R"({"a": 1})"));
  CHECK(holds("a", MatchText{Kind::prefix, "He"}, R"({"a": ["x", "Hello"]})"));
  CHECK_FALSE(holds("a", MatchText{Kind::prefix, "el"}, R"({"a": "Hello"})"));
  CHECK(holds("a", MatchText{Kind::any, "no lo", {"no", "lo"}}, R"({"a": "Hello"})"));
  CHECK_FALSE(holds("a", MatchText{Kind::any, " ", {}}, R"({"a": "Hello"})"));
}

TEST_CASE("filter: numbers are compared by their values, exactly") {
  const auto above = [](Number bound) { return NumberRange{{bound, {}, {}, {}}}; };
  CHECK(holds("a", above(int64_t{5}), R"({"a": 5.5})"));
  CHECK_FALSE(holds("a", above(5.0), R"({"a": 5})"));
  CHECK(holds("a", above(9007199254740992.0), R"({"a": 9007199254740993})"));
  CHECK_FALSE(holds("a", above(9223372036854775808.0), R"({"a": 9223372036854775807})"));
  CHECK(holds("a", above(int64_t{5}), R"({"a": 1e300})"));
  CHECK_FALSE(holds("a", above(int64_t{5}), R"({"a": "6"})"));
  CHECK_FALSE(holds("a", NumberRange{}, R"({"a": [null, true, "1"]})"));
  CHECK(holds("a", NumberRange{}, R"({"a": -0.0})"));
  CHECK(compare(int64_t{-1}, -0.5) < 0);
  CHECK(compare(-0.5, int64_t{-1}) > 0);
  CHECK(compare(int64_t{0}, -0.0) == 0);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(compare(int64_t{0}, nan) == std::partial_ordering::unordered);
}

TEST_CASE("filter: points in time") {
  constexpr int64_t k_day_us = int64_t{86'400} * 1'000'000;
  CHECK(parse_datetime("1970-01-02") == k_day_us);
  CHECK(parse_datetime("1970-01-02T00:00:00Z") == k_day_us);
  CHECK(parse_datetime("1970-01-02 02:00+02:00") == k_day_us);
  CHECK(parse_datetime("1970-01-01t22:30:00.5-01:30") == k_day_us + 500'000);
  CHECK(parse_datetime("1969-12-31T23:59:59.9999999") == -1);
  CHECK(parse_datetime("2024-02-29") == int64_t{19'782} * k_day_us);
  for (const char* wrong :
       {"", "1970", "1970-1-2", "1970-01-32", "2023-02-29", "1970-01-02T", "1970-01-02T24:00",
        "1970-01-02T00:00:60Z", "1970-01-02T00:00:00+0200", "1970-01-02Z", "19700102",
        "1970-01-02T00:00:00.Z", "1970-01-02 01:00 PM", "86400", "1970-01-02T00:00:00Z "}) {
    CAPTURE(wrong);
    CHECK_FALSE(parse_datetime(wrong).has_value());
  }
  const DatetimeRange first_day{{{}, 0, k_day_us, {}}};
  CHECK(holds("a", first_day, R"({"a": ["soon", "1970-01-01T12:00"]})"));
  CHECK_FALSE(holds("a", first_day, R"({"a": "1970-01-02"})"));
  CHECK_FALSE(holds("a", first_day, R"({"a": 0})"));
}

TEST_CASE("filter: counts, emptiness and null look at values as they stand") {
  CHECK(holds("a", count(2, 2), R"({"a": [1, [2, 3]]})"));
  CHECK(holds("a", count(0, 0), R"({"a": null})"));
  CHECK(holds("a", count(0, 0), R"({})"));
  CHECK(holds("a", count(1, 1), R"({"a": {}})"));
  CHECK(holds("a[].b", count(3, {}), R"({"a": [{"b": [1]}, {"b": [1, 2, 3]}]})"));
  CHECK_FALSE(holds("a[].b", count(4, {}), R"({"a": [{"b": [1]}, {"b": [1, 2, 3]}]})"));
  for (const char* empty : {R"({})", R"({"a": null})", R"({"a": []})"}) {
    CAPTURE(empty);
    CHECK(holds("a", IsEmpty{true}, empty));
    CHECK_FALSE(holds("a", IsEmpty{false}, empty));
  }
  CHECK_FALSE(holds("a", IsEmpty{true}, R"({"a": [null]})"));
  CHECK(holds("a[]", IsEmpty{true}, R"({"a": [null]})"));
  CHECK(holds("a[].b", IsEmpty{true}, R"({"a": [{"b": null}, {"b": []}]})"));
  CHECK(holds("a", IsNull{true}, R"({"a": null})"));
  CHECK_FALSE(holds("a", IsNull{true}, R"({"a": [null]})"));
  CHECK(holds("a[]", IsNull{true}, R"({"a": [1, null]})"));
  CHECK(holds("a", IsNull{false}, R"({})"));
}

TEST_CASE("filter: places") {
  const GeoBox across{{170, 10}, {-170, -10}};  // the antimeridian
  CHECK(holds("a", across, R"({"a": {"lon": 175, "lat": 0}})"));
  CHECK(holds("a", across, R"({"a": {"lon": -170, "lat": 10}})"));
  CHECK_FALSE(holds("a", across, R"({"a": {"lon": 0, "lat": 0}})"));
  CHECK_FALSE(holds("a", across, R"({"a": {"lon": 175}})"));
  CHECK_FALSE(holds("a", across, R"({"a": {"lon": 185, "lat": 0}})"));
  CHECK(geo_distance({13.4, 52.5}, {2.35, 48.86}) == doctest::Approx(878'000).epsilon(0.01));
  const GeoRadius near{{13.4, 52.5}, 1000};
  CHECK(holds("a", near, R"({"a": [{"lon": 0, "lat": 0}, {"lon": 13.401, "lat": 52.5}]})"));
  CHECK_FALSE(holds("a", near, R"({"a": {"lon": 13.5, "lat": 52.5}})"));
  const GeoPolygon ring{{{0, 0}, {10, 0}, {10, 10}, {0, 10}, {0, 0}},
                        {{{4, 4}, {6, 4}, {6, 6}, {4, 6}, {4, 4}}}};
  CHECK(holds("a", ring, R"({"a": {"lon": 2, "lat": 2}})"));
  CHECK_FALSE(holds("a", ring, R"({"a": {"lon": 5, "lat": 5}})"));
  CHECK_FALSE(holds("a", ring, R"({"a": {"lon": 11, "lat": 5}})"));
}

TEST_CASE("filter: a nested filter must hold within one element") {
  const auto nested = [](std::vector<Condition> must, std::vector<Condition> must_not) {
    return Filter{{{Nested{payload::Path::parse("a").value(),
                           {std::move(must), {}, std::move(must_not), {}}}}},
                  {},
                  {},
                  {}};
  };
  const Condition x1 = field("x", any({int64_t{1}}));
  const Condition y2 = field("y", any({int64_t{2}}));
  CHECK(passes(nested({x1, y2}, {}), R"({"a": [{"x": 1, "y": 2}]})"));
  CHECK_FALSE(passes(nested({x1, y2}, {}), R"({"a": [{"x": 1}, {"y": 2}]})"));
  CHECK(passes(nested({x1}, {y2}), R"({"a": [{"x": 1, "y": 2}, {"x": 1}]})"));
  CHECK_FALSE(passes(nested({x1}, {y2}), R"({"a": [{"x": 1, "y": 2}]})"));
  CHECK(passes(nested({x1}, {}), R"({"a": {"x": 1}})"));
  CHECK_FALSE(passes(nested({}, {}), R"({"a": [1, 2]})"));
  CHECK(passes(nested({}, {}), R"({"a": [1, {}]})"));
}

TEST_CASE("filter: clauses") {
  const Condition yes{HasVector{1}};
  const Condition no{HasVector{0}};
  const Condition me{HasId{{points::PointId::integer(3), points::PointId::integer(7)}}};
  CHECK(passes({}, ""));
  CHECK(passes({{yes, me}, {no, yes}, {no}, {}}, ""));
  CHECK_FALSE(passes({{no}, {}, {}, {}}, ""));
  CHECK_FALSE(passes({{}, {no}, {}, {}}, ""));
  CHECK_FALSE(passes({{}, {}, {me}, {}}, ""));
  CHECK(passes({{}, {}, {}, MinShould{{yes, no, me}, 2}}, ""));
  CHECK_FALSE(passes({{}, {}, {}, MinShould{{yes, no, me}, 3}}, ""));
  CHECK(passes({{}, {}, {}, MinShould{{}, 0}}, ""));
  CHECK(passes({{{Filter{{}, {no, yes}, {}, {}}}}, {}, {}, {}}, ""));
  int parts = 0;
  for (uint64_t index = 0; index < 3; ++index) {
    parts += passes({{{Slice{3, index}}}, {}, {}, {}}, "") ? 1 : 0;
  }
  CHECK(parts == 1);
  CHECK_FALSE(Matcher(Filter{{yes, me}, {}, {}, {}}).needs_payload());
}
