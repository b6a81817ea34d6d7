#include "gridstore/value_codec.h"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <optional>
#include <utility>

#include "base/crc32c.h"
#include "gridstore/compressor.h"
#include "gridstore/dictionary_encoder.h"

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

class ValueCodec::Known {
 public:
  explicit Known(std::shared_ptr<const Dictionary> dictionary)
      : dictionary_(std::move(dictionary)) {}

  const std::shared_ptr<const Dictionary>& dictionary() const { return dictionary_; }
  // Made when it is first needed: most dictionaries are not the newest, and many stores only read.
  const DictionaryEncoder& encoder() const {
    std::call_once(made_, [this] { encoder_.emplace(dictionary_->bytes); });
    return *encoder_;
  }

 private:
  std::shared_ptr<const Dictionary> dictionary_;
  mutable std::once_flag made_;
  mutable std::optional<DictionaryEncoder> encoder_;
};

ValueCodec::ValueCodec(uint64_t owner, bool compress, uint32_t dictionary_bytes)
    : owner_crc_(base::crc32c(std::as_bytes(std::span(&owner, 1)))),
      compress_(compress),
      trainer_(dictionary_bytes) {
  std::fill(hope_.begin(), hope_.end(), k_hope_start);
}

ValueCodec::~ValueCodec() = default;

uint32_t ValueCodec::crc_of(uint32_t slot, Bytes stored) const {
  return base::crc32c(stored, base::crc32c(std::as_bytes(std::span(&slot, 1)), owner_crc_));
}

void ValueCodec::encode(uint32_t slot, Bytes value, Encoded& encoded) const {
  ASSERT(value.size() <= k_value_bytes_max);
  encoded.slot = slot;
  encoded.value = value;
  encoded.entry = {};
  const Known* const dictionary = value.size() <= k_dictionary_value_bytes_max
                                      ? newest_.load(std::memory_order_acquire)
                                      : nullptr;
  if (compress(value, dictionary, encoded.compressed)) {
    encoded.entry.length_word = static_cast<uint32_t>(encoded.compressed.size()) | Entry::k_lz4_bit;
    encoded.entry.crc = dictionary != nullptr ? dictionary->dictionary()->crc : 0;
  } else {
    encoded.entry.length_word = static_cast<uint32_t>(value.size());
  }
  encoded.entry.crc ^= crc_of(slot, encoded.stored());
}

void ValueCodec::learn(const Encoded& encoded) {
  const Bytes value = encoded.value;
  if (value.size() <= k_block_bytes || value.size() > k_dictionary_value_bytes_max || !compress_) {
    return;
  }
  auto found = trainer_.see(value, blocks_of(encoded.entry.stored_bytes()));
  if (!found.empty() && dictionary_count_ < k_dictionaries_max) {
    const uint32_t crc = base::crc32c(found);
    add_dictionary(std::make_shared<const Dictionary>(
        Dictionary{dictionary_count_ + 1, std::move(found), crc}));
  }
}

std::shared_ptr<const Dictionary> ValueCodec::dictionary(uint32_t number) const {
  const auto& known = dictionaries_[number - 1];
  return known ? known->dictionary() : nullptr;
}

void ValueCodec::add_dictionary(std::shared_ptr<const Dictionary> dictionary) {
  ASSERT(dictionary_count_ < k_dictionaries_max);
  ASSERT(dictionary == nullptr || dictionary->number == dictionary_count_ + 1);
  ++dictionary_count_;
  const auto& known = dictionaries_.emplace_back(
      dictionary ? std::make_unique<const Known>(std::move(dictionary)) : nullptr);
  known_[dictionary_count_].store(known.get(), std::memory_order_release);
  newest_.store(known.get(), std::memory_order_release);
  std::fill(hope_.begin(), hope_.end(), k_hope_start);
}

uint64_t ValueCodec::ram_bytes() const {
  uint64_t bytes = 0;
  for (const auto& known : dictionaries_) {
    bytes += known ? known->dictionary()->bytes.size() : 0;
  }
  return bytes;
}

bool ValueCodec::compress(Bytes value, const Known* dictionary,
                          std::vector<std::byte>& target) const {
  const uint32_t room = room_for(value.size(), k_header_bytes);
  if (!compress_ || room == 0) {
    return false;
  }
  auto& hope_of_size = hope_[std::min<uint64_t>(blocks_of(value.size()), k_sizes) - 1];
  int32_t hope = hope_of_size.load(std::memory_order_relaxed);
  if (hope <= 0) {
    --hope;
    if (hope > k_hope_tried_again) {
      hope_of_size.store(hope, std::memory_order_relaxed);
      return false;
    }
  }
  const Header header{static_cast<uint32_t>(value.size()),
                      dictionary != nullptr ? dictionary->dictionary()->number : 0};
  const uint32_t word = header.word();
  // Given no more room than it may take, it stops early where the value does not compress.
  target.resize(k_header_bytes + room);
  std::memcpy(target.data(), &word, k_header_bytes);
  const auto block = base::MutableBytes(target).subspan(k_header_bytes);
  const uint32_t written = dictionary != nullptr ? dictionary->encoder().encode(value, block)
                                                 : gridstore::compress(value, block);
  target.resize(k_header_bytes + written);
  hope = written > 0 ? std::min(std::max(hope, 0) + k_hope_success, k_hope_max)
                     : std::max(hope - 1, 0);
  hope_of_size.store(hope, std::memory_order_relaxed);
  return written > 0;
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
  const Known* const known = known_[header.dictionary].load(std::memory_order_acquire);
  const Dictionary* const dictionary = known != nullptr ? known->dictionary().get() : nullptr;
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
