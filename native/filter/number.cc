#include "filter/number.h"

#include <charconv>
#include <cmath>
#include <system_error>

namespace asyncstore::filter {

namespace {

constexpr double k_two_to_63 = 9223372036854775808.0;

std::partial_ordering compare_mixed(int64_t a, double b) {
  if (std::isnan(b)) {
    return std::partial_ordering::unordered;
  }
  if (b >= k_two_to_63) {
    return std::partial_ordering::less;
  }
  if (b < -k_two_to_63) {
    return std::partial_ordering::greater;
  }
  // The whole part of b is an integer of 64 bits.
  const double whole = std::floor(b);
  const auto integer = static_cast<int64_t>(whole);
  if (a != integer) {
    return a < integer ? std::partial_ordering::less : std::partial_ordering::greater;
  }
  return b > whole ? std::partial_ordering::less : std::partial_ordering::equivalent;
}

}  // namespace

std::partial_ordering compare(const Number& a, const Number& b) {
  const auto* a_integer = std::get_if<int64_t>(&a);
  const auto* b_integer = std::get_if<int64_t>(&b);
  if (a_integer != nullptr && b_integer != nullptr) {
    return *a_integer <=> *b_integer;
  }
  if (a_integer != nullptr) {
    return compare_mixed(*a_integer, std::get<double>(b));
  }
  if (b_integer != nullptr) {
    return 0 <=> compare_mixed(*b_integer, std::get<double>(a));
  }
  return std::get<double>(a) <=> std::get<double>(b);
}

std::optional<Number> number_of(std::string_view token) {
  const char* end = token.data() + token.size();
  int64_t integer = 0;
  const auto whole = std::from_chars(token.data(), end, integer);
  if (whole.ec == std::errc() && whole.ptr == end) {
    return integer;
  }
  double real = 0;
  const auto parsed = std::from_chars(token.data(), end, real);
  if (parsed.ec == std::errc() && parsed.ptr == end) {
    return real;
  }
  return std::nullopt;
}

}  // namespace asyncstore::filter
