// LZ4, as the library has it.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace asyncstore::gridstore {

// Writes an LZ4 block to `target`; its size, or 0 when there is not enough room. Any thread, of
// which each has 16 KiB for it from the first call on.
uint32_t compress(base::Bytes value, base::MutableBytes target);

// The least that a compressed form must save: an eighth of the bytes, and a block. What is left of
// the value's size behind a header; 0 when it is not worth trying.
uint32_t room_for(uint64_t value_bytes, uint32_t header_bytes);

// False when the block is not one that gives `value.size()` bytes. Any thread.
bool decompress(base::Bytes block, base::Bytes dictionary, base::MutableBytes value);

}  // namespace asyncstore::gridstore
