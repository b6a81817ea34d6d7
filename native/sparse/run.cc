#include "sparse/run.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "base/assert.h"

namespace asyncstore::sparse {

namespace {

// A piece is dense when so many times its rows are all the rows: then its codes take no more than
// four thirds of what its list would, and are added up many at once.
constexpr uint32_t k_dense_part = 4;

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

// Puts the pieces of one run behind each other.
class RunBuilder {
 public:
  RunBuilder(uint32_t first_row, uint32_t rows, bool coded) : run_(std::make_shared<Run>()) {
    run_->first_row = first_row;
    run_->rows = rows;
    run_->is_coded = coded;
  }

  // Of weights that are known to the last bit.
  void add(uint32_t dim, std::span<const uint16_t> rows, std::span<const float> weights) {
    const auto [low, high] = std::minmax_element(weights.begin(), weights.end());
    Piece& piece = begin(dim, rows, *low, *high);
    if (!run_->is_coded) {
      run_->weights.insert(run_->weights.end(), weights.begin(), weights.end());
      return;
    }
    const Scale scale = Scale::of(piece);
    codes_.resize(weights.size());
    double error = 0;
    for (size_t i = 0; i < weights.size(); ++i) {
      codes_[i] = scale.code(weights[i]);
      error = std::max(error, std::fabs(scale.weight(codes_[i]) - double{weights[i]}));
    }
    piece.error = error > 0 ? std::nextafter(static_cast<float>(error),
                                             std::numeric_limits<float>::infinity())
                            : 0;
    put_codes(piece, rows, codes_);
  }

  // Of codes on the scale of another piece, which stays.
  void add_codes(uint32_t dim, const Piece& before, std::span<const uint16_t> rows,
                 std::span<const uint8_t> codes) {
    Piece& piece = begin(dim, rows, before.low, before.high);
    piece.error = before.error;
    put_codes(piece, rows, codes);
  }

  std::shared_ptr<const Run> build() {
    run_->dims.shrink_to_fit();
    run_->pieces.shrink_to_fit();
    run_->listed_rows.shrink_to_fit();
    run_->weights.shrink_to_fit();
    run_->codes.shrink_to_fit();
    run_->dense.shrink_to_fit();
    return std::move(run_);
  }

 private:
  Piece& begin(uint32_t dim, std::span<const uint16_t> rows, float low, float high) {
    run_->dims.push_back(dim);
    Piece& piece = run_->pieces.emplace_back();
    piece.count = static_cast<uint32_t>(rows.size());
    piece.low = low;
    piece.high = high;
    piece.is_dense = run_->is_coded && uint64_t{piece.count} * k_dense_part >= run_->rows ? 1 : 0;
    piece.begin =
        static_cast<uint32_t>(piece.is_dense != 0 ? run_->dense.size() : run_->listed_rows.size());
    if (piece.is_dense == 0) {
      run_->listed_rows.insert(run_->listed_rows.end(), rows.begin(), rows.end());
    }
    return piece;
  }

  void put_codes(const Piece& piece, std::span<const uint16_t> rows,
                 std::span<const uint8_t> codes) {
    if (piece.is_dense == 0) {
      run_->codes.insert(run_->codes.end(), codes.begin(), codes.end());
      return;
    }
    run_->dense.resize(run_->dense.size() + run_->rows);
    for (size_t i = 0; i < rows.size(); ++i) {
      run_->dense[piece.begin + rows[i] - run_->first_row] = codes[i];
    }
  }

  std::shared_ptr<Run> run_;
  std::vector<uint8_t> codes_;
};

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

std::shared_ptr<const Run> merge_runs(std::span<const std::shared_ptr<const Run>> runs,
                                      const RowBits* deleted, bool coded) {
  ASSERT(!runs.empty());
  struct Source {
    const Run* run;
    uint32_t dim;
    const Piece* piece;
  };
  std::vector<Source> sources;
  uint32_t rows = 0;
  for (const auto& run : runs) {
    ASSERT(!run->is_coded || (coded && runs.size() == 1));
    rows += run->rows;
    for (size_t i = 0; i < run->pieces.size(); ++i) {
      sources.push_back({run.get(), run->dims[i], &run->pieces[i]});
    }
  }
  std::stable_sort(sources.begin(), sources.end(),
                   [](const Source& a, const Source& b) { return a.dim < b.dim; });
  RunBuilder builder(runs.front()->first_row, rows, coded);
  std::vector<uint16_t> piece_rows;
  std::vector<float> weights;
  std::vector<uint8_t> codes;
  for (size_t i = 0; i < sources.size();) {
    const uint32_t dim = sources[i].dim;
    const Piece& first = *sources[i].piece;
    const bool has_codes = sources[i].run->is_coded;
    piece_rows.clear();
    weights.clear();
    codes.clear();
    for (; i < sources.size() && sources[i].dim == dim; ++i) {
      const auto keep = [&](uint32_t row) {
        const bool kept = !has_bit(deleted, row);
        if (kept) {
          piece_rows.push_back(static_cast<uint16_t>(row));
        }
        return kept;
      };
      if (has_codes) {
        sources[i].run->visit_codes(*sources[i].piece, [&](uint32_t row, uint8_t code) {
          if (keep(row)) {
            codes.push_back(code);
          }
        });
      } else {
        sources[i].run->visit(*sources[i].piece, [&](uint32_t row, double weight) {
          if (keep(row)) {
            weights.push_back(static_cast<float>(weight));
          }
        });
      }
    }
    if (piece_rows.empty()) {
      continue;
    }
    if (has_codes) {
      builder.add_codes(dim, first, piece_rows, codes);
    } else {
      builder.add(dim, piece_rows, weights);
    }
  }
  return builder.build();
}

}  // namespace asyncstore::sparse
