// What a worker's searches have done.
#pragma once

#include "base/counter.h"
#include "engine/stage_clock.h"

namespace asyncstore::engine {

// Written by the worker's thread, read by any.
struct SearchCounters {
  base::Counter searches;
  base::Counter candidates;
  base::Counter rows_rescored;
  base::Counter rows_skipped;
  StageHistograms stages;  // of each search, or part of a batch that became a task
};

}  // namespace asyncstore::engine
