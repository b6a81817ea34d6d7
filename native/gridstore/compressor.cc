#include "gridstore/compressor.h"

#define LZ4_STATIC_LINKING_ONLY  // for a state that is used again
#include <lz4.h>

#include <algorithm>
#include <memory>

#include "gridstore/blocks.h"

namespace asyncstore::gridstore {

using base::Bytes;
using base::MutableBytes;

static_assert(k_value_bytes_max > LZ4_MAX_INPUT_SIZE);  // so room_for() must look

namespace {

const char* chars(Bytes bytes) {
  return reinterpret_cast<const char*>(bytes.data());
}
char* chars(MutableBytes bytes) {
  return reinterpret_cast<char*>(bytes.data());
}

}  // namespace

uint32_t compress(Bytes value, MutableBytes target) {
  thread_local std::unique_ptr<LZ4_stream_t> state;
  if (!state) {
    state = std::make_unique<LZ4_stream_t>();
    LZ4_initStream(state.get(), sizeof *state);
  }
  const int written = LZ4_compress_fast_extState_fastReset(state.get(), chars(value), chars(target),
                                                           static_cast<int>(value.size()),
                                                           static_cast<int>(target.size()), 1);
  if (written <= 0) {
    // After a failure the state must be cleared.
    LZ4_initStream(state.get(), sizeof *state);
    return 0;
  }
  return static_cast<uint32_t>(written);
}

uint32_t room_for(uint64_t value_bytes, uint32_t header_bytes) {
  if (value_bytes <= k_block_bytes || value_bytes > LZ4_MAX_INPUT_SIZE) {
    return 0;
  }
  const uint64_t saved_block = (blocks_of(value_bytes) - 1) * k_block_bytes;
  return static_cast<uint32_t>(std::min(value_bytes - value_bytes / 8, saved_block)) - header_bytes;
}

bool decompress(Bytes block, Bytes dictionary, MutableBytes value) {
  const auto size = static_cast<int>(value.size());
  return LZ4_decompress_safe_usingDict(chars(block), chars(value), static_cast<int>(block.size()),
                                       size, chars(dictionary),
                                       static_cast<int>(dictionary.size())) == size;
}

}  // namespace asyncstore::gridstore
