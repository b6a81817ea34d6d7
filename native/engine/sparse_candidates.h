// Rows of a sparse index that may be among the best of a query.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "engine/candidates.h"
#include "points/point_table.h"
#include "sparse/window.h"

namespace asyncstore::engine {

using BetterSparse = NearerInWindows<sparse::Snapshot>;

// Keeps what may be among the `wanted` ≥ 1 best of all that were pushed, and not below a threshold:
// whose estimate with its error reaches the estimate, less its error, of the last of them.
class SparseCandidates {
 public:
  SparseCandidates(uint64_t wanted, double threshold, size_t windows)
      : wanted_(wanted), bar_(threshold), errors_(windows) {}

  // What does not reach it need not be pushed.
  double bar() const { return bar_; }
  // Before rows of the window are pushed whose estimates have this error at most.
  void expect_error(uint32_t window, double error) {
    errors_[window] = std::max(errors_[window], error);
  }
  void push(const Candidate& candidate) {
    if (reach(candidate) < bar_) {
      return;
    }
    kept_.push_back(candidate);
    if (kept_.size() >= full_) {
      shrink();
    }
  }

  // What the score of a candidate is not above.
  double reach(const Candidate& candidate) const {
    return double{candidate.similarity} + errors_[candidate.segment];
  }
  // In no order; leaves this empty.
  std::vector<Candidate> take() {
    shrink();
    return std::move(kept_);
  }

 private:
  static constexpr size_t k_full_min = 1024;

  double floor(const Candidate& candidate) const {
    return double{candidate.similarity} - errors_[candidate.segment];
  }
  void shrink() {
    if (kept_.size() >= wanted_) {
      const auto last = kept_.begin() + static_cast<ptrdiff_t>(wanted_ - 1);
      std::nth_element(kept_.begin(), last, kept_.end(),
                       [&](const auto& a, const auto& b) { return floor(a) > floor(b); });
      bar_ = std::max(bar_, floor(*last));
      std::erase_if(kept_, [&](const Candidate& one) { return reach(one) < bar_; });
    }
    full_ = std::max(k_full_min, 2 * kept_.size());
  }

  const uint64_t wanted_;
  double bar_;
  std::vector<double> errors_;  // of each window
  std::vector<Candidate> kept_;
  size_t full_ = k_full_min;
};

}  // namespace asyncstore::engine
