// What a filter asks of points. A filter is made once and not changed; any thread may read it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "filter/geo.h"
#include "filter/number.h"
#include "payload/path.h"
#include "points/point_id.h"
#include "text/query.h"

namespace asyncstore::filter {

// --- what is asked of one value at a path ---

using Scalar = std::variant<bool, int64_t, std::string>;

// Booleans, integers and strings; nothing is taken for something of another kind.
class ValueSet {
 public:
  explicit ValueSet(const std::vector<Scalar>& values);
  bool contains(bool value) const { return value ? has_true_ : has_false_; }
  bool contains(int64_t value) const;
  bool contains(std::string_view value) const;

  const std::vector<int64_t>& integers() const { return integers_; }         // ascending
  const std::vector<std::string_view>& strings() const { return strings_; }  // ascending

 private:
  bool has_true_ = false;
  bool has_false_ = false;
  std::vector<int64_t> integers_;
  // One piece of memory for all, shared by copies: it is given back at once, not string by string.
  std::shared_ptr<const std::string> text_;
  std::vector<std::string_view> strings_;
};

struct MatchAny {  // is among them
  ValueSet values;
};
struct MatchExcept {  // is not null, and not among them
  ValueSet values;
};
struct MatchText {  // of a string
  enum class Kind : uint8_t {
    whole,   // holds the text
    any,     // holds one of its words
    phrase,  // holds the text
    prefix,  // begins with it
  };
  Kind kind = Kind::whole;
  std::string text;
  std::vector<std::string> words = {};  // of `any`: between whitespace
};
// Of all strings at the path together, where an index of text says how: bind_texts() puts it in
// place of a MatchText.
using MatchTokens = text::Query;
struct NumberRange {
  Bounds<Number> bounds;
};
struct DatetimeRange {  // microseconds since 1970 (datetime.h)
  Bounds<int64_t> bounds;
};

// --- what is asked of the values at a path as they stand ---

struct ValuesCount {  // an array's length; null 0, other 1; where nothing is 0
  Bounds<int64_t> bounds;
};
struct IsEmpty {  // all are null or []
  bool wanted = true;
};
struct IsNull {  // one is null
  bool wanted = true;
};

using Test = std::variant<MatchAny, MatchExcept, MatchText, MatchTokens, NumberRange, DatetimeRange,
                          GeoBox, GeoRadius, GeoPolygon, ValuesCount, IsEmpty, IsNull>;

// --- conditions ---

struct Condition;

struct MinShould {
  std::vector<Condition> conditions;
  uint64_t count = 0;  // how many of them must hold, at least
};

// All of its clauses hold; an empty `should` does, too.
struct Filter {
  std::vector<Condition> must;
  std::vector<Condition> should;
  std::vector<Condition> must_not;
  std::optional<MinShould> min_should;
  // Filters of one key are equal; empty: not known to be equal to any other.
  std::string key = {};
};

struct FieldCondition {  // one of the tests holds
  payload::Path path;
  std::vector<Test> tests;
};
struct HasId {
  std::vector<points::PointId> ids;  // ascending
};
struct HasVector {
  uint32_t number;  // of the schema: dense ones, sparse ones, multivectors
};
struct Slice {  // one of `total` parts of all points, told apart by their ids
  uint64_t total = 1;
  uint64_t index = 0;
  bool has(const points::PointId& id) const;
};
struct Nested {  // one element of the array at the path, an object, passes the filter
  payload::Path path;
  Filter filter;
};
struct Shared {  // a filter that was made before, and may be a part of many
  std::shared_ptr<const Filter> filter;
  bool has_texts = false;  // MatchText, not of a prefix
};

struct Condition {
  std::variant<FieldCondition, Nested, HasId, HasVector, Slice, Filter, Shared> is;
};

}  // namespace asyncstore::filter
