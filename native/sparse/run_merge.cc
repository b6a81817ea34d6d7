#include "sparse/run_merge.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"

namespace asyncstore::sparse {

namespace {

using Runs = std::vector<std::shared_ptr<const Run>>;

uint32_t rows_of(const Runs& runs) {
  ASSERT(!runs.empty());
  uint32_t rows = 0;
  for (const auto& run : runs) {
    rows += run->rows;
  }
  return rows;
}

}  // namespace

RunMerge::RunMerge(Runs runs, bool coded)
    : rows_(rows_of(runs)), coded_(coded), builder_(runs.front()->first_row, rows_, coded) {
  for (auto& run : runs) {
    ASSERT(!run->is_coded || (coded && runs.size() == 1));
    sources_.push_back({std::move(run)});
  }
}

bool RunMerge::step(uint64_t elements, const RowBits* deleted) {
  for (uint64_t done = 0; done < elements;) {
    const auto dim = next_dim();
    if (dim) {
      done += counted_ ? fill(*dim, deleted) : count(*dim);
    } else if (counted_) {
      return true;
    } else {
      counted_ = true;
      builder_.reserve(size_);
      for (Source& source : sources_) {
        source.at = 0;
      }
    }
  }
  return false;
}

std::optional<uint32_t> RunMerge::next_dim() const {
  std::optional<uint32_t> least;
  for (const auto& [run, at] : sources_) {
    if (at < run->dims.size() && (!least || run->dims[at] < *least)) {
      least = run->dims[at];
    }
  }
  return least;
}

// Both say how much work it was.
uint64_t RunMerge::count(uint32_t dim) {
  uint64_t elements = 0;
  for (auto& [run, at] : sources_) {
    if (at < run->dims.size() && run->dims[at] == dim) {
      elements += run->pieces[at++].count;
    }
  }
  size_.add(elements, rows_, coded_);
  return 1;
}

uint64_t RunMerge::fill(uint32_t dim, const RowBits* deleted) {
  piece_rows_.clear();
  weights_.clear();
  codes_.clear();
  uint64_t elements = 1;
  const Piece* coded = nullptr;
  const auto keeps = [&](uint32_t row) {
    const bool kept = !has_bit(deleted, row);
    if (kept) {
      piece_rows_.push_back(static_cast<uint16_t>(row));
    }
    return kept;
  };
  for (auto& [run, at] : sources_) {
    if (at == run->dims.size() || run->dims[at] != dim) {
      continue;
    }
    const Piece& piece = run->pieces[at++];
    elements += piece.is_dense != 0 ? run->rows : piece.count;
    if (run->is_coded) {
      coded = &piece;
      run->visit_codes(piece, [&](uint32_t row, uint8_t code) {
        if (keeps(row)) {
          codes_.push_back(code);
        }
      });
    } else {
      run->visit(piece, [&](uint32_t row, double weight) {
        if (keeps(row)) {
          weights_.push_back(static_cast<float>(weight));
        }
      });
    }
  }
  if (coded != nullptr && !piece_rows_.empty()) {
    builder_.add_codes(dim, *coded, piece_rows_, codes_);
  } else if (!piece_rows_.empty()) {
    builder_.add(dim, piece_rows_, weights_);
  }
  return elements;
}

}  // namespace asyncstore::sparse
