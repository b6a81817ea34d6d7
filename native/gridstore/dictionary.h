// Text that values are likely to repeat: LZ4 finds what it needs there before it has seen any of
// the value itself.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "io/storage.h"

namespace asyncstore::gridstore {

// docs/decisions/0010-dictionary.md has what other sizes save.
inline constexpr uint32_t k_dictionary_bytes = 16 << 10;
// Seven bits of a value's header (value_codec.h).
inline constexpr uint32_t k_dictionaries_max = 127;

struct Dictionary {
  uint32_t number = 0;  // from 1
  std::vector<std::byte> bytes;
  uint32_t crc = 0;  // CRC-32C of the bytes
};

// A dictionary is on disk twice, as N.dictionary and N.mirror, since values by the million may need
// it. Each is a checked file (io/checked_file.h) with the magic "ASGDICT1" and the header fields
// number, 0, 0, 0; the payload is the dictionary.
enum class DictionaryCopy : uint8_t { first, mirror };
inline constexpr DictionaryCopy k_dictionary_copies[] = {DictionaryCopy::first,
                                                         DictionaryCopy::mirror};

const char* suffix_of(DictionaryCopy copy);
std::string dictionary_path(const std::string& folder, uint32_t number, DictionaryCopy copy);

// Writes and syncs the file; its name is durable after a sync of the folder.
base::Status write_dictionary(io::Storage& storage, const std::string& path, uint64_t owner,
                              const Dictionary& dictionary);
base::Result<Dictionary> read_dictionary(io::Storage& storage, const std::string& path,
                                         uint64_t owner, uint32_t number);

}  // namespace asyncstore::gridstore
