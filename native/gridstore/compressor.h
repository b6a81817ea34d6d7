// LZ4 with a dictionary or without.
#pragma once

#include <cstdint>
#include <memory>

#include "base/bytes.h"

namespace asyncstore::gridstore {

// 16 KiB, and as much again with a dictionary. One thread at a time.
class Compressor {
 public:
  // The dictionary outlives this; empty: none.
  explicit Compressor(base::Bytes dictionary);
  ~Compressor();

  // Writes an LZ4 block to `target`; its size, or 0 when there is not enough room.
  uint32_t compress(base::Bytes value, base::MutableBytes target, bool with_dictionary);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The least that a compressed form must save: an eighth of the bytes, and a block. What is left of
// the value's size behind a header; 0 when it is not worth trying.
uint32_t room_for(uint64_t value_bytes, uint32_t header_bytes);

// False when the block is not one that gives `value.size()` bytes. Any thread.
bool decompress(base::Bytes block, base::Bytes dictionary, base::MutableBytes value);

}  // namespace asyncstore::gridstore
