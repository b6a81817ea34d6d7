#include "gridstore/compressor.h"

#define LZ4_STATIC_LINKING_ONLY  // for states that are used again and dictionaries in place
#include <lz4.h>

#include <algorithm>

#include "base/assert.h"
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

struct Compressor::State {
  LZ4_stream_t stream;
  // What LZ4 knows of the dictionary: looked up in place, not copied, for values of at most 4 KiB.
  std::unique_ptr<LZ4_stream_t> dictionary;
};

Compressor::Compressor(Bytes dictionary) : state_(std::make_unique<State>()) {
  LZ4_initStream(&state_->stream, sizeof state_->stream);
  if (!dictionary.empty()) {
    state_->dictionary = std::make_unique<LZ4_stream_t>();
    LZ4_initStream(state_->dictionary.get(), sizeof *state_->dictionary);
    LZ4_loadDict(state_->dictionary.get(), chars(dictionary), static_cast<int>(dictionary.size()));
  }
}

Compressor::~Compressor() = default;

uint32_t Compressor::compress(Bytes value, MutableBytes target, bool with_dictionary) {
  const auto size = static_cast<int>(value.size());
  const auto room = static_cast<int>(target.size());
  LZ4_stream_t* const stream = &state_->stream;
  int written;
  if (with_dictionary) {
    ASSERT(state_->dictionary != nullptr);
    LZ4_resetStream_fast(stream);
    LZ4_attach_dictionary(stream, state_->dictionary.get());
    written = LZ4_compress_fast_continue(stream, chars(value), chars(target), size, room, 1);
  } else {
    written =
        LZ4_compress_fast_extState_fastReset(stream, chars(value), chars(target), size, room, 1);
  }
  if (written <= 0) {
    // After a failure the state must be cleared.
    LZ4_initStream(stream, sizeof *stream);
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
