// An array that grows without moving its elements.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <type_traits>

#include "base/assert.h"

namespace asyncstore::base {

// Chunk k holds 1024 · 2^k elements, so 22 pointers reach 2^32 and a small array costs little.
// Elements start as zero bytes. One thread grows; others may read elements that they learned of
// through some synchronisation of their own (a published view, a lock).
template <typename T>
class StableArray {
  static_assert(std::is_trivially_copyable_v<T> || std::is_same_v<T, std::atomic<uint64_t>>);

 public:
  StableArray() = default;
  StableArray(const StableArray&) = delete;
  StableArray& operator=(const StableArray&) = delete;
  ~StableArray() {
    for (auto& chunk : chunks_) {
      std::free(chunk.load(std::memory_order_relaxed));
    }
  }

  // Makes [0, count) usable; false when there is no memory.
  bool grow(uint64_t count) {
    while (capacity_ < count) {
      const uint32_t chunk = chunk_of(capacity_);
      ASSERT(chunk < chunks_.size());
      const uint64_t size = uint64_t{k_first} << chunk;
      // calloc takes large blocks straight from the kernel: pages come when they are touched.
      auto* data = static_cast<T*>(std::calloc(size, sizeof(T)));
      if (data == nullptr) {
        return false;
      }
      chunks_[chunk].store(data, std::memory_order_release);
      capacity_ += size;
    }
    return true;
  }

  T& operator[](uint64_t index) const {
    const uint32_t chunk = chunk_of(index);
    T* data = chunks_[chunk].load(std::memory_order_acquire);
    ASSERT(data != nullptr);
    return data[index - first_of(chunk)];
  }

 private:
  static constexpr uint32_t k_first = 1024;
  // Chunk k begins at element 1024 · (2^k − 1).
  static uint32_t chunk_of(uint64_t index) {
    return static_cast<uint32_t>(std::bit_width(index / k_first + 1)) - 1;
  }
  static uint64_t first_of(uint32_t chunk) {
    return uint64_t{k_first} * ((uint64_t{1} << chunk) - 1);
  }

  std::array<std::atomic<T*>, 23> chunks_{};
  uint64_t capacity_ = 0;
};

}  // namespace asyncstore::base
