#include "gridstore/value_codec.h"

#define LZ4_STATIC_LINKING_ONLY  // for a state that is used again without being cleared
#include <lz4.h>

#include <algorithm>
#include <cstring>

#include "base/crc32c.h"

namespace asyncstore::gridstore {

using base::Bytes;

namespace {

constexpr uint32_t k_header_bytes = sizeof(uint32_t);
// No sequence of an LZ4 block gives more than 255 bytes for one.
constexpr uint64_t k_lz4_ratio_max = 255;
// A success makes up for two failures; after enough of those, one value in 16 is tried.
constexpr int32_t k_hope_start = 16;
constexpr int32_t k_hope_success = 2;
constexpr int32_t k_hope_max = 64;
constexpr int32_t k_hope_tried_again = -16;

}  // namespace

struct ValueCodec::Compressor {
  Compressor() { LZ4_initStream(&stream, sizeof stream); }
  LZ4_stream_t stream;
};

ValueCodec::ValueCodec(uint64_t owner, bool compress)
    : owner_crc_(base::crc32c(std::as_bytes(std::span(&owner, 1)))), compress_(compress) {
  hope_.fill(k_hope_start);
}

ValueCodec::~ValueCodec() = default;

uint32_t ValueCodec::crc_of(uint32_t slot, Bytes stored) const {
  return base::crc32c(stored, base::crc32c(std::as_bytes(std::span(&slot, 1)), owner_crc_));
}

Entry ValueCodec::encode(uint32_t slot, Bytes value, std::vector<std::byte>& target) {
  ASSERT(value.size() <= k_value_bytes_max);
  const size_t begin = target.size();
  Entry entry;
  const uint32_t compressed = compress(value, target);
  if (compressed > 0) {
    entry.length_word = compressed | Entry::k_lz4_bit;
  } else {
    target.insert(target.end(), value.begin(), value.end());
    entry.length_word = static_cast<uint32_t>(value.size());
  }
  entry.crc = crc_of(slot, Bytes(target).subspan(begin));
  return entry;
}

uint32_t ValueCodec::compress(Bytes value, std::vector<std::byte>& target) {
  if (!compress_ || value.size() <= k_block_bytes || value.size() > LZ4_MAX_INPUT_SIZE) {
    return 0;
  }
  int32_t& hope = hope_[std::min<uint64_t>(blocks_of(value.size()), k_sizes) - 1];
  if (hope <= 0) {
    --hope;
    if (hope > k_hope_tried_again) {
      return 0;
    }
  }
  if (!compressor_) {
    compressor_ = std::make_unique<Compressor>();
  }
  // Given no more room than it may take, LZ4 stops early where the value does not compress.
  const auto size = static_cast<uint32_t>(value.size());
  const auto blocks = static_cast<uint32_t>(blocks_of(size));
  const uint32_t room = std::min(size - size / 8, (blocks - 1) * k_block_bytes) - k_header_bytes;
  const size_t begin = target.size();
  target.resize(begin + k_header_bytes + room);
  std::memcpy(target.data() + begin, &size, k_header_bytes);
  const int written = LZ4_compress_fast_extState_fastReset(
      &compressor_->stream, reinterpret_cast<const char*>(value.data()),
      reinterpret_cast<char*>(target.data() + begin + k_header_bytes), static_cast<int>(size),
      static_cast<int>(room), 1);
  if (written <= 0) {
    // After a failure the state must be cleared.
    LZ4_initStream(&compressor_->stream, sizeof compressor_->stream);
    target.resize(begin);
    hope = hope > 0 ? hope - 1 : 0;
    return 0;
  }
  hope = std::min(std::max(hope, 0) + k_hope_success, k_hope_max);
  target.resize(begin + k_header_bytes + static_cast<size_t>(written));
  return k_header_bytes + static_cast<uint32_t>(written);
}

bool ValueCodec::decode(uint32_t slot, const Entry& entry, Bytes stored,
                        std::vector<std::byte>& value) const {
  if (stored.size() != entry.stored_bytes() || crc_of(slot, stored) != entry.crc) {
    return false;
  }
  if (!entry.lz4()) {
    value.assign(stored.begin(), stored.end());
    return true;
  }
  if (stored.size() <= k_header_bytes) {
    return false;
  }
  uint32_t size;
  std::memcpy(&size, stored.data(), k_header_bytes);
  const Bytes block = stored.subspan(k_header_bytes);
  if (size > k_value_bytes_max || size > LZ4_MAX_INPUT_SIZE ||
      size > block.size() * k_lz4_ratio_max) {
    return false;
  }
  value.resize(size);
  return LZ4_decompress_safe(reinterpret_cast<const char*>(block.data()),
                             reinterpret_cast<char*>(value.data()), static_cast<int>(block.size()),
                             static_cast<int>(size)) == static_cast<int>(size);
}

}  // namespace asyncstore::gridstore
