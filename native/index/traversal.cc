#include "index/traversal.h"

#include <numeric>

namespace asyncstore::index {

Traversal::Traversal(const Graph& graph, const QuerySimilarity& query, const RowFilter* filter,
                     uint32_t ef, LevelWalk& walk)
    : graph_(graph),
      query_(query),
      filter_(filter),
      ef_(ef),
      walk_(walk),
      level_(graph.level_count() - 1) {
  std::array<uint32_t, k_top_rows_max> tops;
  const uint32_t count = graph.level(level_).row_count();
  std::iota(tops.begin(), tops.begin() + count, 0U);
  begin_level({tops.data(), count});
}

void Traversal::begin_level(std::span<const uint32_t> places) {
  walk_.begin(level_ == 0 ? ef_ : 1);
  if (!places.empty()) {
    walk_.compare(graph_.level(level_), query_, places);
  }
}

bool Traversal::step(uint32_t evaluations_max) {
  const uint64_t end = walk_.evaluations() + evaluations_max;
  while (walk_.evaluations() < end) {
    const Level level = graph_.level(level_);
    if (level.links_max() > 0 && walk_.step(level, query_)) {
      continue;
    }
    if (level_ == 0) {
      return true;
    }
    --level_;
    const uint32_t start = graph_.level(level_).place(level.row(walk_.nearest().row(0)));
    begin_level({&start, 1});
  }
  return false;
}

}  // namespace asyncstore::index
