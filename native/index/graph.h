// A navigable graph over the rows of one segment: HNSW (Y. Malkov, D. Yashunin, "Efficient and
// robust approximate nearest neighbor search using hierarchical navigable small world graphs",
// TPAMI 2020), whose links lead from any row to the rows near a query in a few hundred comparisons.
//
// It knows rows by their numbers and asks others how near they are, so it fits every kind of code.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "base/region.h"
#include "base/result.h"
#include "index/graph_layout.h"
#include "index/level.h"
#include "index/similarity.h"

namespace asyncstore::index {

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
  // whatever the number of threads. Beside the graph it needs one with room for all links, 8 bytes
  // and a bit a row, 4 MB for a batch, and for each thread a bit a row and some KiB.
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
  base::Status check_lists(const std::string& path) const;
  base::Status check_zeros(uint64_t begin, uint64_t end, const std::string& path) const;
  base::Status check_rows(uint32_t number, const std::string& path) const;

  base::Region region_;
  GraphLayout layout_;
};

}  // namespace asyncstore::index
