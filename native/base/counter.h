// A count that one thread writes and any thread reads.
#pragma once

#include <atomic>
#include <cstdint>

namespace asyncstore::base {

// One writer, so a load and a store do; a locked addition would cost more than the work counted.
class Counter {
 public:
  void add(uint64_t amount) { set(get() + amount); }
  void raise_to(uint64_t amount) {
    if (amount > get()) {
      set(amount);
    }
  }
  void set(uint64_t amount) { value_.store(amount, std::memory_order_relaxed); }
  uint64_t get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

}  // namespace asyncstore::base
