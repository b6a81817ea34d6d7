// How far opening a store has come, and whether it is to end.
#pragma once

#include <atomic>
#include <cstdint>
#include <numeric>
#include <span>
#include <vector>

#include "base/counter.h"
#include "base/result.h"
#include "engine/errors.h"

namespace asyncstore::engine {

// One thread opens, and tells; any thread asks, and may end it.
class Opening {
 public:
  struct Progress {
    uint64_t collections = 0;         // all; 0: not counted yet
    uint64_t collections_opened = 0;  // or found to be damaged
    uint64_t log_bytes = 0;           // of the log files of all
    uint64_t log_bytes_replayed = 0;  // of these, also what did not have to be
  };
  Progress progress() const {
    return {collections_.get(), collections_opened_.get(), log_bytes_.get(),
            log_bytes_replayed_.get()};
  }
  // The opening fails with "closed", before the next operation of a log or the next collection. The
  // store is as a crash would leave it.
  void stop() { stopped_.store(true, std::memory_order_relaxed); }
  bool stopped() const { return stopped_.load(std::memory_order_relaxed); }

  // --- who opens ---
  // Of each collection, in the order in which they are opened, the bytes of its log.
  void begin(std::span<const uint64_t> log_bytes) {
    log_ends_.resize(log_bytes.size());
    std::inclusive_scan(log_bytes.begin(), log_bytes.end(), log_ends_.begin());
    log_bytes_.set(log_ends_.empty() ? 0 : log_ends_.back());
    log_bytes_replayed_.set(0);
    collections_opened_.set(0);
    collections_.set(log_bytes.size());
  }
  // So much of a log was replayed; an error when the opening is to end.
  base::Status replayed(uint64_t bytes) {
    log_bytes_replayed_.add(bytes);
    return stopped() ? base::Status(store_closed()) : base::Status();
  }
  // The next collection is done, and with it what of its log did not have to be replayed.
  void collection_opened() {
    log_bytes_replayed_.set(log_ends_[collections_opened_.get()]);
    collections_opened_.add(1);
  }

 private:
  std::vector<uint64_t> log_ends_;  // of each, among the logs of all
  base::Counter collections_;
  base::Counter collections_opened_;
  base::Counter log_bytes_;
  base::Counter log_bytes_replayed_;
  std::atomic<bool> stopped_{false};
};

}  // namespace asyncstore::engine
