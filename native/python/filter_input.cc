#include "python/filter_input.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/collection.h"
#include "engine/text_binding.h"
#include "python/convert.h"

namespace nb = nanobind;

namespace asyncstore::python {

using filter::Bounds;
using filter::Condition;
using filter::Filter;
using filter::Number;

namespace {

constexpr int k_depth_max = 64;
constexpr size_t k_key_bytes_max = 4096;

// Reads one filter. The Python side has checked it: what does not fit here is a mistake of ours,
// which must not become a crash.
class FilterReader {
 public:
  Filter filter(nb::handle given);
  Condition condition(nb::handle given);
  // Of what was read.
  const FilterNeeds& needs() const { return needs_; }

 private:
  std::vector<Condition> conditions(nb::handle given);
  Condition part(nb::handle given);
  filter::Test test(nb::handle given);

  FilterNeeds needs_;
  int depth_ = 0;
};

[[noreturn]] void raise_unknown(const std::string& what) {
  raise(base::invalid_argument("the core knows no " + what));
}

nb::tuple tuple_of(nb::handle given, size_t size) {
  auto parts = nb::cast<nb::tuple>(given);
  if (parts.size() != size) {
    raise_unknown("filter with a part of " + std::to_string(parts.size()) + " elements");
  }
  return parts;
}

template <typename Make>
auto list_of(nb::handle given, const Make& make) {
  std::vector<decltype(make(given))> list;
  for (nb::handle element : given) {
    list.push_back(make(element));
  }
  return list;
}

// Null where it is none.
template <typename T>
T* long_part(nb::handle given) {
  return nb::isinstance<T>(given) ? nb::cast<T*>(given) : nullptr;
}

double finite(nb::handle given) {
  const auto value = nb::cast<double>(given);
  if (!std::isfinite(value)) {
    raise_unknown("filter with a number that is not finite");
  }
  return value;
}

filter::Scalar scalar_of(nb::handle given) {
  if (PyBool_Check(given.ptr()) != 0) {
    return given.ptr() == Py_True;
  }
  if (PyLong_Check(given.ptr()) != 0) {
    return nb::cast<int64_t>(given);
  }
  return nb::cast<std::string>(given);
}

filter::ValueSet values_of(nb::handle given) {
  if (auto* values = long_part<LongValues>(given)) {
    if (!values->set) {
      raise_unknown("values that are not sorted");
    }
    return std::move(*values->set);
  }
  return filter::ValueSet(list_of(given, scalar_of));
}

std::vector<points::PointId> sorted_ids_of(nb::handle given) {
  if (auto* ids = long_part<LongIds>(given)) {
    return std::move(ids->list);
  }
  auto ids = ids_of(given);
  std::sort(ids.begin(), ids.end());
  return ids;
}

std::optional<Number> number_or_none(nb::handle given) {
  if (given.is_none()) {
    return std::nullopt;
  }
  if (PyLong_Check(given.ptr()) == 0) {
    return finite(given);
  }
  int overflow = 0;
  const long long integer = PyLong_AsLongLongAndOverflow(given.ptr(), &overflow);
  return overflow == 0 ? Number(int64_t{integer}) : Number(finite(nb::float_(given)));
}

std::optional<int64_t> integer_or_none(nb::handle given) {
  return given.is_none() ? std::nullopt : std::optional(nb::cast<int64_t>(given));
}

template <typename T>
Bounds<T> bounds_of(const nb::tuple& parts, std::optional<T> (*make)(nb::handle)) {
  return {make(parts[1]), make(parts[2]), make(parts[3]), make(parts[4])};
}

filter::GeoPoint geo_point(nb::handle given) {
  const nb::tuple parts = tuple_of(given, 2);
  return {finite(parts[0]), finite(parts[1])};
}

filter::GeoPolygon::Ring ring_of(nb::handle given) {
  return list_of(given, geo_point);
}

std::vector<std::string> words_of(const std::string& text) {
  constexpr std::string_view k_whitespace = " \t\n\v\f\r";
  std::vector<std::string> words;
  size_t at = text.find_first_not_of(k_whitespace);
  while (at != std::string::npos) {
    const size_t end = text.find_first_of(k_whitespace, at);
    words.push_back(text.substr(at, end == std::string::npos ? end : end - at));
    at = text.find_first_not_of(k_whitespace, end);
  }
  return words;
}

std::optional<filter::MatchText> text_match(const std::string& kind, const nb::tuple& parts) {
  using Kind = filter::MatchText::Kind;
  constexpr std::pair<std::string_view, Kind> k_kinds[] = {{"text", Kind::whole},
                                                           {"text_any", Kind::any},
                                                           {"phrase", Kind::phrase},
                                                           {"prefix", Kind::prefix}};
  for (const auto& [name, one] : k_kinds) {
    if (name == kind) {
      auto text = nb::cast<std::string>(parts[1]);
      auto words = one == Kind::any ? words_of(text) : std::vector<std::string>();
      return filter::MatchText{one, std::move(text), std::move(words)};
    }
  }
  return std::nullopt;
}

filter::Test FilterReader::test(nb::handle given) {
  const auto parts = nb::cast<nb::tuple>(given);
  const auto kind = parts.size() > 0 ? nb::cast<std::string>(parts[0]) : std::string();
  const bool of_bounds = kind == "range" || kind == "datetime_range" || kind == "values_count";
  const bool of_four = of_bounds || kind == "geo_box";
  const size_t size = of_four ? 5 : kind == "geo_radius" ? 4 : kind == "geo_polygon" ? 3 : 2;
  if (parts.size() != size) {
    raise_unknown("test '" + kind + "' of " + std::to_string(parts.size()) + " elements");
  }
  if (kind == "any") {
    return filter::MatchAny{values_of(parts[1])};
  }
  if (kind == "except") {
    return filter::MatchExcept{values_of(parts[1])};
  }
  if (auto match = text_match(kind, parts)) {
    needs_.has_texts = needs_.has_texts || match->kind != filter::MatchText::Kind::prefix;
    return std::move(*match);
  }
  if (kind == "range") {
    return filter::NumberRange{bounds_of<Number>(parts, number_or_none)};
  }
  if (kind == "datetime_range") {
    return filter::DatetimeRange{bounds_of<int64_t>(parts, integer_or_none)};
  }
  if (kind == "values_count") {
    return filter::ValuesCount{bounds_of<int64_t>(parts, integer_or_none)};
  }
  if (kind == "geo_box") {
    return filter::GeoBox{{finite(parts[1]), finite(parts[2])},
                          {finite(parts[3]), finite(parts[4])}};
  }
  if (kind == "geo_radius") {
    return filter::GeoRadius{{finite(parts[1]), finite(parts[2])}, finite(parts[3])};
  }
  if (kind == "geo_polygon") {
    return filter::GeoPolygon{ring_of(parts[1]), list_of(parts[2], ring_of)};
  }
  if (kind == "is_empty") {
    return filter::IsEmpty{nb::cast<bool>(parts[1])};
  }
  if (kind == "is_null") {
    return filter::IsNull{nb::cast<bool>(parts[1])};
  }
  raise_unknown("test '" + kind + "'");
}

template <typename T>
void put(std::string& key, char tag, T value) {
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  key.push_back(tag);
  key.append(bytes, sizeof value);
}

// Appends what tells this part of a filter from every other; false when it is too long to be worth
// it, or holds what is not compared (arrays of ids).
bool add_to_key(nb::handle part, std::string& key) {
  PyObject* object = part.ptr();
  if (key.size() > k_key_bytes_max) {
    return false;
  }
  if (PyTuple_Check(object) != 0 || PyList_Check(object) != 0) {
    put(key, '(', static_cast<uint64_t>(nb::len(part)));
    for (nb::handle element : part) {
      if (!add_to_key(element, key)) {
        return false;
      }
    }
    return true;
  }
  if (PyUnicode_Check(object) != 0) {
    Py_ssize_t size = 0;
    const char* text = PyUnicode_AsUTF8AndSize(object, &size);
    if (text == nullptr) {
      PyErr_Clear();
      return false;
    }
    put(key, 's', static_cast<uint64_t>(size));
    key.append(text, static_cast<size_t>(size));
    return true;
  }
  if (part.is_none() || PyBool_Check(object) != 0) {
    key.push_back(part.is_none() ? 'n' : object == Py_True ? 't' : 'f');
    return true;
  }
  int overflow = 0;
  if (PyLong_Check(object) != 0) {
    const long long integer = PyLong_AsLongLongAndOverflow(object, &overflow);
    put(key, 'i', int64_t{integer});
    return overflow == 0;
  }
  if (PyFloat_Check(object) != 0) {
    put(key, 'd', PyFloat_AsDouble(object));
    return true;
  }
  return false;
}

Condition FilterReader::condition(nb::handle given) {
  const auto parts = nb::cast<nb::tuple>(given);
  const auto kind = parts.size() > 0 ? nb::cast<std::string>(parts[0]) : std::string();
  const bool of_three = kind == "field" || kind == "nested" || kind == "slice";
  if (parts.size() != (of_three ? 3 : 2)) {
    raise_unknown("condition '" + kind + "' of " + std::to_string(parts.size()) + " elements");
  }
  if (kind == "field") {
    return {filter::FieldCondition{
        path_of(parts[1]), list_of(parts[2], [this](nb::handle one) { return test(one); })}};
  }
  if (kind == "nested") {
    return {filter::Nested{path_of(parts[1]), filter(parts[2])}};
  }
  if (kind == "filter") {
    return part(parts[1]);
  }
  if (kind == "has_id") {
    return {filter::HasId{sorted_ids_of(parts[1])}};
  }
  if (kind == "has_vector") {
    const auto number = nb::cast<uint32_t>(parts[1]);
    needs_.vectors = std::max(needs_.vectors, number + 1);
    return {filter::HasVector{number}};
  }
  if (kind == "slice") {
    const filter::Slice slice{nb::cast<uint64_t>(parts[1]), nb::cast<uint64_t>(parts[2])};
    if (slice.index >= slice.total) {
      raise_unknown("slice beyond the last");
    }
    return {slice};
  }
  raise_unknown("condition '" + kind + "'");
}

Condition FilterReader::part(nb::handle given) {
  if (const auto* made = long_part<LongFilter>(given)) {
    needs_.add(made->needs);
    return {filter::Shared{made->filter, made->needs.has_texts}};
  }
  return {filter(given)};
}

std::vector<Condition> FilterReader::conditions(nb::handle given) {
  if (auto* known = long_part<LongConditions>(given)) {
    needs_.add(known->needs);
    return std::move(known->list);
  }
  return list_of(given, [this](nb::handle one) { return condition(one); });
}

Filter FilterReader::filter(nb::handle given) {
  const nb::tuple parts = tuple_of(given, 4);
  if (++depth_ > k_depth_max) {
    raise_unknown("filter nested so deeply");
  }
  Filter made{conditions(parts[0]), conditions(parts[1]), conditions(parts[2]), std::nullopt};
  if (!parts[3].is_none()) {
    const nb::tuple clause = tuple_of(parts[3], 2);
    made.min_should = filter::MinShould{conditions(clause[0]), nb::cast<uint64_t>(clause[1])};
  }
  --depth_;
  return made;
}

void check_needs(const FilterNeeds& needs, const engine::Collection& collection) {
  if (needs.vectors > 0) {
    check_vector(collection, needs.vectors - 1);
  }
}

}  // namespace

std::shared_ptr<const Filter> filter_of(const engine::Collection& collection, nb::handle given) {
  if (given.is_none()) {
    return nullptr;
  }
  if (const auto* made = long_part<LongFilter>(given)) {
    check_needs(made->needs, collection);
    if (!made->needs.has_texts) {
      return made->filter;
    }
    auto whole = std::make_shared<Filter>();
    whole->must.push_back({filter::Shared{made->filter, true}});
    engine::bind_texts(*whole, collection.indexes());
    return whole;
  }
  FilterReader reader;
  auto filter = std::make_shared<Filter>(reader.filter(given));
  check_needs(reader.needs(), collection);
  if (!add_to_key(given, filter->key)) {
    filter->key.clear();
  }
  engine::bind_texts(*filter, collection.indexes());
  return filter;
}

LongFilter long_filter_of(nb::handle given) {
  FilterReader reader;
  auto filter = std::make_shared<const Filter>(reader.filter(given));
  return {std::move(filter), reader.needs()};
}

void add_conditions(LongConditions& conditions, nb::handle list) {
  FilterReader reader;
  for (nb::handle one : list) {
    conditions.list.push_back(reader.condition(one));
  }
  conditions.needs.add(reader.needs());
}

void add_values(LongValues& values, nb::handle list) {
  for (nb::handle one : list) {
    values.list.push_back(scalar_of(one));
  }
}

}  // namespace asyncstore::python
