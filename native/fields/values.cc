#include "fields/values.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

#include "base/assert.h"
#include "fields/geo_cell.h"
#include "fields/keys.h"
#include "filter/datetime.h"
#include "filter/number.h"
#include "filter/values.h"
#include "payload/token.h"
#include "points/point_id.h"

namespace asyncstore::fields {

using payload::Outline;

namespace {

template <typename T>
void sort_unique(std::vector<T>& values) {
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
}

std::optional<filter::Number> number_at(const Outline& outline, uint32_t value) {
  return filter::is_number(outline, value) ? filter::number_of(outline.text(value)) : std::nullopt;
}

std::optional<uint64_t> key_at(Kind kind, const Outline& outline, uint32_t value) {
  switch (kind) {
    case Kind::integer: {
      const auto number = number_at(outline, value);
      const auto* integer = number ? std::get_if<int64_t>(&*number) : nullptr;
      return integer != nullptr ? std::optional(key_of(*integer)) : std::nullopt;
    }
    case Kind::real: {
      const auto number = number_at(outline, value);
      return number ? std::optional(key_of(
                          std::visit([](auto it) { return static_cast<double>(it); }, *number)))
                    : std::nullopt;
    }
    case Kind::boolean: {
      const std::string_view text = outline.text(value);
      return text == "true" || text == "false" ? std::optional<uint64_t>(text == "true" ? 1 : 0)
                                               : std::nullopt;
    }
    case Kind::datetime: {
      const auto time = filter::is_string(outline, value)
                            ? filter::parse_datetime(payload::decode_string(outline.text(value)))
                            : std::nullopt;
      return time ? std::optional(key_of(*time)) : std::nullopt;
    }
    case Kind::geo: {
      const auto point = filter::geo_point_of(outline, value);
      return point ? std::optional(key_of(*point)) : std::nullopt;
    }
    case Kind::keyword:
    case Kind::uuid:
    case Kind::text:
      break;
  }
  return std::nullopt;
}

// Of kinds whose values have one each.
std::optional<std::string> term_at(Kind kind, const Outline& outline, uint32_t value) {
  if (!filter::is_string(outline, value)) {
    return std::nullopt;
  }
  std::string text = payload::decode_string(outline.text(value));
  if (kind == Kind::keyword) {
    return text;
  }
  std::string term = uuid_term(text);
  return term.empty() ? std::nullopt : std::optional(std::move(term));
}

// Whether the index holds the value; then it is among the values afterwards. No text is held as it
// stands.
bool take_value(Kind kind, const Outline& outline, uint32_t value, Values& values) {
  if (is_of_strings(kind)) {
    if (auto term = term_at(kind, outline, value)) {
      values.terms.push_back(*std::move(term));
      return true;
    }
    return false;
  }
  const auto key = key_at(kind, outline, value);
  if (key) {
    values.keys.push_back(*key);
  }
  return key.has_value();
}

Flag foreign_kind(const Outline& outline, uint32_t value) {
  if (filter::is_string(outline, value)) {
    return Flag::foreign_text;
  }
  return number_at(outline, value) ? Flag::foreign_number : Flag::foreign_other;
}

}  // namespace

Values extract(const Schema& schema, const Outline& outline) {
  std::vector<uint32_t> found;
  filter::values_at(outline, 0, schema.path, found);
  Values values;
  values.flags.add(Flag::present);
  if (filter::all_empty(outline, found)) {
    values.flags.add(Flag::is_empty);
  }
  if (filter::any_null(outline, found)) {
    values.flags.add(Flag::has_null);
  }
  filter::for_each_value(outline, found, [&](uint32_t value) {
    if (!filter::is_null(outline, value) && !take_value(schema.kind, outline, value, values)) {
      values.flags.add(foreign_kind(outline, value));
    }
  });
  if (schema.kind == Kind::text) {
    values.terms = filter::text_of(*schema.analyzer, outline, found).take_tokens();
    return values;
  }
  sort_unique(values.keys);
  sort_unique(values.terms);
  return values;
}

Values values_of_nothing() {
  Values values;
  values.flags.add(Flag::present);
  values.flags.add(Flag::is_empty);
  return values;
}

std::string uuid_text(std::string_view term) {
  ASSERT(term.size() == 16);
  uint64_t halves[2];
  std::memcpy(halves, term.data(), sizeof halves);
  return points::PointId{true, __builtin_bswap64(halves[0]), __builtin_bswap64(halves[1])}.text();
}

std::string uuid_term(std::string_view text) {
  constexpr size_t k_canonical_size = 36;
  const bool canonical =
      text.size() == k_canonical_size &&
      std::none_of(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'F'; });
  const auto id = canonical ? points::PointId::parse_uuid(text) : std::nullopt;
  if (!id) {
    return {};
  }
  const uint64_t halves[2] = {__builtin_bswap64(id->high), __builtin_bswap64(id->low)};
  return {reinterpret_cast<const char*>(halves), sizeof halves};
}

}  // namespace asyncstore::fields
