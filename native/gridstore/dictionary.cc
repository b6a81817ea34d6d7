#include "gridstore/dictionary.h"

#include "base/crc32c.h"
#include "gridstore/dictionary_encoder.h"
#include "io/checked_file.h"

namespace asyncstore::gridstore {

using base::Result;
using base::Status;

namespace {

constexpr io::Magic k_magic = {'A', 'S', 'G', 'D', 'I', 'C', 'T', '1'};

}  // namespace

const char* suffix_of(DictionaryCopy copy) {
  return copy == DictionaryCopy::first ? ".dictionary" : ".mirror";
}

std::string dictionary_path(const std::string& folder, uint32_t number, DictionaryCopy copy) {
  return folder + "/" + std::to_string(number) + suffix_of(copy);
}

Status write_dictionary(io::Storage& storage, const std::string& path, uint64_t owner,
                        const Dictionary& dictionary) {
  TRY_ASSIGN(auto file, io::CheckedFileWriter::create(storage, path, {k_magic, owner},
                                                      {dictionary.number, 0, 0, 0}));
  TRY(file.append(dictionary.bytes));
  return file.finish();
}

Result<Dictionary> read_dictionary(io::Storage& storage, const std::string& path, uint64_t owner,
                                   uint32_t number) {
  TRY_ASSIGN(const io::CheckedFile file, io::CheckedFile::open(storage, path, {k_magic, owner}));
  if (file.fields()[0] != number || file.payload_bytes() > k_dictionary_bytes ||
      file.payload_bytes() < DictionaryEncoder::k_dictionary_bytes_min) {
    return base::corruption(path, 32, "the header's numbers do not fit together");
  }
  Dictionary dictionary{number, std::vector<std::byte>(file.payload_bytes()), 0};
  TRY(file.read(0, dictionary.bytes));
  dictionary.crc = base::crc32c(dictionary.bytes);
  return dictionary;
}

}  // namespace asyncstore::gridstore
