#include "index/graph_layout.h"

namespace asyncstore::index {

GraphLayout::GraphLayout(uint32_t rows, uint32_t m) {
  ASSERT(m >= k_m_min && m <= k_m_max);
  uint64_t offset = sizeof(GraphHeader);
  for (uint32_t level_rows = rows;; level_rows = (level_rows + m - 1) / m) {
    const bool top = level_rows <= k_top_rows_max;
    LevelLayout& level = levels[level_count];
    level.rows = level_rows;
    level.links_max = level_count == 0 ? 2 * m : (top ? 0 : m);
    level.links_offset = base::round_up(offset, sizeof(GraphHeader));
    level.rows_offset = level_count == 0 ? 0 : level.links_end();
    offset = level.end();
    ++level_count;
    if (top) {
      break;
    }
  }
  size_bytes = offset;
}

}  // namespace asyncstore::index
