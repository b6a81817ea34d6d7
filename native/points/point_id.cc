#include "points/point_id.h"

#include <cinttypes>
#include <cstdio>

namespace asyncstore::points {
namespace {

int digit_of(char character) {
  if (character >= '0' && character <= '9') {
    return character - '0';
  }
  if (character >= 'a' && character <= 'f') {
    return character - 'a' + 10;
  }
  if (character >= 'A' && character <= 'F') {
    return character - 'A' + 10;
  }
  return -1;
}

}  // namespace

std::optional<PointId> PointId::parse_uuid(std::string_view text) {
  constexpr std::string_view k_urn = "urn:uuid:";
  if (text.starts_with(k_urn)) {
    text.remove_prefix(k_urn.size());
  }
  const bool hyphenated = text.size() == 36;
  if (!hyphenated && text.size() != 32) {
    return std::nullopt;
  }
  PointId id{true, 0, 0};
  int digits = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (hyphenated && (i == 8 || i == 13 || i == 18 || i == 23)) {
      if (text[i] != '-') {
        return std::nullopt;
      }
      continue;
    }
    const int digit = digit_of(text[i]);
    if (digit < 0) {
      return std::nullopt;
    }
    uint64_t& half = digits++ < 16 ? id.high : id.low;
    half = half << 4 | static_cast<uint64_t>(digit);
  }
  return id;
}

std::string PointId::text() const {
  if (!is_uuid) {
    return std::to_string(low);
  }
  char buffer[37];
  std::snprintf(buffer, sizeof buffer,
                "%08" PRIx64 "-%04" PRIx64 "-%04" PRIx64 "-%04" PRIx64 "-%012" PRIx64, high >> 32,
                high >> 16 & 0xFFFF, high & 0xFFFF, low >> 48, low & 0xFFFFFFFFFFFF);
  return buffer;
}

}  // namespace asyncstore::points
