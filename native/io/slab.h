// Records with stable numbers, whose memory is used again.
#pragma once

#include <cstdint>
#include <vector>

#include "base/assert.h"

namespace asyncstore::io {

// take() may move all records: hold numbers, not references, across it.
template <typename T>
class Slab {
 public:
  uint32_t take() {
    if (free_.empty()) {
      records_.emplace_back();
      // give() must never allocate: it runs where a read has just ended.
      free_.reserve(records_.capacity());
      return static_cast<uint32_t>(records_.size() - 1);
    }
    const uint32_t number = free_.back();
    free_.pop_back();
    return number;
  }

  void give(uint32_t number) {
    ASSERT(free_.size() < records_.size());
    free_.push_back(number);
  }

  T& operator[](uint32_t number) {
    ASSERT(number < records_.size());
    return records_[number];
  }

 private:
  std::vector<T> records_;
  std::vector<uint32_t> free_;
};

}  // namespace asyncstore::io
