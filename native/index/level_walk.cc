#include "index/level_walk.h"

#include <array>

namespace asyncstore::index {
namespace {
// Rows that a walk meets for each that it looks for: 12 to 20 with 32 links, measured.
constexpr uint32_t k_visited_factor = 16;
}  // namespace

void LevelWalk::begin(uint32_t ef) {
  nearest_.reset(ef);
  visited_.reset(ef * k_visited_factor);
}

void LevelWalk::compare(const Level& level, const QuerySimilarity& query,
                        std::span<const uint32_t> places) {
  std::array<uint32_t, k_list_rows_max> unseen;
  uint32_t count = 0;
  for (const uint32_t place : places) {
    if (visited_.insert(place)) {
      unseen[count++] = place;
    }
  }
  if (count == 0) {
    return;
  }
  std::array<uint32_t, k_list_rows_max> rows;
  for (uint32_t i = 0; i < count; ++i) {
    rows[i] = level.row(unseen[i]);
  }
  std::array<float, k_list_rows_max> similarities;
  query.similarities({rows.data(), count}, similarities.data());
  evaluations_ += count;
  for (uint32_t i = 0; i < count; ++i) {
    nearest_.push(similarities[i], unseen[i]);
  }
}

bool LevelWalk::step(const Level& level, const QuerySimilarity& query) {
  uint32_t place = 0;
  if (!nearest_.take(&place)) {
    return false;
  }
  const uint32_t* links = level.links(place);
  uint32_t count = 0;
  while (count < level.links_max() && links[count] != k_no_link) {
    ++count;
  }
  compare(level, query, {links, count});
  uint32_t next = 0;
  if (nearest_.peek(&next)) {
    level.prefetch_links(next);
  }
  return true;
}

}  // namespace asyncstore::index
