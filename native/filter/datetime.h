// Points in time as text.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace asyncstore::filter {

// Microseconds since 1970-01-01T00:00:00Z; what is finer is cut off, towards the past. Nothing
// unless the text is
//
//   YYYY-MM-DD
//   YYYY-MM-DD[T ]HH:MM[:SS[.digits]][zone]      zone: Z or ±HH:MM; without one it is UTC
//
// with a day that the calendar has (years 0000 to 9999, Gregorian); RFC 3339's lower-case t and z
// are taken, a leap second is not.
std::optional<int64_t> parse_datetime(std::string_view text);

}  // namespace asyncstore::filter
