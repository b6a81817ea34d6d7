#include "fields/keys.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <variant>

namespace asyncstore::fields {

using filter::Bounds;
using filter::Number;

namespace {

constexpr double k_two_to_63 = 9223372036854775808.0;
constexpr double k_exact_max = 9007199254740992.0;  // 2^53: below, integers are their own doubles
constexpr int64_t k_least = INT64_MIN;
constexpr int64_t k_greatest = INT64_MAX;

// The least integer above the bound (or at it); nothing when there is none.
std::optional<int64_t> least_of(const Number& bound, bool at) {
  if (const auto* integer = std::get_if<int64_t>(&bound)) {
    if (at) {
      return *integer;
    }
    return *integer < k_greatest ? std::optional(*integer + 1) : std::nullopt;
  }
  const double real = std::get<double>(bound);
  const double whole = at ? std::ceil(real) : std::floor(real);
  if (std::isnan(real) || whole >= k_two_to_63) {
    return std::nullopt;
  }
  if (whole < -k_two_to_63) {
    return k_least;
  }
  return static_cast<int64_t>(whole) + (at ? 0 : 1);
}

// The greatest integer below the bound (or at it); nothing when there is none.
std::optional<int64_t> greatest_of(const Number& bound, bool at) {
  if (const auto* integer = std::get_if<int64_t>(&bound)) {
    if (at) {
      return *integer;
    }
    return *integer > k_least ? std::optional(*integer - 1) : std::nullopt;
  }
  const double real = std::get<double>(bound);
  const double whole = at ? std::floor(real) : std::ceil(real);
  if (std::isnan(real) || whole < -k_two_to_63 || (!at && whole == -k_two_to_63)) {
    return std::nullopt;
  }
  if (whole >= k_two_to_63) {
    return k_greatest;
  }
  return static_cast<int64_t>(whole) - (at ? 0 : 1);
}

// The least, or greatest, key of reals past the bound.
struct Edge {
  uint64_t sure;
  uint64_t possible;
};

double nearest(const Number& bound) {
  return std::visit([](auto value) { return static_cast<double>(value); }, bound);
}

// Whether only one number has the key of this double.
bool is_exact(double real) {
  return std::abs(real) < k_exact_max;
}

// Keys of doubles lie far from both ends of u64, where the NaNs would be.
Edge lower_edge(const Number& bound, bool at) {
  const double real = nearest(bound);
  const uint64_t key = key_of(real);
  if (is_exact(real)) {
    return at ? Edge{key, key} : Edge{key + 1, key + 1};
  }
  return {key + 1, key};
}

Edge upper_edge(const Number& bound, bool at) {
  const double real = nearest(bound);
  const uint64_t key = key_of(real);
  if (is_exact(real)) {
    return at ? Edge{key, key} : Edge{key - 1, key - 1};
  }
  return {key - 1, key};
}

bool is_nan(const std::optional<Number>& bound) {
  return bound && std::isnan(nearest(*bound));
}

}  // namespace

KeyRange integer_keys(const Bounds<Number>& bounds) {
  int64_t first = k_least;
  int64_t last = k_greatest;
  bool none = false;
  const auto raise = [&](const std::optional<Number>& bound, bool at) {
    const auto least = bound ? least_of(*bound, at) : std::optional(k_least);
    none = none || !least;
    first = std::max(first, least.value_or(k_greatest));
  };
  const auto lower = [&](const std::optional<Number>& bound, bool at) {
    const auto greatest = bound ? greatest_of(*bound, at) : std::optional(k_greatest);
    none = none || !greatest;
    last = std::min(last, greatest.value_or(k_least));
  };
  raise(bounds.gt, false);
  raise(bounds.gte, true);
  lower(bounds.lt, false);
  lower(bounds.lte, true);
  return none || first > last ? KeyRange::none() : KeyRange{key_of(first), key_of(last)};
}

KeyRange integer_keys(const Bounds<int64_t>& bounds) {
  return integer_keys(
      Bounds<Number>{.gt = bounds.gt, .gte = bounds.gte, .lt = bounds.lt, .lte = bounds.lte});
}

RealKeys real_keys(const Bounds<Number>& bounds) {
  if (is_nan(bounds.gt) || is_nan(bounds.gte) || is_nan(bounds.lt) || is_nan(bounds.lte)) {
    return {KeyRange::none(), KeyRange::none()};
  }
  RealKeys keys;
  const auto raise = [&](const std::optional<Number>& bound, bool at) {
    if (bound) {
      const Edge edge = lower_edge(*bound, at);
      keys.sure.first = std::max(keys.sure.first, edge.sure);
      keys.possible.first = std::max(keys.possible.first, edge.possible);
    }
  };
  const auto lower = [&](const std::optional<Number>& bound, bool at) {
    if (bound) {
      const Edge edge = upper_edge(*bound, at);
      keys.sure.last = std::min(keys.sure.last, edge.sure);
      keys.possible.last = std::min(keys.possible.last, edge.possible);
    }
  };
  raise(bounds.gt, false);
  raise(bounds.gte, true);
  lower(bounds.lt, false);
  lower(bounds.lte, true);
  return keys;
}

}  // namespace asyncstore::fields
