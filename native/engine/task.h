// Work for a worker: a plain state, stepped, never waited for.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/result.h"
#include "io/reader.h"

namespace asyncstore::engine {

class Worker;

// A task belongs to one worker from its first step to its last.
class Task {
 public:
  enum class Next : uint8_t {
    again,  // more to compute
    wait,   // reads are under way: step again once all of them landed
    done,   // answered; no read is under way
  };

  virtual ~Task() = default;
  // A slice of at most a fraction of a millisecond.
  virtual Next step(Worker& worker) = 0;
  // A row asked for in a step; runs between steps, data valid during the call only.
  virtual void landed(const io::ReadRequest& request, base::Bytes data,
                      const base::Error* error) = 0;
  // Answers without having worked; also called in place of the next step when the store closes, or
  // when nobody waits for the answer any more.
  virtual void abandon(const base::Error& error) = 0;

  // The ticket that it answers; 0: none.
  uint64_t job = 0;
  // The worker's counts.
  uint32_t reads_pending = 0;
  uint32_t turns = 0;  // slices in a row
};

}  // namespace asyncstore::engine
