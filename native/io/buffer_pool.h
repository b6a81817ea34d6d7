// The buffers that reads land in: one fixed stretch of memory, cut into pages.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/result.h"

namespace asyncstore::io {

// Belongs to one thread. Memory is touched only when a buffer is used, and the lowest free place is
// taken first, so a reader with little in flight keeps to few pages, which stay in the CPU's cache.
class BufferPool {
 public:
  // `size_bytes` is rounded up to pages.
  static base::Result<std::unique_ptr<BufferPool>> make(uint64_t size_bytes);

  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;
  ~BufferPool();

  // At least `length` bytes (1 or more), aligned to 4,096; null when no stretch is long enough.
  std::byte* take(uint64_t length);
  // Gives back what take(length) returned.
  void give(std::byte* buffer, uint64_t length);

  uint64_t size_bytes() const { return pages_ * base::k_page_bytes; }
  uint64_t free_bytes() const { return pages_free_ * base::k_page_bytes; }

 private:
  BufferPool(std::byte* memory, uint64_t pages);

  uint64_t next_free(uint64_t page) const;
  uint64_t next_taken(uint64_t page, uint64_t end) const;
  void mark(uint64_t page, uint64_t count, bool is_free);

  std::byte* const memory_;
  const uint64_t pages_;
  uint64_t pages_free_;
  std::vector<uint64_t> free_;  // one bit a page, set when free
};

}  // namespace asyncstore::io
