// A sparse index on disk: its windows as they are in memory, so that loading reads no vector.
//
// Payload of a checked file (io/checked_file.h) with the magic "ASSPARS1" and the header fields
// lsn, number of windows, number of live rows, 0. For each window:
//
//   u32 rows R, u32 runs
//   R × u32 slots; 0xFFFFFFFF: a row that was deleted
//   for each run:
//     u32 first row, u32 rows, u32 1 if coded, u32 pieces P, u32 listed rows L, u32 dense codes D
//     P × u32 dimensions, ascending; P × a piece (run.h): 24 bytes
//     L × u16 rows; L × f32 weights, or L × u8 codes if coded; D × u8 codes; each followed by zeros
//     up to a multiple of 4
//
// The tail of a window is written as one more run.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "io/storage.h"
#include "sparse/index.h"

namespace asyncstore::sparse {

// Writes and syncs a new file. The folder is not synced. `lsn` is the caller's. Any thread.
base::Status write_index(const Snapshot& snapshot, io::Storage& storage, const std::string& path,
                         uint64_t owner, uint64_t lsn);

struct LoadedIndex {
  std::unique_ptr<Index> index;
  uint64_t lsn = 0;  // as it was written
};

// Of a collection with so many slots. A file that is damaged, or of another owner, is
// Code::corruption.
base::Result<LoadedIndex> load_index(io::Storage& storage, const std::string& path, uint64_t owner,
                                     uint32_t slots);

}  // namespace asyncstore::sparse
