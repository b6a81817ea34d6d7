// Where the parts of a graph lie in its bytes, which are the same in memory and on disk.
//
//   offset   bytes            what
//   0        8                magic "asgraph1"
//   8        4                rows, N
//   12       4                m
//   16       48               zero
//   64       4 · 2m · N       level 0: 2m links of each row
//   …                         the levels above, from 1 on, each at the next multiple of 64:
//            4 · m · n            m links of each of its n rows; the topmost has none
//            4 · n                its rows, ascending
//
// All numbers are u32, little-endian. A link of level 0 is the number of a row; one of a level
// above is a place among the rows of that level. A list ends with its last place or before the
// first k_no_link. Between levels there are zeros. Level l + 1 has ceil(n / m) of the n rows of
// level l, until a level has at most k_top_rows_max; so the number of rows and m say where
// everything lies.
//
// Example: 100,000 rows, m = 16. Level 0 from 64 to 12,800,064, level 1 (6,250 rows) 400,000 bytes
// of links and 25,000 of rows up to 13,225,064; level 2 (391 rows) from 13,225,088; level 3, the
// topmost, 25 rows.
#pragma once

#include <array>
#include <cstdint>

#include "base/bytes.h"

namespace asyncstore::index {

// Numbers of rows are below it: walks need the highest bit.
inline constexpr uint32_t k_rows_max = 1U << 31;
inline constexpr uint32_t k_no_link = UINT32_MAX;
inline constexpr uint32_t k_m_min = 4;
inline constexpr uint32_t k_m_max = 32;
// All rows of the topmost level are looked at by one call.
inline constexpr uint32_t k_top_rows_max = 64;
inline constexpr uint32_t k_levels_max = 16;  // 4^15 · 64 rows are more than k_rows_max

struct GraphHeader {
  std::array<char, 8> magic;
  uint32_t rows;
  uint32_t m;
  std::array<uint32_t, 12> zero;
};
static_assert(sizeof(GraphHeader) == 64);

struct LevelLayout {
  uint32_t rows = 0;
  uint32_t links_max = 0;  // of a row; 0 in the topmost level above 0
  uint64_t links_offset = 0;
  uint64_t rows_offset = 0;  // 0 in level 0, whose places are the rows themselves

  uint64_t links_end() const {
    return links_offset + uint64_t{rows} * links_max * sizeof(uint32_t);
  }
  uint64_t end() const {
    return rows_offset == 0 ? links_end() : rows_offset + uint64_t{rows} * sizeof(uint32_t);
  }
};

struct GraphLayout {
  GraphLayout(uint32_t rows, uint32_t m);

  uint32_t level_count = 0;
  std::array<LevelLayout, k_levels_max> levels{};
  uint64_t size_bytes = 0;
};

}  // namespace asyncstore::index
