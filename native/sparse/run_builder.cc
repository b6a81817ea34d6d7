#include "sparse/run_builder.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace asyncstore::sparse {

namespace {

// A piece is dense when so many times its rows are all the rows: then its codes take no more than
// four thirds of what its list would, and are added up many at once.
constexpr uint32_t k_dense_part = 4;
// Space that was reserved and not used stays where it is no more than this part.
constexpr size_t k_waste_part = 16;

bool is_dense(uint64_t elements, uint32_t rows, bool coded) {
  return coded && elements * k_dense_part >= rows;
}

template <typename T>
void trim(std::vector<T>& values) {
  if (values.capacity() - values.size() > values.size() / k_waste_part) {
    values.shrink_to_fit();
  }
}

}  // namespace

void RunSize::add(uint64_t elements, uint32_t rows, bool coded) {
  ++dims;
  (is_dense(elements, rows, coded) ? dense : listed) +=
      is_dense(elements, rows, coded) ? rows : elements;
}

RunBuilder::RunBuilder(uint32_t first_row, uint32_t rows, bool coded)
    : run_(std::make_shared<Run>()) {
  run_->first_row = first_row;
  run_->rows = rows;
  run_->is_coded = coded;
}

void RunBuilder::reserve(const RunSize& size) {
  run_->dims.reserve(size.dims);
  run_->pieces.reserve(size.dims);
  run_->listed_rows.reserve(size.listed);
  if (run_->is_coded) {
    run_->codes.reserve(size.listed);
    run_->dense.reserve(size.dense);
  } else {
    run_->weights.reserve(size.listed);
  }
}

void RunBuilder::add(uint32_t dim, std::span<const uint16_t> rows, std::span<const float> weights) {
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
  piece.error =
      error > 0 ? std::nextafter(static_cast<float>(error), std::numeric_limits<float>::infinity())
                : 0;
  put_codes(piece, rows, codes_);
}

void RunBuilder::add_codes(uint32_t dim, const Piece& before, std::span<const uint16_t> rows,
                           std::span<const uint8_t> codes) {
  Piece& piece = begin(dim, rows, before.low, before.high);
  piece.error = before.error;
  put_codes(piece, rows, codes);
}

std::shared_ptr<const Run> RunBuilder::build() {
  trim(run_->dims);
  trim(run_->pieces);
  trim(run_->listed_rows);
  trim(run_->weights);
  trim(run_->codes);
  trim(run_->dense);
  return std::move(run_);
}

Piece& RunBuilder::begin(uint32_t dim, std::span<const uint16_t> rows, float low, float high) {
  run_->dims.push_back(dim);
  Piece& piece = run_->pieces.emplace_back();
  piece.count = static_cast<uint32_t>(rows.size());
  piece.low = low;
  piece.high = high;
  piece.is_dense = is_dense(piece.count, run_->rows, run_->is_coded) ? 1 : 0;
  piece.begin =
      static_cast<uint32_t>(piece.is_dense != 0 ? run_->dense.size() : run_->listed_rows.size());
  if (piece.is_dense == 0) {
    run_->listed_rows.insert(run_->listed_rows.end(), rows.begin(), rows.end());
  }
  return piece;
}

void RunBuilder::put_codes(const Piece& piece, std::span<const uint16_t> rows,
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

}  // namespace asyncstore::sparse
