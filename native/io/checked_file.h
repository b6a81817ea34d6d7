// Files that are written once and checked when read: codes, point tables, deleted rows.
//
//   offset           bytes  what
//   0                8      magic, tells the kind of file
//   8                4      format version (k_format_version)
//   12               4      block size in bytes (k_block_bytes)
//   16               8      payload size in bytes, P
//   24               8      owner: the identity of the collection
//   32               32     four u64 that the kind of file defines
//   64               4      CRC-32C of the block checksums
//   68               4      CRC-32C of bytes 0 … 67
//   72               P      payload
//   72 + P           4·B    CRC-32C of each block of the payload; B = ceil(P / block size)
//
// A damaged block is reported with its place; the others stay readable.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "io/storage.h"

namespace asyncstore::io {

inline constexpr uint32_t k_format_version = 1;

using Magic = std::array<char, 8>;
using Fields = std::array<uint64_t, 4>;

// What a file must say of itself: its kind, and whose it is. Files that were exchanged between
// collections are found out by it.
struct Mark {
  Magic magic{};
  uint64_t owner = 0;
};

// Writes a file from front to back. Until finish() returned, the file must not be referred to.
class CheckedFileWriter {
 public:
  static base::Result<CheckedFileWriter> create(Storage& storage, const std::string& path,
                                                Mark mark, Fields fields);
  base::Status append(base::Bytes bytes);
  // Writes checksums and header and syncs. Nothing may be appended afterwards.
  base::Status finish();

 private:
  CheckedFileWriter() = default;
  base::Status write_block();

  std::unique_ptr<File> file_;
  Mark mark_;
  Fields fields_{};
  uint64_t payload_bytes_ = 0;
  std::vector<std::byte> block_;
  std::vector<uint32_t> checksums_;
};

// Reads such a file; thread-safe after open().
class CheckedFile {
 public:
  // Verifies header and checksum table. A newer format version is Code::unsupported.
  static base::Result<CheckedFile> open(Storage& storage, const std::string& path, Mark mark);
  // The same for a file of any kind and owner.
  static base::Result<CheckedFile> open(Storage& storage, const std::string& path);

  uint64_t payload_bytes() const { return payload_bytes_; }
  const Fields& fields() const { return fields_; }
  const std::string& path() const { return file_->path(); }

  // Reads [offset, offset + target.size()) of the payload and verifies every block it touches; a
  // whole file in parts costs least when the parts are multiples of k_block_bytes.
  base::Status read(uint64_t offset, base::MutableBytes target) const;

  static constexpr uint64_t k_block_bytes = 256 << 10;

 private:
  CheckedFile() = default;

  std::unique_ptr<File> file_;
  Mark mark_;
  uint64_t payload_bytes_ = 0;
  Fields fields_{};
  std::vector<uint32_t> checksums_;
};

// Verifies every checksum of a checked file of any kind.
base::Status check_file(Storage& storage, const std::string& path);

}  // namespace asyncstore::io
