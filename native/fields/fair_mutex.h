// A lock of many readers and one writer that no stream of readers keeps the writer from.
#pragma once

#include <mutex>
#include <shared_mutex>

namespace asyncstore::fields {

// std::shared_mutex lets readers in as long as one is inside. Here they queue behind a writer that
// waits. For std::unique_lock and std::shared_lock.
class FairMutex {
 public:
  void lock() {
    const std::lock_guard gate(gate_);
    mutex_.lock();
  }
  void unlock() { mutex_.unlock(); }
  void lock_shared() {
    const std::lock_guard gate(gate_);
    mutex_.lock_shared();
  }
  void unlock_shared() { mutex_.unlock_shared(); }

 private:
  std::mutex gate_;
  std::shared_mutex mutex_;
};

}  // namespace asyncstore::fields
