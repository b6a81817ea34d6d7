// A navigable graph over the rows of one segment: HNSW (Y. Malkov, D. Yashunin, "Efficient and
// robust approximate nearest neighbor search using hierarchical navigable small world graphs",
// TPAMI 2020), whose links lead from any row to the rows near a query in a few hundred comparisons.
//
// It knows rows by their numbers and asks others how near they are, so it fits every kind of code.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "base/region.h"
#include "base/result.h"
#include "index/graph_layout.h"
#include "index/similarity.h"

namespace asyncstore::index {

// One level of a graph: a view, valid as long as the graph. Rows have places in it; in level 0 the
// place of a row is its number.
class Level {
 public:
  Level(std::byte* graph, const LevelLayout& layout)
      : rows_(layout.rows_offset == 0 ? nullptr : graph + layout.rows_offset),
        links_(graph + layout.links_offset),
        row_count_(layout.rows),
        links_max_(layout.links_max) {}

  uint32_t row_count() const { return row_count_; }
  uint32_t links_max() const { return links_max_; }
  uint32_t row(uint32_t place) const { return rows_ == nullptr ? place : rows()[place]; }
  // The place of a row that is in it, or of the next one.
  uint32_t place(uint32_t row) const {
    return rows_ == nullptr
               ? row
               : static_cast<uint32_t>(std::lower_bound(rows(), rows() + row_count_, row) - rows());
  }
  // links_max() places; those behind the first k_no_link mean nothing.
  uint32_t* links(uint32_t place) const {
    return reinterpret_cast<uint32_t*>(links_) + uint64_t{place} * links_max_;
  }
  // Those that mean something.
  std::span<const uint32_t> linked(uint32_t place) const {
    const uint32_t* first = links(place);
    uint32_t count = 0;
    while (count < links_max_ && first[count] != k_no_link) {
      ++count;
    }
    return {first, count};
  }
  // Only of levels above 0.
  uint32_t* rows() const { return reinterpret_cast<uint32_t*>(rows_); }
  void prefetch_links(uint32_t place) const {
    const uint32_t* first = links(place);
    for (uint32_t i = 0; i < links_max_; i += 16) {  // a cache line
      __builtin_prefetch(first + i);
    }
  }

 private:
  std::byte* rows_;
  std::byte* links_;
  uint32_t row_count_;
  uint32_t links_max_;
};

// Immutable; all members may be called from any thread.
class Graph {
 public:
  struct Options {
    uint32_t m = 16;  // links of a row: at most 2 · m, above level 0 m; k_m_min..k_m_max
    uint32_t ef_construct = 100;  // rows among which the links of a new one are chosen; ≥ 1
    uint64_t seed = 0;
    uint32_t threads = 0;  // with the calling one; 0: one for each CPU
  };
  // Called by the calling thread every few milliseconds with the rows that are linked and those
  // there are; false ends the build.
  using Progress = std::function<bool(uint64_t done, uint64_t total)>;

  // Links `rows` rows, fewer than k_rows_max. The same similarities and seed give the same bytes,
  // whatever the number of threads. Beside the graph it needs 4
  // bytes and a bit a row, 4 MB for a batch, and for each thread a bit a row and some KiB.
  // Code::closed when `progress` said no; Code::io when there is no memory left.
  static base::Result<std::unique_ptr<Graph>> build(uint32_t rows, const RowSimilarity& similarity,
                                                    const Options& options,
                                                    const Progress& progress);

  // The graph as it is written, laid out as graph_layout.h says.
  base::Bytes bytes() const { return {region_.as<std::byte>(), layout_.size_bytes}; }

  // Takes the first `size_bytes` of a region, which hold what bytes() gave once, as they lie: no
  // copy. Every link is checked: Code::corruption, with `path` as the file, when one leads out of
  // its level.
  static base::Result<std::unique_ptr<Graph>> load(base::Region region, uint64_t size_bytes,
                                                   const std::string& path);

  // The same graph of rows that lie in another order: its row i is this one's row order[i]. Each
  // row is in `order` once. Needs 4 bytes a row meanwhile. Code::io when there is no memory left.
  base::Result<std::unique_ptr<Graph>> renumbered(std::span<const uint32_t> order) const;

  uint32_t row_count() const { return layout_.levels[0].rows; }
  uint32_t m() const { return layout_.levels[0].links_max / 2; }
  uint32_t level_count() const { return layout_.level_count; }
  Level level(uint32_t number) const { return {region_.as<std::byte>(), layout_.levels[number]}; }
  uint64_t ram_bytes() const { return layout_.size_bytes + sizeof(Graph); }

 private:
  friend class GraphBuilder;
  Graph(base::Region region, const GraphLayout& layout);
  void write_header();
  base::Status check(const std::string& path) const;
  base::Status check_rows(uint32_t number, const std::string& path) const;

  base::Region region_;
  GraphLayout layout_;
};

}  // namespace asyncstore::index
