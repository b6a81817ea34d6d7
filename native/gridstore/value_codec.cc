#include "gridstore/value_codec.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/crc32c.h"

namespace asyncstore::gridstore {

using base::Bytes;

namespace {

// No sequence of an LZ4 block gives more than 255 bytes for one.
constexpr uint64_t k_lz4_ratio_max = 255;
// A success makes up for two failures; after enough of those, one value in 16 is tried.
constexpr int32_t k_hope_start = 16;
constexpr int32_t k_hope_success = 2;
constexpr int32_t k_hope_max = 64;
constexpr int32_t k_hope_tried_again = -16;

// What stands before an LZ4 block.
struct Header {
  uint32_t size;
  uint32_t dictionary;  // 0: none

  static constexpr uint32_t k_dictionary_bit = uint32_t{1} << 31;
  static constexpr uint32_t k_size_bits = 24;  // with a dictionary
  static constexpr uint32_t k_size_mask = (uint32_t{1} << k_size_bits) - 1;

  uint32_t word() const {
    return dictionary == 0 ? size : size | dictionary << k_size_bits | k_dictionary_bit;
  }
  static Header of(uint32_t word) {
    return (word & k_dictionary_bit) == 0
               ? Header{word, 0}
               : Header{word & k_size_mask, (word & ~k_dictionary_bit) >> k_size_bits};
  }
};
static_assert(k_dictionary_value_bytes_max <= Header::k_size_mask);
static_assert(k_dictionaries_max < uint32_t{1} << (31 - Header::k_size_bits));

}  // namespace

ValueCodec::ValueCodec(uint64_t owner, bool compress, uint32_t dictionary_bytes)
    : owner_crc_(base::crc32c(std::as_bytes(std::span(&owner, 1)))),
      compress_(compress),
      trainer_(dictionary_bytes) {
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
  const Dictionary* const dictionary = newest_;
  const uint32_t compressed = compress(value, target);
  if (compressed > 0) {
    entry.length_word = compressed | Entry::k_lz4_bit;
  } else {
    target.insert(target.end(), value.begin(), value.end());
    entry.length_word = static_cast<uint32_t>(value.size());
  }
  entry.crc = crc_of(slot, Bytes(target).subspan(begin));
  if (value.size() <= k_block_bytes || value.size() > k_dictionary_value_bytes_max || !compress_) {
    return entry;
  }
  if (dictionary != nullptr && compressed > 0) {
    entry.crc ^= dictionary->crc;
  }
  auto found = trainer_.see(value, blocks_of(entry.stored_bytes()));
  if (!found.empty() && dictionary_count_ < k_dictionaries_max) {
    const uint32_t crc = base::crc32c(found);
    add_dictionary(std::make_shared<const Dictionary>(
        Dictionary{dictionary_count_ + 1, std::move(found), crc}));
  }
  return entry;
}

std::shared_ptr<const Dictionary> ValueCodec::dictionary(uint32_t number) const {
  return dictionaries_[number - 1];
}

void ValueCodec::add_dictionary(std::shared_ptr<const Dictionary> dictionary) {
  ASSERT(dictionary_count_ < k_dictionaries_max);
  ASSERT(dictionary == nullptr || dictionary->number == dictionary_count_ + 1);
  ++dictionary_count_;
  newest_ = dictionary.get();
  known_[dictionary_count_].store(newest_, std::memory_order_release);
  dictionaries_.push_back(std::move(dictionary));
  compressor_.reset();
  hope_.fill(k_hope_start);
}

uint64_t ValueCodec::ram_bytes() const {
  uint64_t bytes = 0;
  for (const auto& dictionary : dictionaries_) {
    bytes += dictionary ? dictionary->bytes.size() : 0;
  }
  return bytes;
}

uint32_t ValueCodec::compress(Bytes value, std::vector<std::byte>& target) {
  const uint32_t room = room_for(value.size(), k_header_bytes);
  if (!compress_ || room == 0) {
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
    compressor_ = std::make_unique<Compressor>(newest_ != nullptr ? newest_->bytes : Bytes());
  }
  const bool with_dictionary = newest_ != nullptr && value.size() <= k_dictionary_value_bytes_max;
  const Header header{static_cast<uint32_t>(value.size()), with_dictionary ? newest_->number : 0};
  const uint32_t word = header.word();
  // Given no more room than it may take, LZ4 stops early where the value does not compress.
  const size_t begin = target.size();
  target.resize(begin + k_header_bytes + room);
  std::memcpy(target.data() + begin, &word, k_header_bytes);
  const uint32_t written = compressor_->compress(
      value, base::MutableBytes(target).subspan(begin + k_header_bytes), with_dictionary);
  if (written == 0) {
    target.resize(begin);
    hope = hope > 0 ? hope - 1 : 0;
    return 0;
  }
  hope = std::min(std::max(hope, 0) + k_hope_success, k_hope_max);
  target.resize(begin + k_header_bytes + written);
  return k_header_bytes + written;
}

bool ValueCodec::decode(uint32_t slot, const Entry& entry, Bytes stored,
                        std::vector<std::byte>& value) const {
  if (stored.size() != entry.stored_bytes()) {
    return false;
  }
  if (entry.lz4()) {
    return decode_lz4(slot, entry, stored, value);
  }
  if (crc_of(slot, stored) != entry.crc) {
    return false;
  }
  value.assign(stored.begin(), stored.end());
  return true;
}

bool ValueCodec::decode_lz4(uint32_t slot, const Entry& entry, Bytes stored,
                            std::vector<std::byte>& value) const {
  if (stored.size() <= k_header_bytes) {
    return false;
  }
  uint32_t word;
  std::memcpy(&word, stored.data(), k_header_bytes);
  const Header header = Header::of(word);
  const Dictionary* const dictionary = known_[header.dictionary].load(std::memory_order_acquire);
  if (dictionary == nullptr && word != header.size) {
    return false;
  }
  // The dictionary is a part of the value: another one is noticed.
  if ((crc_of(slot, stored) ^ (dictionary != nullptr ? dictionary->crc : 0)) != entry.crc) {
    return false;
  }
  const Bytes block = stored.subspan(k_header_bytes);
  if (header.size > k_value_bytes_max || header.size > block.size() * k_lz4_ratio_max) {
    return false;
  }
  value.resize(header.size);
  return decompress(block, dictionary != nullptr ? dictionary->bytes : Bytes(), value);
}

}  // namespace asyncstore::gridstore
