// The point table on disk: a base and the changes since, each written once.
//
// A checkpoint writes the entries that changed; when the changes together are larger than the base,
// all are merged into a new base, so that the work stays proportional to what was written.
//
// Payload of a checked file (io/checked_file.h) with the magic "ASPOINT1" and the header fields
// number (by its name), slot count, number of entries E, number of vector fields F; E entries of 32
// + 8·F bytes:
//
//   0   4  slot
//   4   4  flags: 1 the point is live, 2 its id is a UUID
//   8   8  id, high half (0 for integers)
//   16  8  id, low half or the integer
//   24  8  version
//   32  8  for each field: NOT (segment << 32 | row); 0: the point has no such vector
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "io/storage.h"
#include "points/point_table.h"

namespace asyncstore::points {

struct PointsFile {
  std::string path;
  uint64_t number = 0;  // that the name tells; a later file has a higher one
};

// Gathers entries in the form of the file.
class PointsBuffer {
 public:
  explicit PointsBuffer(uint32_t fields) : fields_(fields) {}
  void add(const PointEntry& entry);
  uint64_t count() const { return count_; }
  // Writes and syncs a new file.
  base::Status write(io::Storage& storage, const PointsFile& file, uint64_t owner,
                     uint32_t slot_count) const;

 private:
  uint32_t fields_;
  uint64_t count_ = 0;
  base::ByteWriter entries_;
};

// Loads the files, base first, into an empty table. A file of another owner or number is corrupt.
base::Status load_points(io::Storage& storage, const std::vector<PointsFile>& files, uint64_t owner,
                         PointTable& table);

// Verifies a file and what it says of itself, without keeping what it holds.
base::Status check_points(io::Storage& storage, const PointsFile& file, uint64_t owner,
                          uint32_t fields);

// Merges the files into a new base, `target`: the newest entry of each slot. Returns their number.
base::Result<uint64_t> merge_points(io::Storage& storage, const std::vector<PointsFile>& files,
                                    uint64_t owner, uint32_t fields, const PointsFile& target);

}  // namespace asyncstore::points
