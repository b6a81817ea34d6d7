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

class Rescoring {
 public:
  // Of `candidates`, the nearest by their estimates first, finds the `wanted` ≥ 1 nearest. A row
  // below `threshold` is not wanted either. Unless `early_stop`, one wave reads all candidates.
  // `reach_at_most(candidate)` is what a candidate's reach is not above.
  template <typename ReachAtMost>
  Rescoring(std::span<const Candidate> candidates, uint64_t wanted, float threshold,
            bool early_stop, NearerFirst nearer, ReachAtMost reach_at_most)
      : early_stop_(early_stop), best_(wanted, nearer) {
    candidates_.reserve(candidates.size());
    for (const Candidate& candidate : candidates) {
      candidates_.push_back({candidate, early_stop ? reach_at_most(candidate) : 0});
    }
    if (early_stop) {
      threshold_ = threshold;
      bar_ = candidates.size() < wanted ? threshold
                                        : std::max(threshold, candidates[wanted - 1].similarity);
      sort(nearer);
    }
  }
  // Without candidates: for who scores all there is.
  Rescoring(uint64_t wanted, NearerFirst nearer) : best_(wanted, nearer) {}

  // The candidates to read next, all of which must be scored before the call after; none when the
  // best are known. `reach(candidate)` is asked of those that it matters for, once of each.
  template <typename Reach>
  std::span<const Estimated> next_wave(NearerFirst nearer, Reach reach) {
    if (next_ > 0) {
      bar_ = std::max(threshold_, best_.last());
    }
    const auto wave = candidates_.begin() + static_cast<ptrdiff_t>(next_);
    auto end = wave;
    for (; end != candidates_.end() && end->reach >= bar_; ++end) {
      if (early_stop_ && !end->known) {
        end->reach = reach(end->candidate);
        end->known = true;
      }
    }
    const auto read =
        std::partition(wave, end, [this](const Estimated& one) { return one.reach >= bar_; });
    const auto count = static_cast<size_t>(read - wave);
    next_ += count;
    if (read != end) {
      sort(nearer);  // they may be read in a later wave
    }
    return std::span(candidates_).subspan(next_ - count, count);
  }

  void scored(const Candidate& exact) { best_.push(exact); }
  uint64_t rows_skipped() const { return candidates_.size() - next_; }
  // The best, nearest first; leaves this empty.
  std::vector<Candidate> take() { return best_.take(); }

 private:
  void sort(NearerFirst nearer) {
    std::sort(candidates_.begin() + static_cast<ptrdiff_t>(next_), candidates_.end(),
              [&](const Estimated& a, const Estimated& b) {
                return a.reach != b.reach ? a.reach > b.reach : nearer(a.candidate, b.candidate);
              });
  }

  std::vector<Estimated> candidates_;  // from next_ on, farthest reach first
  size_t next_ = 0;                    // the first that was not read
  bool early_stop_ = true;
  TopCandidates best_;
  // A row below it is not wanted; who does not reach the bar is not read in this wave.
  float threshold_ = -std::numeric_limits<float>::infinity();
  float bar_ = threshold_;
};

}  // namespace asyncstore::engine
