#include "index/graph_layout.h"

namespace asyncstore::index {

namespace {
constexpr uint32_t k_narrow_rows_max = 1U << 24;
}  // namespace

GraphLayout::GraphLayout(uint32_t rows, uint32_t m, std::optional<uint64_t> links_apart) {
  ASSERT(m >= k_m_min && m <= k_m_max);
  uint64_t offset = sizeof(GraphHeader);
  for (uint32_t level_rows = rows;; level_rows = (level_rows + m - 1) / m) {
    const bool top = level_rows <= k_top_rows_max;
    LevelLayout& level = levels[level_count];
    level.rows = level_rows;
    level.links_max = level_count == 0 ? 2 * m : (top ? 0 : m);
    level.list_links = level.links_max;
    if (level_count == 0 && links_apart) {
      level.list_links = list_links_packed(m);
      level.link_bytes = rows <= k_narrow_rows_max ? 3 : 4;
      level.firsts_offset = offset;
      level.links_apart = *links_apart;
      offset = level.firsts_end();
    }
    level.links_offset = base::round_up(offset, sizeof(GraphHeader));
    level.apart_offset = base::round_up(level.lists_end(), sizeof(GraphHeader));
    level.rows_offset = level_count == 0 ? 0 : level.lists_end();
    offset = level.end();
    ++level_count;
    if (top) {
      break;
    }
  }
  size_bytes = offset;
}

}  // namespace asyncstore::index
