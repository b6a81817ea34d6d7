// A walk over one level of a graph towards what is near to a query.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "index/graph.h"
#include "index/nearest_rows.h"
#include "index/visited_rows.h"

namespace asyncstore::index {

// Bridges of one row, at most. Recall@10 where one row in a hundred is admitted, of 100,000 and
// with ef 128: 0.84 when only the row's own links are bridges, 0.99 with 64 (in three times the
// time).
inline constexpr size_t k_bridges_max = 64;

// Rows whose links are followed at once: what is compared then comes from memory together. Of
// 700,000 rows, one after the other takes 4 to 8 % longer, and finds no more: with ef 64 0.961 of
// the nearest ten, two at once 0.962, three and five 0.962.
inline constexpr size_t k_followed_max = 3;

// Keeps its memory from one walk to the next: a bit for each row of the level, 4 bytes for each row
// that it met and 8 for each of `ef`.
class LevelWalk {
 public:
  // Takes the memory for walks over `rows` rows now; throws std::bad_alloc.
  void reserve(uint32_t rows, uint32_t ef);
  // Begins to look for the `ef` nearest rows; then compare() with some place to start from.
  void begin(const Level& level, uint32_t ef);
  // Compares the rows at `places`, at most k_list_rows_max, with the query.
  void compare(const Level& level, const QuerySimilarity& query, std::span<const uint32_t> places);
  // Follows the links of the nearest rows whose links were not yet followed, some at once; false at
  // the end.
  bool step(const Level& level, const QuerySimilarity& query);

  // The same in level 0, where only rows that `filter` admits are compared, kept and followed. A
  // row has mostly links to others then; these are bridges, whose links are looked through for
  // admitted rows, without a comparison, until there are enough (after L. Patel et al., "ACORN:
  // Performant and Predicate-Agnostic Search Over Vector Embeddings and Structured Data", SIGMOD
  // 2024, which goes one bridge far).
  void compare(const Level& level, const QuerySimilarity& query, const RowFilter& filter,
               std::span<const uint32_t> rows);
  bool step(const Level& level, const QuerySimilarity& query, const RowFilter& filter);
  // Follows the links of any rows, at most k_followed_max.
  void follow(const Level& level, const QuerySimilarity& query, const RowFilter& filter,
              std::span<const uint32_t> rows);

  const NearestRows& nearest() const { return nearest_; }  // their places
  uint64_t evaluations() const { return evaluations_; }    // comparisons of all walks so far
  uint64_t checks() const { return checks_; }              // rows that filters were asked of
  uint64_t ram_bytes() const;

 private:
  // Compares rows that were just put into visited_, however many. What lies apart of the links of
  // `likely_next`, if it is given, is prefetched meanwhile.
  void push(const Level& level, const QuerySimilarity& query, std::span<const uint32_t> unseen,
            const uint32_t* likely_next = nullptr);
  void push_some(const Level& level, const QuerySimilarity& query, std::span<const uint32_t> unseen,
                 const uint32_t* likely_next);
  // Of one row that is followed: rows that are not admitted, and how many were found around it.
  struct Bridges {
    std::array<uint32_t, k_bridges_max + k_list_rows_max> rows;
    size_t count = 0;
    size_t found = 0;
  };
  void look_around(const Level& level, const RowFilter& filter, uint32_t row, Bridges& bridges);
  void cross(const Level& level, const RowFilter& filter, Bridges& bridges);
  size_t look_through(const RowFilter& filter, std::span<const uint32_t> links, Bridges& bridges);
  size_t look_through_some(const RowFilter& filter, std::span<const uint32_t> links,
                           Bridges& bridges);
  void compare_found(const Level& level, const QuerySimilarity& query);

  NearestRows nearest_;
  // Rows that were compared, and with a filter bridges that were looked through.
  VisitedRows visited_;
  std::vector<uint32_t> found_;  // to be compared
  std::array<Bridges, k_followed_max> bridges_;
  uint64_t evaluations_ = 0;
  uint64_t checks_ = 0;
};

}  // namespace asyncstore::index
