// Memory whose address never changes while it grows.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"

namespace asyncstore::base {

// Address space for `bytes_max`, of which a prefix is usable. The kernel gives pages when they are
// first touched, zeroed; so a large reservation costs nothing, and readers on other threads keep
// their pointers while one thread grows the region. Not copyable; movable.
class Region {
 public:
  Region() = default;
  // `huge_pages`: ask for 2 MiB pages, for large arrays that are scanned.
  Region(uint64_t bytes_max, bool huge_pages);
  Region(Region&& other) noexcept;
  Region& operator=(Region&& other) noexcept;
  ~Region();

  // Makes the first `bytes` usable; false when the machine has no memory (or address space) left.
  // Never shrinks. One thread at a time.
  bool grow(uint64_t bytes);

  bool ok() const { return bytes_max_ == 0 || data_ != nullptr; }
  uint64_t bytes() const { return bytes_; }
  template <typename T>
  T* as() const {
    return reinterpret_cast<T*>(data_);
  }

 private:
  std::byte* data_ = nullptr;
  uint64_t bytes_ = 0;
  uint64_t bytes_max_ = 0;
};

}  // namespace asyncstore::base
