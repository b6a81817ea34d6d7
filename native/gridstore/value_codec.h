// The stored form of a value.
//
// As it is, or compressed:
//
//   0   4  bytes of the value
//   4   …  one LZ4 block
//
// Compressed when that saves at least an eighth of the bytes and a block. Values of a size at which
// it mostly does not are tried now and then only: trying costs more than writing.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "gridstore/entry.h"

namespace asyncstore::gridstore {

class ValueCodec {
 public:
  ValueCodec(uint64_t owner, bool compress);
  ~ValueCodec();

  // Appends the stored form to `target` and gives an entry with its length and checksum; where it
  // goes is the caller's. At most k_value_bytes_max bytes. One thread at a time.
  Entry encode(uint32_t slot, base::Bytes value, std::vector<std::byte>& target);

  // Makes `value` of what was read; false when that is not what the entry tells. Any thread.
  bool decode(uint32_t slot, const Entry& entry, base::Bytes stored,
              std::vector<std::byte>& value) const;

 private:
  struct Compressor;
  uint32_t crc_of(uint32_t slot, base::Bytes stored) const;
  // The stored form's size, 0 when compressing is not worth it; then `target` is as before.
  uint32_t compress(base::Bytes value, std::vector<std::byte>& target);

  uint32_t owner_crc_;
  bool compress_;
  std::unique_ptr<Compressor> compressor_;  // 16 KiB, made when first needed
  // By size in blocks, the last for all that are larger: worth trying while above 0.
  static constexpr uint32_t k_sizes = 32;
  std::array<int32_t, k_sizes> hope_{};
};

}  // namespace asyncstore::gridstore
