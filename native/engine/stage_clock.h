// How long a search is in each of its stages. What belongs to a stage is told in docs/operation.md.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/histogram.h"

namespace asyncstore::engine {

enum class SearchStage : uint8_t { filter, preselect, read, rescore, group, payload };
inline constexpr size_t k_search_stages = 6;
const char* name(SearchStage stage);

using StageHistograms = std::array<base::Histogram, k_search_stages>;

// Belongs to one task, and runs from its first stage to its answer. A stage may be entered again.
class StageClock {
 public:
  // Ends the stage before, if there is one. Nothing when the stage is the present one.
  void enter(SearchStage stage);
  // Enters `read`, of `rows` that are scored as they land, by landed().
  void begin_wave(size_t rows);
  // Calls `score`, whose time is taken from `read` and given to `rescore`. A look at the clock
  // costs a tenth of what a row does, so a few rows of a wave are timed and stand for the others.
  template <typename Score>
  void landed(const Score& score) {
    if (++landed_ % timed_each_ != 0) {
      score();
      return;
    }
    const Clock::time_point begin = Clock::now();
    score();
    scored_ += (Clock::now() - begin) * timed_each_;
  }
  // Ends the last stage. Each that was entered counts once, however often it was.
  void record(StageHistograms& histograms);

 private:
  using Clock = std::chrono::steady_clock;
  void leave(Clock::time_point now);
  void add(SearchStage stage, Clock::duration time);

  std::array<std::optional<Clock::duration>, k_search_stages> took_;  // unset: not entered
  std::optional<SearchStage> stage_;
  Clock::time_point since_;
  Clock::duration scored_{};  // since `read` was entered
  uint32_t landed_ = 0;       // of the wave
  uint32_t timed_each_ = 1;
};

}  // namespace asyncstore::engine
