// The line of blocks that values lie on.
#pragma once

#include <cstdint>

namespace asyncstore::gridstore {

// The smallest piece of space; a block holds bytes of one value only.
inline constexpr uint32_t k_block_bytes = 128;
// Of a page file. The line runs on from one page file to the next without a gap.
inline constexpr uint32_t k_page_file_bytes = 32 << 20;
// Free space is summed up by regions of 1 MiB.
inline constexpr uint32_t k_region_blocks = 8192;

inline constexpr uint32_t k_value_bytes_max = (uint32_t{1} << 31) - k_block_bytes;

// Blocks [begin, begin + count) of the line. With 262,144 blocks in a page file, block 262,150 is
// the seventh of the second page file and lies there at byte 6 · 128.
struct BlockRun {
  uint64_t begin = 0;
  uint64_t count = 0;

  uint64_t end() const { return begin + count; }
  bool operator==(const BlockRun&) const = default;
};

constexpr uint64_t blocks_of(uint64_t bytes) {
  return (bytes + k_block_bytes - 1) / k_block_bytes;
}

}  // namespace asyncstore::gridstore
