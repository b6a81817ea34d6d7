// Which candidates of one query are read from disk, and the best of those that were.
//
// The estimate of a candidate with its error says how near the row may be at best: its reach. A row
// whose reach is below the exact similarity of the last of the best `wanted` rows cannot be among
// them and is not read. So rows are read in waves, those that reach farthest first. The first wave
// is all that reach beyond the estimate of the last that is wanted, which mostly is all there is to
// read: estimates of the best rows are as often too low as too high.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include "engine/candidates.h"

namespace asyncstore::engine {

struct Estimated {
  Candidate candidate;
  float reach = 0;  // Preselection::reach()
};

class Rescoring {
 public:
  // Of `candidates`, the nearest by their estimates first, finds the `wanted` ≥ 1 nearest. A row
  // below `threshold` is not wanted either. Unless `early_stop`, one wave reads all candidates.
  Rescoring(std::vector<Estimated> candidates, uint64_t wanted, float threshold, bool early_stop,
            NearerFirst nearer)
      : candidates_(std::move(candidates)), best_(wanted, nearer), threshold_(threshold) {
    if (!early_stop) {
      threshold_ = -std::numeric_limits<float>::infinity();
    }
    bar_ = threshold_;
    if (early_stop && candidates_.size() >= wanted) {
      bar_ = std::max(bar_, candidates_[wanted - 1].candidate.similarity);
    }
    std::sort(candidates_.begin(), candidates_.end(), [&](const Estimated& a, const Estimated& b) {
      return a.reach != b.reach ? a.reach > b.reach : nearer(a.candidate, b.candidate);
    });
  }

  // The candidates to read next, all of which must be scored before the next call; none when the
  // best are known.
  std::span<const Estimated> next_wave() {
    if (next_ > 0) {
      bar_ = std::max(threshold_, best_.last());
    }
    const size_t begin = next_;
    while (next_ < candidates_.size() && candidates_[next_].reach >= bar_) {
      ++next_;
    }
    return std::span(candidates_).subspan(begin, next_ - begin);
  }

  void scored(const Candidate& exact) { best_.push(exact); }
  uint64_t rows_skipped() const { return candidates_.size() - next_; }
  // The best, nearest first; leaves this empty.
  std::vector<Candidate> take() { return best_.take(); }

 private:
  std::vector<Estimated> candidates_;  // farthest reach first
  size_t next_ = 0;                    // the first that was not read
  TopCandidates best_;
  float threshold_;
  float bar_;  // who does not reach it is not read in this wave
};

}  // namespace asyncstore::engine
