#include "index/link_selection.h"

#include <array>

namespace asyncstore::index {

void LinkSelection::select(const Level& level, const RowSimilarity& similarity, uint32_t place,
                           std::span<const LinkCandidate> candidates, uint32_t links_max) {
  waiting_.assign(candidates.begin(), candidates.end());
  uint32_t* links = level.links(place);
  uint32_t count = 0;
  uint32_t duplicates = 0;
  const uint32_t duplicates_max = level.links_max() / 8;
  float self = 0;
  const bool ties = waiting_.size() > duplicates_max &&
                    waiting_[0].similarity == waiting_[duplicates_max].similarity;
  if (ties) {
    const uint32_t row = level.row(place);
    similarity.similarities(row, {&row, 1}, &self);
  }
  while (count < links_max && !waiting_.empty()) {
    const LinkCandidate chosen = waiting_.front();
    if (ties && chosen.similarity == self && ++duplicates > duplicates_max) {
      waiting_.erase(waiting_.begin());
      continue;
    }
    links[count++] = chosen.place;
    waiting_.erase(waiting_.begin());
    if (count < links_max) {
      leave_out(level, similarity, chosen.place);
    }
  }
  std::fill(links + count, links + level.links_max(), k_no_link);
}

void LinkSelection::leave_out(const Level& level, const RowSimilarity& similarity,
                              uint32_t chosen) {
  std::array<uint32_t, k_list_rows_max> rows;
  std::array<float, k_list_rows_max> to_chosen;
  size_t kept = 0;
  for (size_t begin = 0; begin < waiting_.size(); begin += k_list_rows_max) {
    const size_t count = std::min(waiting_.size() - begin, size_t{k_list_rows_max});
    for (size_t i = 0; i < count; ++i) {
      rows[i] = level.row(waiting_[begin + i].place);
    }
    similarity.similarities(level.row(chosen), {rows.data(), count}, to_chosen.data());
    for (size_t i = 0; i < count; ++i) {
      if (to_chosen[i] <= waiting_[begin + i].similarity) {
        waiting_[kept++] = waiting_[begin + i];
      }
    }
  }
  waiting_.resize(kept);
}

}  // namespace asyncstore::index
