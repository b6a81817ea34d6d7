// The log on disk, shared by its writer and its reader.
//
// A log is a row of files 0000000001.wal, 0000000002.wal, … of one folder. A file is a header and
// frames; a frame begins at a multiple of 8. Files are allocated whole and used again under a new
// number once a checkpoint made them superfluous, so behind the last frame lie old bytes: they
// carry another file number and are never taken for frames.
//
//   file header          frame
//   0   8  "ASWAL\0\0\1"   0   4  CRC-32C of bytes 4 … 31 and the payload
//   8   4  format version 4   4  payload bytes, P
//   12  4  file number    8   8  log sequence number (lsn), one more than the frame before
//   16  8  first lsn      16  8  durable lsn: all frames up to it were synced when this was written
//   24  8  owner          24  4  file number
//   32  4  zero           28  4  kind of operation
//   36  4  CRC of 0 … 35  32  P  payload, then zeros up to a multiple of 8
//
// Example: a first frame with a payload of 21 bytes lies at 40 … 92 (40 + 32 + 21 = 93), the second
// at 96. The owner is the identity of the collection.
//
// Where a frame does not hold, the log ends: a torn write that nobody was told of. Unless some
// later frame says, by its durable lsn, that the missing one was synced: then the log is corrupt.
#pragma once

#include <array>
#include <cstdint>

namespace asyncstore::wal {

inline constexpr std::array<char, 8> k_magic = {'A', 'S', 'W', 'A', 'L', 0, 0, 1};
inline constexpr uint32_t k_format_version = 1;

struct FileHeader {
  std::array<char, 8> magic;
  uint32_t format_version;
  uint32_t file_number;
  uint64_t first_lsn;
  uint64_t owner;
  uint32_t zero;
  uint32_t crc;
};
static_assert(sizeof(FileHeader) == 40);

struct FrameHeader {
  uint32_t crc;
  uint32_t payload_bytes;
  uint64_t lsn;
  uint64_t durable_lsn;
  uint32_t file_number;
  uint32_t kind;
};
static_assert(sizeof(FrameHeader) == 32);

inline constexpr uint64_t k_frame_alignment = 8;

}  // namespace asyncstore::wal
