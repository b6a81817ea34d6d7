#include "index/traversal.h"

#include <numeric>

namespace asyncstore::index {
namespace {
constexpr uint64_t k_samples_enough = 64;
constexpr uint32_t k_sample_checks_max = 4096;
constexpr uint64_t k_checks_per_evaluation = 8;  // in time, measured
}  // namespace

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
  const Level level = graph_.level(level_);
  walk_.begin(level, level_ == 0 ? ef_ : 1);
  if (places.empty()) {
    return;
  }
  if (level_ > 0 || filter_ == nullptr) {
    walk_.compare(level, query_, places);
    return;
  }
  walk_.compare(level, query_, *filter_, places);
  if (graph_.level_count() > 1) {
    walk_.follow(level, query_, *filter_, places.first(1));
    sample();
  }
}

// Where the filter admits nothing around the query, the walk would not begin. So it begins also at
// rows of the levels above, which are a random sample of all, until enough of them were admitted.
void Traversal::sample() {
  const Level level = graph_.level(0);
  const uint64_t end = walk_.evaluations() + k_samples_enough;
  uint32_t checked = 0;
  for (uint32_t number = graph_.level_count() - 1; number > 0; --number) {
    const Level above = graph_.level(number);
    for (uint32_t begin = 0; begin < above.row_count(); begin += k_list_rows_max) {
      if (walk_.evaluations() >= end || checked >= k_sample_checks_max) {
        return;
      }
      const uint32_t count = std::min(above.row_count() - begin, k_list_rows_max);
      walk_.compare(level, query_, *filter_, {above.rows() + begin, count});
      checked += count;
    }
  }
}

bool Traversal::step(uint32_t evaluations_max) {
  const auto work = [&] { return walk_.evaluations() + walk_.checks() / k_checks_per_evaluation; };
  const uint64_t end = work() + evaluations_max;
  while (work() < end) {
    const Level level = graph_.level(level_);
    if (level_ == 0 && filter_ != nullptr ? walk_.step(level, query_, *filter_)
                                          : level.links_max() > 0 && walk_.step(level, query_)) {
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
