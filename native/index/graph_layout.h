// Where the parts of a graph lie in its bytes, which are the same in memory and on disk.
//
//   offset   bytes            what
//   0        8                magic "asgraph2"
//   8        4                rows, N
//   12       4                m
//   16       8                links of level 0 that lie apart, A
//   24       40               zero
//   64       8 · F            level 0: of the rows 0, 256, 512, … where the links that lie apart
//                             begin, of F = floor(N / 256) + 1 rows
//   …        N lists          at the next multiple of 64: a list of each row
//   …        w · A + 4        at the next multiple of 64: the links that lie apart, then zeros
//   …                         the levels above, from 1 on, each at the next multiple of 64:
//            4 · m · n            m links of each of its n rows; the topmost has none
//            4 · n                its rows, ascending
//
// A link of level 0 is the number of a row in w bytes, 3 where there are at most 2^24 rows, else 4.
// The list of a row has places for p = floor(5m / 4) links, as many as nearly all rows have or not
// many more, so that most walks need one cache line of a row and know where it is:
//
//   0        w · p            its first p links, those it has not being zero
//   w · p    2                how far behind that of the row / 256 · 256 its links apart begin
//   …        1                how many links it has, at most 2m; those behind the p lie apart
//   …        1                zero
//
// A link of a level above is a place among the rows of that level; a list ends with its last place
// or before the first k_no_link. Links there and rows are u32, and all numbers are little-endian.
// Between parts there are zeros. Level l + 1 has ceil(n / m) of the n rows of level l, until a
// level has at most k_top_rows_max; so rows, m and A say where everything lies.
//
// Example: 100,000 rows, m = 16, 250,000 links apart. p is 20 and a list 64 bytes. 391 places from
// 64 on, lists from 3,200 to 6,403,200, links apart to 7,153,204. Level 1 (6,250 rows): 400,000
// bytes of links from 7,153,216 on and 25,000 of rows up to 7,578,216; level 2 (391 rows) from
// 7,578,240; level 3, the topmost, 25 rows.
//
// A graph that is being built has 2m places of u32 for each row in level 0, as the levels above
// have m, and is never written so.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/bytes.h"

namespace asyncstore::index {

// Numbers of rows are below it: walks need the highest bit.
inline constexpr uint32_t k_rows_max = 1U << 31;
inline constexpr uint32_t k_no_link = UINT32_MAX;
inline constexpr uint32_t k_m_min = 4;
inline constexpr uint32_t k_m_max = 127;  // so that the number of links of a row is a u8
// All rows of the topmost level are looked at by one call.
inline constexpr uint32_t k_top_rows_max = 64;
inline constexpr uint32_t k_levels_max = 16;  // 4^15 · 64 rows are more than k_rows_max
// Links of so many rows that lie apart are counted from one u64, each row's in a u16.
inline constexpr uint32_t k_apart_rows = 256;
static_assert(k_apart_rows * 2 * k_m_max <= UINT16_MAX);

struct GraphHeader {
  std::array<char, 8> magic;
  uint32_t rows;
  uint32_t m;
  uint64_t links_apart;
  std::array<uint32_t, 10> zero;
};
static_assert(sizeof(GraphHeader) == 64);

// What is behind the places for links of the list of a row.
struct ListEnd {
  uint16_t apart;
  uint8_t links;
  uint8_t zero;
};
static_assert(sizeof(ListEnd) == 4);

struct LevelLayout {
  uint32_t rows = 0;
  uint32_t links_max = 0;      // of a row; 0 in the topmost level above 0
  uint32_t list_links = 0;     // places for links of the list of a row
  uint32_t link_bytes = 4;     // less or as many
  uint64_t firsts_offset = 0;  // of links apart; 0 where there are none
  uint64_t links_offset = 0;
  uint64_t apart_offset = 0;
  uint64_t links_apart = 0;
  uint64_t rows_offset = 0;  // 0 in level 0, whose places are the rows themselves

  bool packed() const { return firsts_offset != 0; }
  uint64_t firsts() const { return uint64_t{rows} / k_apart_rows + 1; }
  uint64_t firsts_end() const { return firsts_offset + firsts() * sizeof(uint64_t); }
  uint32_t list_bytes() const {
    return list_links * link_bytes + (packed() ? static_cast<uint32_t>(sizeof(ListEnd)) : 0);
  }
  uint64_t lists_end() const { return links_offset + uint64_t{rows} * list_bytes(); }
  uint64_t apart_end() const { return apart_offset + links_apart * link_bytes; }
  uint64_t end() const {
    // A link of 3 bytes is read as 4.
    return packed()           ? apart_end() + sizeof(uint32_t)
           : rows_offset == 0 ? lists_end()
                              : rows_offset + uint64_t{rows} * sizeof(uint32_t);
  }
};

// Places for links of the list of a row in level 0, once it is packed.
inline uint32_t list_links_packed(uint32_t m) {
  return 5 * m / 4;
}

struct GraphLayout {
  // With `links_apart` level 0 is as it is written, without as it is built.
  GraphLayout(uint32_t rows, uint32_t m, std::optional<uint64_t> links_apart);

  uint32_t level_count = 0;
  std::array<LevelLayout, k_levels_max> levels{};
  uint64_t size_bytes = 0;
};

}  // namespace asyncstore::index
