// What N.vectors and N.rows hold on disk, beside the originals themselves; for the parts of
// Segment.
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "base/crc32c.h"
#include "io/checked_file.h"
#include "segment/segment.h"

namespace asyncstore::segment {

inline constexpr io::Magic k_vectors_magic = {'A', 'S', 'V', 'E', 'C', 'T', 'S', '1'};
inline constexpr io::Magic k_rows_magic = {'A', 'S', 'R', 'O', 'W', 'S', '0', '1'};
inline constexpr io::Magic k_codes_magic = {'A', 'S', 'C', 'O', 'D', 'E', 'S', '1'};
inline constexpr io::Magic k_graph_magic = {'A', 'S', 'G', 'R', 'A', 'P', 'H', '2'};

inline constexpr uint64_t k_read_part_bytes = 1 << 20;
inline constexpr uint64_t k_huge_region_bytes = 16 << 20;  // from here on 2 MiB pages pay

inline base::Error no_memory(const std::string& path) {
  return {base::Code::io, "no memory left for what belongs to " + path, path, 0, ENOMEM};
}

// The first bytes of N.vectors (in a page of its own) and of N.rows.
struct SegmentHeader {
  io::Magic magic;
  uint32_t format_version;
  uint32_t segment;
  uint32_t rows_max;
  uint32_t dim;
  uint8_t distance;
  uint8_t datatype;
  uint16_t zero;
  uint32_t stride;
  uint64_t owner;
  uint8_t reserved[20];
  uint32_t crc;
};
static_assert(sizeof(SegmentHeader) == 64);

// A row in N.rows.
struct RawRow {
  uint64_t high;
  uint64_t low;
  uint64_t version;
  uint32_t slot;
  uint32_t row_crc;
  uint32_t flags;  // 1: the id is a UUID
  uint32_t crc;    // CRC-32C of the 36 bytes before
};
static_assert(sizeof(RawRow) == 40);

inline uint64_t row_entry_offset(uint64_t row) {
  return sizeof(SegmentHeader) + row * sizeof(RawRow);
}

inline uint32_t crc_of(const SegmentHeader& header) {
  return base::crc32c(std::as_bytes(std::span(&header, 1)).first(offsetof(SegmentHeader, crc)));
}
inline uint32_t crc_of(const RawRow& row) {
  return base::crc32c(std::as_bytes(std::span(&row, 1)).first(offsetof(RawRow, crc)));
}

inline RawRow to_raw(const RowEntry& entry) {
  RawRow raw{entry.id.high,
             entry.id.low,
             entry.version,
             entry.slot,
             entry.crc,
             entry.id.is_uuid ? 1U : 0U,
             0};
  raw.crc = crc_of(raw);
  return raw;
}
inline RowEntry to_entry(const RawRow& raw) {
  return {{(raw.flags & 1) != 0, raw.high, raw.low}, raw.version, raw.slot, raw.row_crc};
}

}  // namespace asyncstore::segment
