// The nearest rows that a walk over the graph has seen, and which of them it has still to follow.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <functional>
#include <vector>

#include "base/assert.h"
#include "index/graph_layout.h"

namespace asyncstore::index {

// At most `capacity` rows in one sorted array, the nearest first; equal ones by their number. One
// array serves as result and as queue of the walk: what falls off its end is too far to be followed
// as well. Up to some hundreds of rows this is quicker than two heaps: an insertion moves a few
// cache lines.
class NearestRows {
 public:
  void reset(uint32_t capacity) {
    ASSERT(capacity > 0);
    capacity_ = capacity;
    keys_.clear();
    next_ = 0;
  }

  void reserve(uint32_t capacity) { keys_.reserve(capacity); }

  uint32_t size() const { return static_cast<uint32_t>(keys_.size()); }
  bool full() const { return keys_.size() == capacity_; }
  uint64_t ram_bytes() const { return keys_.capacity() * sizeof(uint64_t); }
  uint32_t row(uint32_t place) const { return row_of(keys_[place]); }
  float similarity(uint32_t place) const { return similarity_of(keys_[place]); }

  // False when it is no nearer than the farthest of a full array; else `next` tells whether take()
  // would give it now. A row is pushed once at most.
  bool push(float similarity, uint32_t row, bool* next) {
    const uint64_t key = key_of(similarity, row);
    // Equal similarities do not enter: thousands of equal rows would pass through one by one.
    if (full() && (key >> 32) <= (keys_.back() >> 32)) {
      return false;
    }
    const size_t place = place_of(key);
    if (full()) {
      keys_.pop_back();
    }
    keys_.insert(keys_.begin() + static_cast<ptrdiff_t>(place), key);
    *next = place <= next_;
    next_ = std::min(next_, place);
    return true;
  }

  // The nearest row that was not yet taken.
  bool take(uint32_t* row) {
    for (; next_ < keys_.size(); ++next_) {
      uint64_t& key = keys_[next_];
      if ((key & k_waiting) != 0) {
        key ^= k_waiting;
        *row = row_of(key);
        ++next_;
        return true;
      }
    }
    return false;
  }
  // The row that take() would give now, if it is the one at its mark: a hint for prefetching.
  bool peek(uint32_t* row) const {
    if (next_ < keys_.size() && (keys_[next_] & k_waiting) != 0) {
      *row = row_of(keys_[next_]);
      return true;
    }
    return false;
  }

 private:
  // A key compares as (similarity, smaller row first, waiting): 32 bits of the float, made to order
  // as an integer, 31 of the inverted row, one that is set until the row was taken.
  static constexpr uint64_t k_waiting = 1;

  static uint64_t key_of(float similarity, uint32_t row) {
    const auto bits = std::bit_cast<uint32_t>(similarity);
    const uint32_t ordered = (bits & 0x80000000U) != 0 ? ~bits : bits | 0x80000000U;
    return (uint64_t{ordered} << 32) | (uint64_t{k_rows_max - 1 - row} << 1) | k_waiting;
  }
  // How many keys are greater. No branch depends on a comparison: half would be mispredicted.
  size_t place_of(uint64_t key) const {
    const uint64_t* first = keys_.data();
    size_t count = keys_.size();
    while (count > 0) {
      const size_t half = (count + 1) / 2;
      first += first[half - 1] > key ? half : 0;
      count -= half;
    }
    return static_cast<size_t>(first - keys_.data());
  }
  static uint32_t row_of(uint64_t key) {
    return k_rows_max - 1 - (static_cast<uint32_t>(key) >> 1);
  }
  static float similarity_of(uint64_t key) {
    const auto ordered = static_cast<uint32_t>(key >> 32);
    return std::bit_cast<float>((ordered & 0x80000000U) != 0 ? ordered & 0x7FFFFFFFU : ~ordered);
  }

  uint32_t capacity_ = 1;
  std::vector<uint64_t> keys_;  // falling
  size_t next_ = 0;             // all before it were taken
};

}  // namespace asyncstore::index
