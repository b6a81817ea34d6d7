// A reader's counters, written by its thread and read by any.
#pragma once

#include <atomic>
#include <cstdint>

#include "io/reader.h"

namespace asyncstore::io {

class Counters {
 public:
  // One writer, so a load and a store do; a locked addition would cost more than the work counted.
  class Counter {
   public:
    void add(uint64_t amount) { value_.store(get() + amount, std::memory_order_relaxed); }
    void raise_to(uint64_t amount) {
      if (amount > get()) {
        value_.store(amount, std::memory_order_relaxed);
      }
    }
    uint64_t get() const { return value_.load(std::memory_order_relaxed); }

   private:
    std::atomic<uint64_t> value_{0};
  };

  Counter requests;
  Counter reads_submitted;
  Counter read_bytes;
  Counter rows_mapped;
  Counter reads_retried;
  Counter inflight_max;

  ReaderStatistics statistics() const {
    ReaderStatistics copy;
    copy.requests = requests.get();
    copy.reads_submitted = reads_submitted.get();
    copy.read_bytes = read_bytes.get();
    copy.rows_mapped = rows_mapped.get();
    copy.reads_retried = reads_retried.get();
    copy.inflight_max = inflight_max.get();
    return copy;
  }
};

}  // namespace asyncstore::io
