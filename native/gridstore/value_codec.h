// The stored form of a value.
//
// As it is, or compressed:
//
//   0   4  bits 0 … 23: bytes of the value; bits 24 … 30: dictionary; bit 31: set
//          or, without a dictionary, bits 0 … 30: bytes of the value; bit 31: clear
//   4   …  one LZ4 block
//
// Compressed when that saves at least an eighth of the bytes and a block. Values of a size at which
// it mostly does not are tried now and then only: trying costs more than writing.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "gridstore/compressor.h"
#include "gridstore/dictionary.h"
#include "gridstore/dictionary_trainer.h"
#include "gridstore/entry.h"

namespace asyncstore::gridstore {

// Larger ones find enough in themselves, and LZ4 would copy what it knows of the dictionary.
inline constexpr uint32_t k_dictionary_value_bytes_max = 4 << 10;

// Dictionaries never change and stay as long as the codec, so those who decode need no lock.
class ValueCodec {
 public:
  static constexpr uint32_t k_header_bytes = sizeof(uint32_t);

  ValueCodec(uint64_t owner, bool compress, uint32_t dictionary_bytes = k_dictionary_bytes);
  ~ValueCodec();

  // --- one thread at a time ---
  // Appends the stored form to `target` and gives an entry with its length and checksum; where it
  // goes is the caller's. At most k_value_bytes_max bytes. May make a new dictionary, for the
  // values that follow.
  Entry encode(uint32_t slot, base::Bytes value, std::vector<std::byte>& target);
  uint32_t dictionary_count() const { return dictionary_count_; }
  // Null: it is lost.
  std::shared_ptr<const Dictionary> dictionary(uint32_t number) const;
  // The next one; null when it is lost, and with it the values that need it. Values are compressed
  // with the newest.
  void add_dictionary(std::shared_ptr<const Dictionary> dictionary);
  uint64_t ram_bytes() const;

  // --- any thread ---
  // Makes `value` of what was read; false when that is not what the entry tells.
  bool decode(uint32_t slot, const Entry& entry, base::Bytes stored,
              std::vector<std::byte>& value) const;

 private:
  uint32_t crc_of(uint32_t slot, base::Bytes stored) const;
  // The stored form's size, 0 when compressing is not worth it; then `target` is as before.
  uint32_t compress(base::Bytes value, std::vector<std::byte>& target);
  bool decode_lz4(uint32_t slot, const Entry& entry, base::Bytes stored,
                  std::vector<std::byte>& value) const;

  uint32_t owner_crc_;
  bool compress_;
  DictionaryTrainer trainer_;
  std::vector<std::shared_ptr<const Dictionary>> dictionaries_;
  uint32_t dictionary_count_ = 0;
  // By number, for those who decode.
  std::array<std::atomic<const Dictionary*>, k_dictionaries_max + 1> known_{};
  const Dictionary* newest_ = nullptr;
  std::unique_ptr<Compressor> compressor_;  // with the newest; made when first needed
  // By size in blocks, the last for all that are larger: worth trying while above 0.
  static constexpr uint32_t k_sizes = 32;
  std::array<int32_t, k_sizes> hope_{};
};

}  // namespace asyncstore::gridstore
