// The bell that ends a reader's sleep in its ring.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>

#include "base/assert.h"

namespace asyncstore::io {

// ring() may come from any thread; the rest belongs to the sleeper, which watches fd() for input
// while it sleeps. Ringing costs a system call only when the sleeper sleeps.
class WakeEvent {
 public:
  // valid() is false when the process has no descriptors left.
  WakeEvent() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  WakeEvent(const WakeEvent&) = delete;
  WakeEvent& operator=(const WakeEvent&) = delete;
  ~WakeEvent() {
    if (valid()) {
      ::close(fd_);
    }
  }

  bool valid() const { return fd_ >= 0; }
  int fd() const { return fd_; }

  // Either the sleeper sees rung_ before it sleeps, or this sees sleeping_ and makes fd() readable:
  // both are sequentially consistent, so one of the two stores comes first for both threads.
  void ring() {
    rung_.store(true);
    if (sleeping_.load()) {
      const uint64_t one = 1;
      // EAGAIN: the counter is full, so fd() is readable anyhow.
      const ssize_t count = ::write(fd_, &one, sizeof one);
      ASSERT(count == sizeof one || errno == EAGAIN);
    }
  }

  // False when there is nothing to sleep for: the bell has rung.
  bool begin_sleep() {
    sleeping_.store(true);
    if (rung_.load()) {
      end_sleep();
      return false;
    }
    return true;
  }
  void end_sleep() { sleeping_.store(false); }

  // Whether the bell rang since the last call.
  bool take() { return rung_.exchange(false); }

  // Makes fd() silent again.
  void drain() {
    uint64_t rings = 0;
    (void)!::read(fd_, &rings, sizeof rings);  // EAGAIN: it was silent.
  }

 private:
  const int fd_;
  std::atomic<bool> rung_{false};
  std::atomic<bool> sleeping_{false};
};

}  // namespace asyncstore::io
