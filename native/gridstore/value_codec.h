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
#include "gridstore/dictionary.h"
#include "gridstore/dictionary_trainer.h"
#include "gridstore/entry.h"

namespace asyncstore::gridstore {

// Larger ones find enough in themselves.
inline constexpr uint32_t k_dictionary_value_bytes_max = 4 << 10;

// A value in its stored form; where it goes is not said yet.
struct Encoded {
  uint32_t slot = 0;
  Entry entry;                        // its length and checksum
  base::Bytes value;                  // as it was given, and by whom it was given
  std::vector<std::byte> compressed;  // what is stored where that is not the value itself

  base::Bytes stored() const { return entry.lz4() ? base::Bytes(compressed) : value; }
};

// Dictionaries never change and stay as long as the codec, so those who encode and decode need no
// lock.
class ValueCodec {
 public:
  static constexpr uint32_t k_header_bytes = sizeof(uint32_t);

  ValueCodec(uint64_t owner, bool compress, uint32_t dictionary_bytes = k_dictionary_bytes);
  ~ValueCodec();

  // --- any thread ---
  // At most k_value_bytes_max bytes. With the newest dictionary.
  void encode(uint32_t slot, base::Bytes value, Encoded& encoded) const;
  // Makes `value` of what was read; false when that is not what the entry tells.
  bool decode(uint32_t slot, const Entry& entry, base::Bytes stored,
              std::vector<std::byte>& value) const;

  // --- one thread at a time ---
  // To be told of each value that is put: may make a new dictionary, for those that follow.
  void learn(const Encoded& encoded);
  uint32_t dictionary_count() const { return dictionary_count_; }
  // Null: it is lost.
  std::shared_ptr<const Dictionary> dictionary(uint32_t number) const;
  // The next one; null when it is lost, and with it the values that need it.
  void add_dictionary(std::shared_ptr<const Dictionary> dictionary);
  uint64_t ram_bytes() const;

 private:
  class Known;

  uint32_t crc_of(uint32_t slot, base::Bytes stored) const;
  // False when it is not worth it.
  bool compress(base::Bytes value, const Known* dictionary, std::vector<std::byte>& target) const;
  bool decode_lz4(uint32_t slot, const Entry& entry, base::Bytes stored,
                  std::vector<std::byte>& value) const;

  uint32_t owner_crc_;
  bool compress_;
  DictionaryTrainer trainer_;
  std::vector<std::unique_ptr<const Known>> dictionaries_;  // null: lost
  uint32_t dictionary_count_ = 0;
  // By number, for those who encode and decode.
  std::array<std::atomic<const Known*>, k_dictionaries_max + 1> known_{};
  std::atomic<const Known*> newest_{nullptr};
  // By size in blocks, the last for all that are larger: worth trying while above 0. A guess, so
  // that threads may overwrite each other's.
  static constexpr uint32_t k_sizes = 32;
  mutable std::array<std::atomic<int32_t>, k_sizes> hope_{};
};

}  // namespace asyncstore::gridstore
