#include "engine/stage_clock.h"

namespace asyncstore::engine {

namespace {
constexpr size_t k_timed_rows = 4;  // of a wave
}

const char* name(SearchStage stage) {
  switch (stage) {
    case SearchStage::filter:
      return "filter";
    case SearchStage::preselect:
      return "preselect";
    case SearchStage::read:
      return "read";
    case SearchStage::rescore:
      return "rescore";
    case SearchStage::group:
      return "group";
    case SearchStage::payload:
      return "payload";
  }
  return "";
}

void StageClock::enter(SearchStage stage) {
  if (stage_ == stage) {
    return;
  }
  const Clock::time_point now = Clock::now();
  leave(now);
  add(stage, {});
  stage_ = stage;
  since_ = now;
}

void StageClock::begin_wave(size_t rows) {
  enter(SearchStage::read);
  landed_ = 0;
  timed_each_ =
      static_cast<uint32_t>(std::max<size_t>(1, (rows + k_timed_rows - 1) / k_timed_rows));
}

void StageClock::record(StageHistograms& histograms) {
  leave(Clock::now());
  stage_.reset();
  for (size_t stage = 0; stage < k_search_stages; ++stage) {
    if (took_[stage]) {
      const auto ns = std::chrono::duration_cast<std::chrono::nanoseconds>(*took_[stage]);
      histograms[stage].add(static_cast<uint64_t>(ns.count()));
    }
  }
}

void StageClock::leave(Clock::time_point now) {
  if (!stage_) {
    return;
  }
  Clock::duration time = now - since_;
  if (*stage_ == SearchStage::read && scored_ > Clock::duration::zero()) {
    const Clock::duration scored = std::min(scored_, time);
    add(SearchStage::rescore, scored);
    time -= scored;
    scored_ = {};
  }
  add(*stage_, time);
}

void StageClock::add(SearchStage stage, Clock::duration time) {
  auto& took = took_[static_cast<size_t>(stage)];
  took = took.value_or(Clock::duration::zero()) + time;
}

}  // namespace asyncstore::engine
