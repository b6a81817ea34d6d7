#include "index/connection.h"

#include "index/row_as_query.h"
#include "index/traversal.h"

namespace asyncstore::index {

Connection::Connection(const Graph& graph, const RowSimilarity& similarity, uint32_t ef,
                       uint32_t* queue, LevelWalk& walk)
    : graph_(graph),
      level_(graph.level(0)),
      similarity_(similarity),
      ef_(ef),
      queue_(queue),
      bits_(base::round_up(graph.row_count(), 64) / 8, false),
      walk_(walk) {}

bool Connection::allocate() {
  return bits_.grow(base::round_up(graph_.row_count(), 64) / 8);
}

bool Connection::connect(const std::function<bool()>& tick) {
  const uint32_t start = graph_.level(graph_.level_count() - 1).row(0);
  if (!spread(start, tick)) {
    return false;
  }
  for (uint32_t row = 0; row < graph_.row_count(); ++row) {
    if (reached(row)) {
      continue;
    }
    if (!tick()) {
      return false;
    }
    link(row);
    ++connected_;
    if (!spread(row, tick)) {
      return false;
    }
  }
  return true;
}

bool Connection::spread(uint32_t row, const std::function<bool()>& tick) {
  constexpr uint32_t k_tick_rows = 1 << 14;
  uint32_t begin = 0;
  uint32_t end = 0;
  queue_[end++] = row;
  mark(row);
  while (begin < end) {
    const uint32_t next = queue_[begin++];
    for (const uint32_t other : level_.linked(next)) {
      if (!reached(other)) {
        mark(other);
        queue_[end++] = other;
        level_.prefetch_links(other);
      }
    }
    if (begin % k_tick_rows == 0 && !tick()) {
      return false;
    }
  }
  return true;
}

// Where a link is added: the nearest reached row that has a free one, or the nearest of all, which
// gives up its last link; the new one then leads there as well, so that nothing is lost.
void Connection::link(uint32_t row) {
  const RowAsQuery query(similarity_, row);
  Traversal traversal(graph_, query, nullptr, ef_, walk_);
  while (!traversal.step(UINT32_MAX)) {
  }
  uint32_t nearest = k_no_link;
  for (uint32_t i = 0; i < walk_.nearest().size(); ++i) {
    const uint32_t other = walk_.nearest().row(i);
    if (!reached(other)) {
      continue;
    }
    const size_t count = level_.linked(other).size();
    if (count < level_.links_max()) {
      level_.links(other)[count] = row;
      return;
    }
    nearest = nearest == k_no_link ? other : nearest;
  }
  if (nearest == k_no_link) {
    nearest = graph_.level(graph_.level_count() - 1).row(0);
  }
  const size_t last = level_.linked(nearest).size() - 1;
  const size_t own = std::min(level_.linked(row).size(), size_t{level_.links_max()} - 1);
  level_.links(row)[own] = level_.links(nearest)[last];
  level_.links(nearest)[last] = row;
}

}  // namespace asyncstore::index
