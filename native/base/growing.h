// An array that one thread appends to while others read what was there before.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>

#include "base/bytes.h"

namespace asyncstore::base {

// Elements that one thread appends and others read, as far as they learned of them by some
// synchronisation of their own. Whoever holds data() keeps it when the array moves on.
template <typename T>
class Growing {
 public:
  std::shared_ptr<const T[]> data() const { return data_; }
  size_t size() const { return size_; }
  const T& operator[](size_t at) const { return data_[at]; }
  uint64_t ram_bytes() const { return capacity_ * sizeof(T); }
  // Appends so many elements, for the caller to write before others learn of them.
  T* extend(size_t count) {
    if (size_ + count > capacity_) {
      move_to(std::max(capacity_ * 2, size_ + count));
    }
    size_ += count;
    return data_.get() + size_ - count;
  }
  void append(std::span<const T> values) {
    std::copy(values.begin(), values.end(), extend(values.size()));
  }
  void append_bytes(Bytes bytes) {
    T* target = extend(bytes.size() / sizeof(T));
    if (!bytes.empty()) {
      std::memcpy(target, bytes.data(), bytes.size() / sizeof(T) * sizeof(T));
    }
  }
  void append(T value) { append(std::span<const T>(&value, 1)); }
  // Gives back what no element needs; when no more come.
  void trim() {
    if (size_ < capacity_) {
      move_to(size_);
    }
  }

 private:
  void move_to(size_t capacity) {
    capacity_ = capacity;
    std::shared_ptr<T[]> moved(new T[capacity_]);
    std::copy_n(data_.get(), size_, moved.get());
    data_ = std::move(moved);
  }

  std::shared_ptr<T[]> data_;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

}  // namespace asyncstore::base
