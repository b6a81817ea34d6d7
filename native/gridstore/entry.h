// Where the value of a slot is, and what it must be.
#pragma once

#include <cstdint>

#include "gridstore/blocks.h"

namespace asyncstore::gridstore {

// As it lies on disk and in memory:
//
//   0   4  page file, from 1; 0: the slot has no value; 0xFFFFFFFF: its value was lost to damage
//   4   4  block in the page file
//   8   4  bits 0 … 30: stored bytes; bit 31: they are LZ4 (value_codec.h)
//   12  4  CRC-32C of owner, slot and the stored bytes
struct Entry {
  static constexpr uint32_t k_damaged_page = 0xFFFFFFFF;
  // In memory only, for the moment in which an entry changes (tracker.h).
  static constexpr uint32_t k_busy_page = 0xFFFFFFFE;
  static constexpr uint32_t k_page_max = 99'999'999;
  static constexpr uint32_t k_lz4_bit = uint32_t{1} << 31;

  uint32_t page = 0;
  uint32_t block = 0;
  uint32_t length_word = 0;
  uint32_t crc = 0;

  bool absent() const { return page == 0; }
  bool damaged() const { return page > k_page_max; }
  bool present() const { return !absent() && !damaged(); }
  bool lz4() const { return (length_word & k_lz4_bit) != 0; }
  uint32_t stored_bytes() const { return length_word & ~k_lz4_bit; }
  // Nothing for an empty value, which takes no block.
  BlockRun run(uint32_t page_blocks) const {
    return {uint64_t{page - 1} * page_blocks + block, blocks_of(stored_bytes())};
  }

  static Entry lost() { return {k_damaged_page, 0, 0, 0}; }
  bool operator==(const Entry&) const = default;
};
static_assert(sizeof(Entry) == 16);

}  // namespace asyncstore::gridstore
