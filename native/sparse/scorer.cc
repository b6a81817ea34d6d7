#include "sparse/scorer.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "simd/kernels.h"
#include "sparse/sparse_vector.h"

namespace asyncstore::sparse {

using base::Bytes;

namespace {

// Sums of integers: what a row can get at most fits 16 bits. Each term adds a whole number that is
// up to one and a half above, or half below, what it should be.
constexpr double k_sum_max = 65000;
constexpr size_t k_integer_terms_max = 8000;
// Where a run lists no more than this part of its rows for the query, sums are looked up by the
// lists instead of one after the other.
constexpr uint32_t k_few_part = 8;
// Sums looked at together.
constexpr uint32_t k_block_rows = 64;
constexpr uint32_t k_tail_bits = 1 << 14;

// Rows whose sums are added up together: they stay in the nearest cache.
constexpr uint32_t k_tile_rows = 1 << 14;

// Of a float's rounding, and of some more steps in double.
constexpr double k_rounding = 4 * double{std::numeric_limits<float>::epsilon()};

// What a code is multiplied by, with 8 bits behind the point.
uint16_t factor_of(double weight, const Piece& piece, double unit) {
  return static_cast<uint16_t>(std::lround(256 * Scale::of(piece).scale * weight / unit));
}

// Where the rows below `end` end in the list of a piece that is not dense, from `at` on.
size_t end_of(const Run& run, const Piece& piece, size_t at, uint32_t end) {
  const size_t last = size_t{piece.begin} + piece.count;
  if (at == last || run.listed_rows[last - 1] < end) {
    return last;
  }
  const auto begin = run.listed_rows.begin();
  return static_cast<size_t>(std::lower_bound(begin + static_cast<ptrdiff_t>(at),
                                              begin + static_cast<ptrdiff_t>(last), end) -
                             begin);
}

}  // namespace

bool dot(const Query& query, Bytes stored, double& score) {
  const uint64_t elements = elements_of(stored.size());
  const std::byte* const values = stored.data() + elements * sizeof(uint32_t);
  const auto index_at = [&](uint64_t i) {
    uint32_t index;
    std::memcpy(&index, stored.data() + i * sizeof index, sizeof index);
    return index;
  };
  bool shares = false;
  double sum = 0;
  uint64_t i = 0;
  size_t at = 0;
  while (i < elements && at < query.indices.size()) {
    const uint32_t index = index_at(i);
    if (index < query.indices[at]) {
      ++i;
    } else if (index > query.indices[at]) {
      ++at;
    } else {
      float value;
      std::memcpy(&value, values + i * sizeof value, sizeof value);
      sum += query.weights[at] * double{value};
      shares = true;
      ++i;
      ++at;
    }
  }
  score = sum;
  return shares;
}

void apply_idf(Query& query, std::span<const uint64_t> counts, uint64_t rows) {
  for (size_t i = 0; i < counts.size(); ++i) {
    const auto having = static_cast<double>(counts[i]);
    query.weights[i] *= std::log1p((static_cast<double>(rows) - having + 0.5) / (having + 0.5));
  }
}

// --- runs ---

double Scorer::begin_run(const Query& query, const Run& run) {
  run_ = &run;
  next_row_ = run.first_row;
  error_ = 0;
  gather(query, run);
  is_signed_ = terms_.size() > k_integer_terms_max ||
               std::any_of(terms_.begin(), terms_.end(),
                           [](const Term& term) { return term.weight < 0 || term.piece->low < 0; });
  if (!terms_.empty()) {
    error_ = is_signed_ ? begin_signed() : begin_integers();
  }
  return error_;
}

bool Scorer::next_rows(double bar) {
  found_.clear();
  const uint32_t end_of_run = run_->first_row + run_->rows;
  if (terms_.empty() || next_row_ == end_of_run) {
    return false;
  }
  if (is_signed_) {
    take_signed(bar);
    next_row_ = end_of_run;
    return true;
  }
  const uint32_t begin = next_row_;
  next_row_ = is_listed_ ? end_of_run : std::min(begin + k_tile_rows, end_of_run);
  for (Term& term : terms_) {
    add_integers(term, begin, next_row_);
  }
  // Of at least 1: other rows share nothing with the query.
  const double least = std::fmax(std::ceil((bar - error_ + bias_) / unit_), 1);
  const auto wanted = static_cast<uint32_t>(std::fmin(least, k_sum_max * 2));
  if (is_listed_) {
    take_listed(wanted);
    return true;
  }
  for (uint32_t row = begin; row < next_row_; row += k_block_rows) {
    take_block(row, std::min(row + k_block_rows, next_row_), wanted);
  }
  return true;
}

void Scorer::gather(const Query& query, const Run& run) {
  terms_.clear();
  size_t from = 0;
  for (size_t i = 0; i < query.indices.size() && from < run.dims.size(); ++i) {
    if (const Piece* piece = run.find(query.indices[i], from)) {
      terms_.push_back({piece, query.weights[i], piece->begin});
    }
  }
}

// --- whole numbers ---

// Returns the error.
double Scorer::begin_integers() {
  double highest = 0;
  double error = 0;
  uint64_t listed = 0;
  bool has_dense = false;
  for (const Term& term : terms_) {
    highest += term.weight * double{term.piece->high};
    error += term.weight * double{term.piece->error};
    listed += term.piece->count;
    has_dense = has_dense || term.piece->is_dense != 0;
  }
  const auto terms = static_cast<double>(terms_.size());
  unit_ = highest > 0 ? highest / (k_sum_max - 2 * terms) : 1;
  bias_ = unit_ * terms / 2;  // half a unit for each term
  is_listed_ = !has_dense && listed < run_->rows / k_few_part;
  sums_.resize(k_window_rows);
  return error + unit_ * terms + unit_ * k_sum_max * k_rounding;
}

// Adds what one dimension gives to the sums of rows [begin, end).
void Scorer::add_integers(Term& term, uint32_t begin, uint32_t end) {
  if (!run_->is_coded) {
    add_floats(term, end);
  } else if (term.piece->is_dense == 0) {
    add_codes(term, end);
  } else {
    const uint8_t* const codes = run_->dense.data() + term.piece->begin + begin - run_->first_row;
    simd::kernels().add_codes(codes, end - begin, factor_of(term.weight, *term.piece, unit_),
                              sums_.data() + begin);
  }
}

void Scorer::add_floats(Term& term, uint32_t end) {
  const double factor = term.weight / unit_;
  const size_t last = end_of(*run_, *term.piece, term.at, end);
  for (size_t i = term.at; i < last; ++i) {
    const auto whole = static_cast<uint32_t>(double{run_->weights[i]} * factor);
    uint16_t& sum = sums_[run_->listed_rows[i]];
    sum = static_cast<uint16_t>(sum + whole + 1);
  }
  term.at = last;
}

void Scorer::add_codes(Term& term, uint32_t end) {
  const uint32_t factor = factor_of(term.weight, *term.piece, unit_);
  const size_t last = end_of(*run_, *term.piece, term.at, end);
  const uint16_t* const rows = run_->listed_rows.data();
  const uint8_t* const codes = run_->codes.data();
  uint16_t* const sums = sums_.data();
  for (size_t i = term.at; i < last; ++i) {
    // As the kernel does.
    sums[rows[i]] = static_cast<uint16_t>(sums[rows[i]] + (codes[i] * factor >> 8) + 1);
  }
  term.at = last;
}

// The rows whose sums are large enough; leaves all sums zero. Here and below.
void Scorer::take_listed(uint32_t least) {
  for (const Term& term : terms_) {
    const uint16_t* const rows = run_->listed_rows.data() + term.piece->begin;
    for (size_t i = 0; i < term.piece->count; ++i) {
      uint16_t& sum = sums_[rows[i]];
      if (sum >= least) {
        found_.push_back({rows[i], score_of(unit_ * sum - bias_)});
      }
      sum = 0;  // it may come again, in another list
    }
  }
}

void Scorer::take_block(uint32_t begin, uint32_t end, uint32_t least) {
  uint16_t* const sums = sums_.data() + begin;
  uint16_t largest = 0;
  for (uint32_t i = 0; i < end - begin; ++i) {
    largest = std::max(largest, sums[i]);
  }
  for (uint32_t i = 0; i < end - begin && largest >= least; ++i) {
    if (sums[i] >= least) {
      found_.push_back({begin + i, score_of(unit_ * sums[i] - bias_)});
    }
  }
  std::memset(sums, 0, (end - begin) * sizeof *sums);
}

// --- doubles, where weights are negative, and a bit for each row that has a sum, be it zero ---

// Returns the error.
double Scorer::begin_signed() {
  signed_sums_.resize(k_window_rows);
  touched_.resize(k_window_rows / 64);
  double error = 0;
  double largest = 0;
  for (const Term& term : terms_) {
    const Piece& piece = *term.piece;
    run_->visit(piece, [&](uint32_t row, double weight) {
      signed_sums_[row] += weight * term.weight;
      touched_[row / 64] |= uint64_t{1} << (row % 64);
    });
    const double weight = std::fabs(term.weight);
    error += weight * double{piece.error};
    largest += weight * std::fmax(std::fabs(double{piece.low}), std::fabs(double{piece.high}));
  }
  return error + largest * k_rounding;
}

void Scorer::take_signed(double bar) {
  const uint32_t end = run_->first_row + run_->rows;
  for (uint32_t word = run_->first_row / 64; word * 64 < end; ++word) {
    for (uint64_t bits = touched_[word]; bits != 0; bits &= bits - 1) {
      const uint32_t row = word * 64 + static_cast<uint32_t>(std::countr_zero(bits));
      const double sum = signed_sums_[row];
      if (sum + error_ >= bar) {
        found_.push_back({row, score_of(sum)});
      }
      signed_sums_[row] = 0;
    }
    touched_[word] = 0;
  }
}

// --- tails ---

double Scorer::score_tail(const Query& query, const WindowView& window) {
  found_.clear();
  tail_dims_.assign(k_tail_bits / 64, 0);
  for (const uint32_t index : query.indices) {
    tail_dims_[index % k_tail_bits / 64] |= uint64_t{1} << (index % 64);
  }
  double largest = 0;
  for (uint32_t row = window.first_tail_row; row < window.rows; ++row) {
    const auto [indices, values] = window.tail_row(row);
    double sum = 0;
    double size = 0;
    bool shares = false;
    auto at = query.indices.begin();
    for (size_t i = 0; i < indices.size(); ++i) {
      const uint32_t index = indices[i];
      if ((tail_dims_[index % k_tail_bits / 64] >> (index % 64) & 1) == 0) {
        continue;
      }
      at = std::lower_bound(at, query.indices.end(), index);
      if (at != query.indices.end() && *at == index) {
        const double product =
            query.weights[static_cast<size_t>(at - query.indices.begin())] * double{values[i]};
        sum += product;
        size += std::fabs(product);
        shares = true;
      }
    }
    if (shares) {
      found_.push_back({row, score_of(sum)});
      largest = std::fmax(largest, size);
    }
  }
  return largest * k_rounding;
}

// --- one row ---

Estimate estimate(const Query& query, const WindowView& window, uint32_t row) {
  const auto run = std::find_if(window.runs.begin(), window.runs.end(),
                                [&](const auto& one) { return row < one->first_row + one->rows; });
  Estimate found;
  if (run == window.runs.end()) {
    const auto [indices, values] = window.tail_row(row);
    double size = 0;
    auto at = query.indices.begin();
    for (size_t i = 0; i < indices.size(); ++i) {
      at = std::lower_bound(at, query.indices.end(), indices[i]);
      if (at != query.indices.end() && *at == indices[i]) {
        const double product =
            query.weights[static_cast<size_t>(at - query.indices.begin())] * double{values[i]};
        found.score += product;
        size += std::fabs(product);
      }
    }
    found.error = size * k_rounding;
    return found;
  }
  size_t from = 0;
  double size = 0;
  for (size_t i = 0; i < query.indices.size(); ++i) {
    const Piece* piece = (*run)->find(query.indices[i], from);
    double weight = 0;
    if (piece != nullptr && (*run)->weight_of(*piece, row, weight)) {
      found.score += query.weights[i] * weight;
      found.error += std::fabs(query.weights[i]) * double{piece->error};
      size += std::fabs(query.weights[i] * weight);
    }
  }
  found.error += size * k_rounding;
  return found;
}

}  // namespace asyncstore::sparse
