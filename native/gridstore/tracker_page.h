// A page of the tracker on disk.
//
//   offset        bytes  what
//   16 · e        16     entry e = 0 … 254: slot 255 · page + e (entry.h)
//   4,080         4      magic "GT" and format version: 0x00015447
//   4,084         4      page number, from 0
//   4,088         4      owner, its halves folded by XOR
//   4,092         4      CRC-32C of bytes 0 … 4,091
//
// Example: slot 1,000 is entry 1,000 mod 255 = 235 of page 3; its bytes in the file begin at
// 3 · 4,096 + 235 · 16 = 16,048.
#pragma once

#include <array>
#include <cstdint>

#include "gridstore/entry.h"

namespace asyncstore::gridstore {

inline constexpr uint32_t k_page_entries = 255;
inline constexpr uint32_t k_tracker_page_bytes = 4096;

struct TrackerPage {
  std::array<Entry, k_page_entries> entries;
  uint32_t magic;
  uint32_t number;
  uint32_t owner;
  uint32_t crc;
};
static_assert(sizeof(TrackerPage) == k_tracker_page_bytes);

constexpr uint64_t page_offset(uint32_t number) {
  return uint64_t{number} * k_tracker_page_bytes;
}
constexpr uint64_t entry_offset(uint32_t slot) {
  return page_offset(slot / k_page_entries) + uint64_t{slot % k_page_entries} * sizeof(Entry);
}
constexpr uint32_t pages_of(uint32_t slots) {
  return slots / k_page_entries + (slots % k_page_entries != 0);
}

// Fills in all behind the entries but the number, which is set.
void seal(TrackerPage& page, uint64_t owner);
// Whether it is this page of this owner, and undamaged.
bool holds(const TrackerPage& page, uint32_t number, uint64_t owner);

}  // namespace asyncstore::gridstore
