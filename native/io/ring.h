// One io_uring instance.
#pragma once

#ifndef ASYNCSTORE_WITHOUT_URING

#include <liburing.h>

#include <cstdint>
#include <memory>

#include "base/limits.h"
#include "base/result.h"

namespace asyncstore::io {

// Made by any thread, then used by one: the first to call start(). That thread also destroys it, or
// another one once that thread has ended.
class Ring {
 public:
  // Room for `entries` operations in flight. Takes the cheapest way of completing that the kernel
  // has: completions run when the owner asks for them (Linux 6.1), else without interrupting it
  // (5.19), else as they come. Code::unsupported says in words why there is no ring and what to do.
  // `setups_skipped` leaves out the best ways, so that tests meet what older kernels offer.
  static base::Result<std::unique_ptr<Ring>> make(uint32_t entries, uint32_t setups_skipped = 0);

  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;
  ~Ring();

  // Makes the calling thread the owner; the first call counts.
  void start();
  bool started() const { return started_; }

  // Never null while at most `entries` operations are in flight.
  io_uring_sqe* next_sqe();

  // Hands the prepared operations to the kernel. What it does not take for want of memory stays
  // prepared and goes with the next call.
  void submit();
  // The same, then sleeps until a completion is there (or a signal came).
  void submit_and_wait();

  // Completions that are there, not yet taken.
  uint32_t ready() { return io_uring_cq_ready(&ring_); }
  // The `position`-th of them; stays there.
  const io_uring_cqe& peek(uint32_t position);
  // Forgets the first one.
  void take() { io_uring_cq_advance(&ring_, 1); }
  // Lets the kernel post what it holds back until the owner asks.
  void collect();

  io_uring* raw() { return &ring_; }

 private:
  Ring() = default;

  io_uring ring_{};
  bool deferred_start_ = false;
  bool started_ = false;
};

// What io_uring_setup's `os_errno` means to a person, as Code::unsupported.
base::Error unsupported_uring(int os_errno);

}  // namespace asyncstore::io

#endif  // ASYNCSTORE_WITHOUT_URING
