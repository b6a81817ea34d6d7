// Builds a graph, many rows at a time (M. Manohar et al., "ParlayANN: Scalable and Deterministic
// Parallel Graph-Based Approximate Nearest Neighbor Search Algorithms", PPoPP 2024): the rows of a
// batch look for their neighbours in the graph as it was before, all at once; then the links back
// to them are added, in the order of the rows that get them. So no thread sees what another does,
// and nothing depends on their number.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "base/crew.h"
#include "index/graph.h"
#include "index/level_walk.h"
#include "index/link_selection.h"

namespace asyncstore::index {

class GraphBuilder {
 public:
  GraphBuilder(uint32_t rows, const RowSimilarity& similarity, const Graph::Options& options,
               const Graph::Progress& progress);
  base::Result<std::unique_ptr<Graph>> build();

 private:
  // What one thread works with.
  struct Member {
    LevelWalk walk;
    LinkSelection selection;
    std::vector<LinkCandidate> candidates;
  };

  base::Status allocate();
  void order_rows();
  base::Status connect();
  base::Result<std::unique_ptr<Graph>> packed();
  bool report(uint64_t done);
  bool link_batch(uint32_t begin, uint32_t end);
  void link_row(Member& member, uint32_t row);
  void choose_links(Member& member, const Level& level, uint32_t row);
  bool link_back(uint32_t level_number, std::span<const uint32_t> batch);
  void link_back_to(Member& member, const Level& level, uint32_t target,
                    std::span<const uint64_t> edges);

  uint32_t rows_;
  const RowSimilarity& similarity_;
  Graph::Options options_;
  const Graph::Progress& progress_;
  base::Crew crew_;
  std::vector<Member> members_;
  std::unique_ptr<Graph> graph_;
  // All rows in the order in which they are linked. Level l has the first of them.
  base::Region order_;
  uint32_t linked_ = 0;  // of order_
  uint64_t done_ = 0;    // as it was told last
  // Links of a batch, as target << 32 | source, in buckets by target.
  base::Region edges_;
};

}  // namespace asyncstore::index
