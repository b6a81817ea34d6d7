#include "index/level_walk.h"

#include <algorithm>
#include <array>

namespace asyncstore::index {
namespace {

// Bridges whose lists are prefetched, and those of them whose links apart are, the lists having
// come. Of 700,000 rows, one in ten admitted, this makes 11 % more searches than four and none.
constexpr size_t k_lists_ahead = 8;
constexpr size_t k_apart_ahead = 4;

// New rows around one that end the look through its bridges, of so many links.
size_t enough_of(uint32_t links_max) {
  return size_t{links_max} * 7 / 16;
}

}  // namespace

void LevelWalk::reserve(uint32_t rows, uint32_t ef) {
  nearest_.reserve(ef);
  visited_.reset(rows);
}

void LevelWalk::begin(const Level& level, uint32_t ef) {
  nearest_.reset(ef);
  visited_.reset(level.row_count());
  found_.clear();
}

void LevelWalk::compare(const Level& level, const QuerySimilarity& query,
                        std::span<const uint32_t> places) {
  push(level, query, visited_.insert(places));
}

bool LevelWalk::step(const Level& level, const QuerySimilarity& query) {
  size_t followed = 0;
  size_t unseen = 0;
  LinkBuffer buffer;
  uint32_t place = 0;
  // Several rows together while their links fit into one list.
  while (followed < k_followed_max &&
         (followed == 0 || unseen + level.links_max() <= k_list_rows_max) &&
         nearest_.take(&place)) {
    unseen += visited_.insert(level.linked(place, buffer)).size();
    ++followed;
  }
  if (followed == 0) {
    return false;
  }
  uint32_t next = 0;
  const bool known = nearest_.peek(&next);
  if (known) {
    level.prefetch_links(next);
  }
  push(level, query, visited_.last(unseen), known ? &next : nullptr);
  return true;
}

void LevelWalk::push(const Level& level, const QuerySimilarity& query,
                     std::span<const uint32_t> unseen, const uint32_t* likely_next) {
  for (; unseen.size() > k_list_rows_max; unseen = unseen.subspan(k_list_rows_max)) {
    push_some(level, query, unseen.first(k_list_rows_max), nullptr);
  }
  if (!unseen.empty()) {
    push_some(level, query, unseen, likely_next);
  }
}

void LevelWalk::push_some(const Level& level, const QuerySimilarity& query,
                          std::span<const uint32_t> unseen, const uint32_t* likely_next) {
  ASSERT(unseen.size() <= k_list_rows_max);
  std::array<uint32_t, k_list_rows_max> rows;
  for (size_t i = 0; i < unseen.size(); ++i) {
    rows[i] = level.row(unseen[i]);
  }
  std::array<float, k_list_rows_max> similarities;
  query.similarities({rows.data(), unseen.size()}, similarities.data());
  if (likely_next != nullptr) {
    level.prefetch_apart(*likely_next);
  }
  evaluations_ += unseen.size();
  for (size_t i = 0; i < unseen.size(); ++i) {
    bool next = false;
    if (nearest_.push(similarities[i], unseen[i], &next) && next) {
      level.prefetch_links(unseen[i]);
    }
  }
}

void LevelWalk::compare(const Level& level, const QuerySimilarity& query, const RowFilter& filter,
                        std::span<const uint32_t> rows) {
  std::array<uint32_t, k_list_rows_max> admitted;
  const uint64_t mask = filter.admitted(rows);
  checks_ += rows.size();
  size_t count = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    admitted[count] = rows[i];
    count += (mask >> i) & 1;
  }
  compare(level, query, {admitted.data(), count});
}

bool LevelWalk::step(const Level& level, const QuerySimilarity& query, const RowFilter& filter) {
  std::array<uint32_t, k_followed_max> rows;
  size_t count = 0;
  while (count < rows.size() && nearest_.take(&rows[count])) {
    level.prefetch_links(rows[count++]);
  }
  follow(level, query, filter, std::span(rows).first(count));
  return count > 0;
}

// The links of all rows are looked through first: meanwhile those of their bridges come from
// memory.
void LevelWalk::follow(const Level& level, const QuerySimilarity& query, const RowFilter& filter,
                       std::span<const uint32_t> rows) {
  ASSERT(rows.size() <= k_followed_max);
  for (size_t i = 0; i < rows.size(); ++i) {
    look_around(level, filter, rows[i], bridges_[i]);
  }
  for (size_t i = 0; i < rows.size(); ++i) {
    cross(level, filter, bridges_[i]);
  }
  compare_found(level, query);
}

void LevelWalk::look_around(const Level& level, const RowFilter& filter, uint32_t row,
                            Bridges& bridges) {
  LinkBuffer buffer;
  const std::span<const uint32_t> links = level.linked(row, buffer);
  bridges.count = 0;
  bridges.found = 0;
  const size_t admitted = look_through(filter, links, bridges);
  // With most of the links left the walk goes as it does without a filter.
  if (4 * admitted >= 3 * links.size()) {
    bridges.count = 0;
  }
  for (size_t i = 0; i < std::min(bridges.count, k_lists_ahead); ++i) {
    level.prefetch_links(bridges.rows[i]);
  }
}

// Looks through the links of the bridges until enough rows are found.
void LevelWalk::cross(const Level& level, const RowFilter& filter, Bridges& bridges) {
  LinkBuffer buffer;
  for (size_t i = 0; i < std::min(bridges.count, k_apart_ahead); ++i) {
    level.prefetch_apart(bridges.rows[i]);
  }
  const size_t enough = enough_of(level.links_max());
  for (size_t i = 0; i < bridges.count && bridges.found < enough; ++i) {
    if (visited_.insert({&bridges.rows[i], 1}).empty()) {
      continue;
    }
    if (i + k_lists_ahead < bridges.count) {
      level.prefetch_links(bridges.rows[i + k_lists_ahead]);
    }
    if (i + k_apart_ahead < bridges.count) {
      level.prefetch_apart(bridges.rows[i + k_apart_ahead]);
    }
    look_through(filter, level.linked(bridges.rows[i], buffer), bridges);
  }
}

void LevelWalk::compare_found(const Level& level, const QuerySimilarity& query) {
  push(level, query, found_);
  found_.clear();
}

// Puts the admitted rows of `links` with found_, if they are new, and the others with the bridges.
// Returns how many are admitted.
size_t LevelWalk::look_through(const RowFilter& filter, std::span<const uint32_t> links,
                               Bridges& bridges) {
  size_t admitted = 0;
  for (; links.size() > k_list_rows_max; links = links.subspan(k_list_rows_max)) {
    admitted += look_through_some(filter, links.first(k_list_rows_max), bridges);
  }
  return links.empty() ? admitted : admitted + look_through_some(filter, links, bridges);
}

size_t LevelWalk::look_through_some(const RowFilter& filter, std::span<const uint32_t> links,
                                    Bridges& bridges) {
  std::array<uint32_t, k_list_rows_max> admitted;
  size_t count = 0;
  const uint64_t mask = filter.admitted(links);
  checks_ += links.size();
  // Each is written to both and counted for one: which cannot be predicted.
  for (size_t i = 0; i < links.size(); ++i) {
    const size_t passes = mask >> i & 1;
    admitted[count] = links[i];
    count += passes;
    bridges.rows[bridges.count] = links[i];
    bridges.count += 1 - passes;
  }
  bridges.count = std::min(bridges.count, k_bridges_max);
  const std::span<const uint32_t> unseen = visited_.insert({admitted.data(), count});
  found_.insert(found_.end(), unseen.begin(), unseen.end());
  bridges.found += unseen.size();
  return count;
}

uint64_t LevelWalk::ram_bytes() const {
  return nearest_.ram_bytes() + visited_.ram_bytes() + found_.capacity() * sizeof(uint32_t) +
         sizeof bridges_;
}

}  // namespace asyncstore::index
