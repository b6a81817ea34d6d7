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
  float reach = 0;  // Preselection::reach(), or what it is not above
  bool known = false;
};

template <typename Nearer = NearerFirst>
class Rescoring {
 public:
  // Of `candidates`, in any order, finds the `wanted` ≥ 1 nearest. A row below `threshold` is not
  // wanted either. Unless `early_stop`, one wave reads all candidates. `reach_at_most(candidate)`
  // is what a candidate's reach is not above.
  template <typename ReachAtMost>
  Rescoring(std::span<const Candidate> candidates, uint64_t wanted, float threshold,
            bool early_stop, Nearer nearer, ReachAtMost reach_at_most)
      : early_stop_(early_stop), best_(wanted, nearer) {
    candidates_.reserve(candidates.size());
    for (const Candidate& candidate : candidates) {
      candidates_.push_back({candidate, early_stop ? reach_at_most(candidate) : 0});
    }
    if (early_stop) {
      threshold_ = threshold;
      bar_ = candidates.size() < wanted ? threshold : std::max(threshold, estimate_of(wanted));
    }
  }
  // Without candidates: for who scores all there is.
  Rescoring(uint64_t wanted, Nearer nearer) : best_(wanted, nearer) {}

  // The candidates to read next, in any order, all of which must be scored before the call after;
  // none when the best are known. `reach(candidate)` is asked of those that it matters for, once of
  // each.
  template <typename Reach>
  std::span<const Estimated> next_wave(Reach reach) {
    if (next_ > 0) {
      bar_ = std::max(threshold_, best_.last());
    }
    const auto wave = candidates_.begin() + static_cast<ptrdiff_t>(next_);
    const auto read = std::partition(wave, candidates_.end(), [&](Estimated& one) {
      if (early_stop_ && !one.known && one.reach >= bar_) {
        one.reach = reach(one.candidate);
        one.known = true;
      }
      return one.reach >= bar_;
    });
    const auto count = static_cast<size_t>(read - wave);
    next_ += count;
    return std::span(candidates_).subspan(next_ - count, count);
  }

  void scored(const Candidate& exact) { best_.push(exact); }
  uint64_t rows_skipped() const { return candidates_.size() - next_; }
  // The best, nearest first; leaves this empty.
  std::vector<Candidate> take() { return best_.take(); }

 private:
  // The estimate of the candidate that is number `place`, from 1 on, by the estimates.
  float estimate_of(uint64_t place) {
    const auto it = candidates_.begin() + static_cast<ptrdiff_t>(place - 1);
    std::nth_element(candidates_.begin(), it, candidates_.end(),
                     [](const Estimated& a, const Estimated& b) {
                       return a.candidate.similarity > b.candidate.similarity;
                     });
    return it->candidate.similarity;
  }

  // Exact scores only raise the bar, so there are two waves at most: looking at all for each is
  // less than keeping them in order.
  std::vector<Estimated> candidates_;
  size_t next_ = 0;  // those before it were read
  bool early_stop_ = true;
  TopCandidates<Nearer> best_;
  // A row below it is not wanted; who does not reach the bar is not read in this wave.
  float threshold_ = -std::numeric_limits<float>::infinity();
  float bar_ = threshold_;
};

}  // namespace asyncstore::engine
