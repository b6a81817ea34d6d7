// A first-in, first-out queue that keeps its memory.
#pragma once

#include <cstddef>
#include <vector>

#include "base/assert.h"

namespace asyncstore::io {

// std::deque allocates and frees blocks as it moves along; this one allocates only when it holds
// more than ever before. Not bounded by itself: the readers' queues hold what their callers
// submitted, and those bound it (base/limits.h: searches active, candidates of one).
template <typename T>
class Fifo {
 public:
  bool empty() const { return head_ == items_.size(); }
  size_t size() const { return items_.size() - head_; }
  T& operator[](size_t index) {
    ASSERT(index < size());
    return items_[head_ + index];
  }
  T& front() { return (*this)[0]; }

  void push(const T& item) {
    // Moving the live half down costs no more than the pops that emptied the other half.
    if (items_.size() == items_.capacity() && head_ >= items_.size() / 2) {
      items_.erase(items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(head_));
      head_ = 0;
    }
    items_.push_back(item);
  }

  void pop() {
    ASSERT(!empty());
    ++head_;
    if (head_ == items_.size()) {
      items_.clear();
      head_ = 0;
    }
  }

 private:
  std::vector<T> items_;
  size_t head_ = 0;
};

}  // namespace asyncstore::io
