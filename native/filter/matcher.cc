#include "filter/matcher.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <type_traits>

#include "filter/datetime.h"
#include "filter/values.h"
#include "payload/token.h"

namespace asyncstore::filter {

using base::Bytes;
using base::Result;
using payload::Outline;

namespace {

constexpr std::string_view k_empty_payload = "{}";

uint32_t levels_for(const Filter& filter);

uint32_t levels_for(const Condition& condition) {
  if (const auto* field = std::get_if<FieldCondition>(&condition.is)) {
    return filter::levels_for(field->path);
  }
  if (const auto* nested = std::get_if<Nested>(&condition.is)) {
    return filter::levels_for(nested->path) + levels_for(nested->filter);
  }
  if (const auto* shared = std::get_if<Shared>(&condition.is)) {
    return levels_for(*shared->filter);
  }
  const auto* filter = std::get_if<Filter>(&condition.is);
  return filter != nullptr ? levels_for(*filter) : 0;
}

uint32_t levels_for(const Filter& filter) {
  uint32_t levels = 0;
  const auto look = [&](const std::vector<Condition>& conditions) {
    for (const Condition& condition : conditions) {
      levels = std::max(levels, levels_for(condition));
    }
  };
  look(filter.must);
  look(filter.should);
  look(filter.must_not);
  if (filter.min_should) {
    look(filter.min_should->conditions);
  }
  return levels;
}

// --- one value ---

bool is_in(const ValueSet& set, const Outline& outline, uint32_t value) {
  const std::string_view text = outline.text(value);
  if (text == "true" || text == "false") {
    return set.contains(text == "true");
  }
  if (is_string(outline, value)) {
    return !set.strings().empty() && set.contains(payload::decode_string(text));
  }
  if (is_number(outline, value)) {
    const auto number = number_of(text);
    const auto* integer = number ? std::get_if<int64_t>(&*number) : nullptr;
    return integer != nullptr && set.contains(*integer);
  }
  return false;
}

bool fits(const MatchText& match, const std::string& text) {
  switch (match.kind) {
    case MatchText::Kind::whole:
    case MatchText::Kind::phrase:
      return text.find(match.text) != std::string::npos;
    case MatchText::Kind::prefix:
      return text.starts_with(match.text);
    case MatchText::Kind::any:
      return std::any_of(match.words.begin(), match.words.end(), [&](const std::string& word) {
        return text.find(word) != std::string::npos;
      });
  }
  return false;
}

bool passes_test(const MatchAny& test, const Outline& outline, uint32_t value) {
  return is_in(test.values, outline, value);
}
bool passes_test(const MatchExcept& test, const Outline& outline, uint32_t value) {
  return !is_null(outline, value) && !is_in(test.values, outline, value);
}
bool passes_test(const MatchText& test, const Outline& outline, uint32_t value) {
  return is_string(outline, value) && fits(test, payload::decode_string(outline.text(value)));
}
bool passes_test(const NumberRange& test, const Outline& outline, uint32_t value) {
  if (!is_number(outline, value)) {
    return false;
  }
  const auto number = number_of(outline.text(value));
  return number && within(test.bounds, *number);
}
bool passes_test(const DatetimeRange& test, const Outline& outline, uint32_t value) {
  if (!is_string(outline, value)) {
    return false;
  }
  const auto time = parse_datetime(payload::decode_string(outline.text(value)));
  return time && within(test.bounds, *time);
}
template <typename Shape>
bool passes_shape(const Shape& shape, const Outline& outline, uint32_t value) {
  const auto point = geo_point_of(outline, value);
  return point && shape.contains(*point);
}
bool passes_test(const GeoBox& test, const Outline& outline, uint32_t value) {
  return passes_shape(test, outline, value);
}
bool passes_test(const GeoRadius& test, const Outline& outline, uint32_t value) {
  return passes_shape(test, outline, value);
}
bool passes_test(const GeoPolygon& test, const Outline& outline, uint32_t value) {
  return passes_shape(test, outline, value);
}

// --- the values as they stand ---

int64_t count_of(const Outline& outline, uint32_t value) {
  if (!outline.is_array(value)) {
    return is_null(outline, value) ? 0 : 1;
  }
  int64_t count = 0;
  const uint32_t end = outline.after(value);
  for (uint32_t i = Outline::first_child(value); i < end; i = outline.after(i)) {
    ++count;
  }
  return count;
}

bool passes_all(const ValuesCount& test, const Outline& outline,
                const std::vector<uint32_t>& found) {
  if (found.empty()) {
    return within(test.bounds, 0);
  }
  return std::any_of(found.begin(), found.end(),
                     [&](uint32_t value) { return within(test.bounds, count_of(outline, value)); });
}

}  // namespace

Matcher::Matcher(const Filter& filter) : filter_(filter), levels_(levels_for(filter)) {}

Result<bool> Matcher::matches(Bytes payload, const PointFacts& facts) {
  facts_ = &facts;
  if (!needs_payload()) {
    return passes(filter_, 0);
  }
  const Bytes text = payload.empty()
                         ? std::as_bytes(std::span(k_empty_payload.data(), k_empty_payload.size()))
                         : payload;
  TRY_ASSIGN(const Outline outline,
             Outline::parse(text, levels_, Outline::Root::object, "The payload"));
  outline_ = &outline;
  return passes(filter_, 0);
}

bool Matcher::passes(const Filter& filter, uint32_t root) {
  const auto holds_one = [&](const Condition& condition) { return holds(condition, root); };
  if (!std::all_of(filter.must.begin(), filter.must.end(), holds_one) ||
      std::any_of(filter.must_not.begin(), filter.must_not.end(), holds_one)) {
    return false;
  }
  if (!filter.should.empty() &&
      std::none_of(filter.should.begin(), filter.should.end(), holds_one)) {
    return false;
  }
  if (!filter.min_should) {
    return true;
  }
  const auto& [conditions, count] = *filter.min_should;
  return static_cast<uint64_t>(std::count_if(conditions.begin(), conditions.end(), holds_one)) >=
         count;
}

bool Matcher::holds(const Condition& condition, uint32_t root) {
  return std::visit([&](const auto& one) { return holds(one, root); }, condition.is);
}

bool Matcher::holds(const FieldCondition& condition, uint32_t root) {
  std::vector<uint32_t> found;
  values_at(*outline_, root, condition.path, found);
  return std::any_of(condition.tests.begin(), condition.tests.end(),
                     [&](const Test& test) { return holds(test, found); });
}

bool Matcher::holds(const Nested& condition, uint32_t root) {
  std::vector<uint32_t> found;
  values_at(*outline_, root, condition.path, found);
  bool any = false;
  for_each_value(*outline_, found, [&](uint32_t element) {
    any = any || (outline_->is_object(element) && passes(condition.filter, element));
  });
  return any;
}

bool Matcher::holds(const HasId& condition, uint32_t) const {
  return std::binary_search(condition.ids.begin(), condition.ids.end(), facts_->id());
}

bool Matcher::holds(const HasVector& condition, uint32_t) const {
  return facts_->has_vector(condition.number);
}

bool Matcher::holds(const Slice& condition, uint32_t) const {
  return condition.has(facts_->id());
}

bool Matcher::holds(const Test& test, const std::vector<uint32_t>& found) const {
  return std::visit(
      [&](const auto& one) {
        using Kind = std::decay_t<decltype(one)>;
        if constexpr (std::is_same_v<Kind, MatchTokens>) {
          return text_of(one.analyzer, *outline_, found).has(one);
        } else if constexpr (std::is_same_v<Kind, ValuesCount>) {
          return passes_all(one, *outline_, found);
        } else if constexpr (std::is_same_v<Kind, IsEmpty>) {
          return all_empty(*outline_, found) == one.wanted;
        } else if constexpr (std::is_same_v<Kind, IsNull>) {
          return any_null(*outline_, found) == one.wanted;
        } else {
          bool any = false;
          for_each_value(*outline_, found,
                         [&](uint32_t value) { any = any || passes_test(one, *outline_, value); });
          return any;
        }
      },
      test);
}

}  // namespace asyncstore::filter
