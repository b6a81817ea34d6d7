// The name of a point: an unsigned 64-bit integer or a UUID.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace asyncstore::points {

// Integers come before UUIDs; within a kind the order is numeric. A UUID's first eight bytes, read
// big-endian, are `high`, so its order is that of its text.
struct PointId {
  bool is_uuid = false;
  uint64_t high = 0;  // 0 for integers
  uint64_t low = 0;

  static PointId integer(uint64_t value) { return {false, 0, value}; }
  // Hyphenated, 32 hexadecimal digits, or "urn:uuid:…"; unset for anything else.
  static std::optional<PointId> parse_uuid(std::string_view text);
  // Decimal digits, or a hyphenated lower-case UUID.
  std::string text() const;

  friend auto operator<=>(const PointId&, const PointId&) = default;
};

}  // namespace asyncstore::points
