#include "sparse/run.h"

#include <algorithm>
#include <array>

#include "sparse/run_builder.h"

namespace asyncstore::sparse {

namespace {

// Orders by dimension, and leaves equal ones as they are: a pass for each byte that differs.
void sort_by_dim(std::vector<Posting>& postings) {
  std::vector<Posting> other(postings.size());
  for (uint32_t shift = 0; shift < 32; shift += 8) {
    std::array<size_t, 257> begins{};
    for (const Posting& posting : postings) {
      ++begins[(posting.dim >> shift & 255) + 1];
    }
    if (std::find(begins.begin(), begins.end(), postings.size()) != begins.end()) {
      continue;  // all have the same byte here
    }
    for (size_t i = 1; i < begins.size(); ++i) {
      begins[i] += begins[i - 1];
    }
    for (const Posting& posting : postings) {
      other[begins[posting.dim >> shift & 255]++] = posting;
    }
    postings.swap(other);
  }
}

}  // namespace

const Piece* Run::find(uint32_t dim, size_t& from) const {
  const auto found = std::lower_bound(dims.begin() + static_cast<ptrdiff_t>(from), dims.end(), dim);
  from = static_cast<size_t>(found - dims.begin());
  return found != dims.end() && *found == dim ? &pieces[from] : nullptr;
}

uint64_t Run::ram_bytes() const {
  return sizeof(Run) + dims.capacity() * sizeof(uint32_t) + pieces.capacity() * sizeof(Piece) +
         listed_rows.capacity() * sizeof(uint16_t) + weights.capacity() * sizeof(float) +
         codes.capacity() + dense.capacity();
}

bool Run::weight_of(const Piece& piece, uint32_t row, double& weight) const {
  if (piece.is_dense != 0) {
    const uint8_t code = dense[size_t{piece.begin} + row - first_row];
    weight = code != 0 ? Scale::of(piece).weight(code) : 0;
    return code != 0;
  }
  const auto begin = listed_rows.begin() + piece.begin;
  const auto end = begin + piece.count;
  const auto found = std::lower_bound(begin, end, row);
  if (found == end || *found != row) {
    return false;
  }
  const auto at = static_cast<size_t>(found - listed_rows.begin());
  weight = is_coded ? Scale::of(piece).weight(codes[at]) : double{weights[at]};
  return true;
}

std::shared_ptr<const Run> make_run(uint32_t first_row, uint32_t rows,
                                    std::vector<Posting>& postings) {
  sort_by_dim(postings);
  RunBuilder builder(first_row, rows, false);
  std::vector<uint16_t> piece_rows;
  std::vector<float> weights;
  for (size_t i = 0; i < postings.size();) {
    const uint32_t dim = postings[i].dim;
    piece_rows.clear();
    weights.clear();
    for (; i < postings.size() && postings[i].dim == dim; ++i) {
      piece_rows.push_back(postings[i].row);
      weights.push_back(postings[i].weight);
    }
    builder.add(dim, piece_rows, weights);
  }
  return builder.build();
}

}  // namespace asyncstore::sparse
