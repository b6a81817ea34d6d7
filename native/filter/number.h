// JSON's numbers: integers of 64 bits are exact, every other number is the nearest double.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>

namespace asyncstore::filter {

using Number = std::variant<int64_t, double>;

// By their values, whatever their kind. NaN is unordered.
std::partial_ordering compare(const Number& a, const Number& b);

// Of a valid JSON number token; nothing when it is beyond every double.
std::optional<Number> number_of(std::string_view token);

// What lies between bounds; unset bounds do not bind.
template <typename T>
struct Bounds {
  std::optional<T> gt;
  std::optional<T> gte;
  std::optional<T> lt;
  std::optional<T> lte;
};

inline bool within(const Bounds<int64_t>& bounds, int64_t value) {
  return (!bounds.gt || value > *bounds.gt) && (!bounds.gte || value >= *bounds.gte) &&
         (!bounds.lt || value < *bounds.lt) && (!bounds.lte || value <= *bounds.lte);
}

inline bool within(const Bounds<Number>& bounds, const Number& value) {
  return (!bounds.gt || compare(value, *bounds.gt) > 0) &&
         (!bounds.gte || compare(value, *bounds.gte) >= 0) &&
         (!bounds.lt || compare(value, *bounds.lt) < 0) &&
         (!bounds.lte || compare(value, *bounds.lte) <= 0);
}

}  // namespace asyncstore::filter
