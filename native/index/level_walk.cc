#include "index/level_walk.h"

#include <array>

namespace asyncstore::index {
namespace {

constexpr size_t k_bridges_ahead = 4;  // whose links are prefetched
// Rows whose links are followed at once: what is compared then comes from memory together. Of
// 700,000 rows, one after the other takes 4 to 8 % longer, and finds no more: with ef 64 0.961 of
// the nearest ten, two at once 0.962, three and five 0.962.
constexpr size_t k_followed_max = 3;

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
  while (followed < k_followed_max && unseen + level.links_max() <= k_list_rows_max &&
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
  if (unseen.empty()) {
    return;
  }
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
  size_t followed = 0;
  uint32_t row = 0;
  while (followed < k_followed_max && found_.size() < k_list_rows_max && nearest_.take(&row)) {
    look_around(level, filter, row);
    ++followed;
  }
  compare_found(level, query);
  return followed > 0;
}

void LevelWalk::follow(const Level& level, const QuerySimilarity& query, const RowFilter& filter,
                       uint32_t row) {
  look_around(level, filter, row);
  compare_found(level, query);
}

// Puts the admitted rows around `row` with found_.
void LevelWalk::look_around(const Level& level, const RowFilter& filter, uint32_t row) {
  const size_t before = found_.size();
  bridge_count_ = 0;
  // With most of the links left the walk goes as it does without a filter.
  const bool bridged = !look_through(level, filter, row);
  for (size_t i = 0; bridged && i < std::min(bridge_count_, k_bridges_ahead); ++i) {
    level.prefetch_links(bridges_[i]);
  }
  const size_t enough = before + level.links_max() / 2;
  for (size_t i = 0; bridged && i < bridge_count_ && found_.size() < enough; ++i) {
    if (visited_.insert({&bridges_[i], 1}).empty()) {
      continue;
    }
    if (i + k_bridges_ahead < bridge_count_) {
      level.prefetch_links(bridges_[i + k_bridges_ahead]);
    }
    look_through(level, filter, bridges_[i]);
  }
}

void LevelWalk::compare_found(const Level& level, const QuerySimilarity& query) {
  for (size_t begin = 0; begin < found_.size(); begin += k_list_rows_max) {
    const size_t count = std::min(found_.size() - begin, size_t{k_list_rows_max});
    push(level, query, {found_.data() + begin, count});
  }
  found_.clear();
}

// Puts the admitted rows that `row` is linked to with found_, if they are new, and the others with
// bridges_. Tells whether most are admitted.
bool LevelWalk::look_through(const Level& level, const RowFilter& filter, uint32_t row) {
  LinkBuffer buffer;
  const std::span<const uint32_t> links = level.linked(row, buffer);
  if (links.empty()) {
    return true;
  }
  std::array<uint32_t, k_list_rows_max> admitted;
  size_t count = 0;
  const uint64_t mask = filter.admitted(links);
  checks_ += links.size();
  // Each is written to both and counted for one: which cannot be predicted.
  for (size_t i = 0; i < links.size(); ++i) {
    const size_t passes = mask >> i & 1;
    admitted[count] = links[i];
    count += passes;
    bridges_[bridge_count_] = links[i];
    bridge_count_ += 1 - passes;
  }
  bridge_count_ = std::min(bridge_count_, k_bridges_max);
  const std::span<const uint32_t> unseen = visited_.insert({admitted.data(), count});
  found_.insert(found_.end(), unseen.begin(), unseen.end());
  return 4 * count >= 3 * links.size();
}

uint64_t LevelWalk::ram_bytes() const {
  return nearest_.ram_bytes() + visited_.ram_bytes() + found_.capacity() * sizeof(uint32_t) +
         sizeof bridges_;
}

}  // namespace asyncstore::index
