#include "sparse/window.h"

namespace asyncstore::sparse {

uint64_t WindowView::count_rows(const Run& run, uint32_t dim, const Piece& piece) const {
  if (!deleted) {
    return piece.count;
  }
  const auto [known, is_new] = counts_.try_emplace({run.first_row, dim}, 0);
  const auto add = [&, count = &known->second](uint32_t row, auto) {
    *count += is_live(row) ? 1 : 0;
  };
  if (is_new && run.is_coded) {
    run.visit_codes(piece, add);
  } else if (is_new) {
    run.visit(piece, add);
  }
  return known->second;
}

void WindowView::count_rows(std::span<const uint32_t> dims, std::span<uint64_t> counts) const {
  const std::lock_guard lock(mutex_);
  std::vector<size_t> from(runs.size());
  for (size_t i = 0; i < dims.size(); ++i) {
    for (size_t r = 0; r < runs.size(); ++r) {
      if (const Piece* piece = runs[r]->find(dims[i], from[r])) {
        counts[i] += count_rows(*runs[r], dims[i], *piece);
      }
    }
  }
  for (uint32_t row = first_tail_row; row < rows; ++row) {
    size_t at = 0;
    for (const uint32_t index :
         is_live(row) ? tail_row(row).indices : std::span<const uint32_t>()) {
      at = static_cast<size_t>(
          std::lower_bound(dims.begin() + static_cast<ptrdiff_t>(at), dims.end(), index) -
          dims.begin());
      if (at == dims.size()) {
        break;
      }
      counts[at] += dims[at] == index ? 1 : 0;
    }
  }
}

}  // namespace asyncstore::sparse
