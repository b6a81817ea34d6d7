#include "multivector/code_max_sim.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include "multivector/max_sim.h"

namespace asyncstore::multivector {

namespace {
constexpr float k_infinity = std::numeric_limits<float>::infinity();
// How far an exact similarity may be from the estimate, in standard deviations, as of single rows
// (docs/decisions/0014-bounded-rescoring.md).
constexpr float k_reach_deviations = 3;
}  // namespace

CodeMaxSim::CodeMaxSim(std::shared_ptr<const quantize::Quantizer> quantizer,
                       std::span<const float> query)
    : quantizer_(std::move(quantizer)) {
  const size_t rows = query.size() / quantizer_->dim();
  queries_.reserve(rows);
  for (size_t row = 0; row < rows; ++row) {
    queries_.push_back(quantizer_->encode_query(query.data() + row * quantizer_->dim()));
  }
  for (auto* best : {&best_, &low_, &high_}) {
    best->resize(rows);
  }
  begin();
}

uint64_t CodeMaxSim::bytes() const {
  // A byte of a product code is a look into a table.
  constexpr uint64_t k_look_cost = 8;
  const bool looks = quantizer_->kind() == quantize::Kind::product;
  return queries_.size() * code_bytes() * (looks ? k_look_cost : 1);
}

void CodeMaxSim::begin() {
  for (auto* best : {&best_, &low_, &high_}) {
    std::fill(best->begin(), best->end(), -k_infinity);
  }
}

void CodeMaxSim::add(const uint8_t* codes, size_t count) {
  std::array<float, quantize::k_estimate_rows_max> found;
  while (count > 0) {
    const size_t some = std::min(count, found.size());
    for (size_t q = 0; q < queries_.size(); ++q) {
      quantizer_->estimate(*queries_[q], codes, some, found.data());
      best_[q] = std::max(best_[q], *std::max_element(found.begin(), found.begin() + some));
    }
    codes += some * quantizer_->code_bytes();
    count -= some;
  }
}

void CodeMaxSim::add_with_errors(const uint8_t* codes, size_t count) {
  for (size_t row = 0; row < count; ++row, codes += quantizer_->code_bytes()) {
    for (size_t q = 0; q < queries_.size(); ++q) {
      float found = 0;
      quantizer_->estimate(*queries_[q], codes, 1, &found);
      const float error = k_reach_deviations * quantizer_->deviation_at_most(*queries_[q], codes);
      const bool known = std::isfinite(error);
      best_[q] = std::max(best_[q], found);
      low_[q] = std::max(low_[q], known ? found - error : -k_infinity);
      high_[q] = std::max(high_[q], known ? found + error : k_infinity);
    }
  }
}

float CodeMaxSim::similarity() const {
  return sum_of_best(best_);
}
float CodeMaxSim::low() const {
  return sum_of_best(low_);
}
float CodeMaxSim::high() const {
  const bool is_known = std::find(high_.begin(), high_.end(), k_infinity) == high_.end();
  return is_known ? sum_of_best(high_) : k_infinity;
}

}  // namespace asyncstore::multivector
