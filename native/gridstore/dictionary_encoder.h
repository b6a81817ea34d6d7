// Compresses short values with a dictionary.
#pragma once

#include <array>
#include <cstdint>

#include "base/bytes.h"

namespace asyncstore::gridstore {

// Writes what LZ4 reads (LZ4_decompress_safe_usingDict), in half the time and in no more space than
// LZ4's own compressor: docs/decisions/0011-own-encoder.md. What differs:
//
// - The dictionary's table is made once and never changes, so it has not the last place of each
//   hash but the one that has most in common with the others.
// - The value's own bytes count only where the dictionary has nothing, and only those are noted.
// - Matches are not lengthened backwards. In short matches, each step waits for the one before, and
//   what may go either way costs more than what it finds.
//
// Any thread. 16 KiB.
class DictionaryEncoder {
 public:
  static constexpr uint32_t k_dictionary_bytes_min = 128;

  // The dictionary outlives this. Takes up to a millisecond.
  explicit DictionaryEncoder(base::Bytes dictionary);

  // Writes an LZ4 block to `target`; its size, or 0 when there is not enough room. The value and
  // the dictionary are less than 64 KiB together.
  uint32_t encode(base::Bytes value, base::MutableBytes target) const;

 private:
  static constexpr uint32_t k_hash_bits = 13;

  static uint32_t hash_of(uint64_t bytes);
  uint16_t most_common(uint16_t newest, const uint16_t* earlier) const;

  base::Bytes dictionary_;
  // By the hash of five bytes, where they are in the dictionary; 0 where no five bytes have it.
  std::array<uint16_t, size_t{1} << k_hash_bits> places_{};
};

}  // namespace asyncstore::gridstore
