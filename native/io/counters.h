// A reader's counters, written by its thread and read by any.
#pragma once

#include "base/counter.h"
#include "io/reader.h"

namespace asyncstore::io {

class Counters {
 public:
  using Counter = base::Counter;

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
