// Where a point's vector lies.
#pragma once

#include <cstdint>

namespace asyncstore::points {

// A row of a segment; the pair is one word, so that it can be read while it changes.
struct Location {
  uint32_t segment = UINT32_MAX;
  uint32_t row = UINT32_MAX;

  bool present() const { return segment != UINT32_MAX; }
  uint64_t word() const { return ~(uint64_t{segment} << 32 | row); }  // 0: no vector
  static Location of_word(uint64_t word) {
    return {static_cast<uint32_t>(~word >> 32), static_cast<uint32_t>(~word)};
  }
  friend bool operator==(const Location&, const Location&) = default;
};

}  // namespace asyncstore::points
