// The codes of multivectors on disk, so that loading reads no vector.
//
// A checked file (io/checked_file.h) with the magic "ASMULTI1" and the header fields lsn, points P,
// code bytes << 32 | parameter bytes, multivector << 8 | kind of the quantizer. Its payload:
//
//   P × u32 slots
//   P × u32 numbers of rows, 1 at least
//   the codes of the rows of each point, in this order
//   u64 number of rows that there were when the quantizer was trained; 0: it was not
//   its parameters, none if it was not
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "io/storage.h"
#include "multivector/code_index.h"

namespace asyncstore::multivector {

// Whose codes they are.
struct CodeFile {
  std::string path;
  uint64_t owner = 0;  // the collection
  uint32_t multivector = 0;
};

// Writes and syncs a new file. The folder is not synced. `lsn` is the caller's. Any thread.
base::Status write_codes(const CodeSnapshot& snapshot, io::Storage& storage, const CodeFile& file,
                         uint64_t lsn);

struct LoadedCodes {
  std::unique_ptr<CodeIndex> index;
  uint64_t lsn = 0;  // as it was written
};

// Of a collection with so many slots. A file that is damaged, or of another owner, is
// Code::corruption.
base::Result<LoadedCodes> load_codes(io::Storage& storage, const CodeFile& file,
                                     const segment::Field& field, uint32_t slots);
// Whether it would be loaded.
base::Status check_codes(io::Storage& storage, const CodeFile& file, const segment::Field& field,
                         uint32_t slots);

}  // namespace asyncstore::multivector
