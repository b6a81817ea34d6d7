// How often something took how long. Buckets are powers of two: 1 us, 2 us, … 16.8 s, and beyond.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "base/counter.h"

namespace asyncstore::base {

// A copy, to be added up with those of other threads.
struct HistogramCounts {
  static constexpr size_t k_bounds = 25;  // 1 us · 2^24 = 16.8 s

  // Of the durations up to each bound that are above the one before; the last: above all bounds.
  std::array<uint64_t, k_bounds + 1> buckets{};
  uint64_t sum_ns = 0;

  static constexpr uint64_t bound_ns(size_t bucket) { return uint64_t{1000} << bucket; }
  // The first bucket whose bound is not below the duration: 1000 ns belong to 0, 1001 to 1.
  static constexpr size_t bucket_of(uint64_t ns) {
    const uint64_t us = ns / 1000 + (ns % 1000 > 0 ? 1 : 0);
    const auto bucket = us <= 1 ? size_t{0} : static_cast<size_t>(std::bit_width(us - 1));
    return std::min(bucket, k_bounds);
  }

  void add(const HistogramCounts& other) {
    for (size_t bucket = 0; bucket < buckets.size(); ++bucket) {
      buckets[bucket] += other.buckets[bucket];
    }
    sum_ns += other.sum_ns;
  }
};

// One thread adds, any reads.
class Histogram {
 public:
  void add(uint64_t ns) {
    buckets_[HistogramCounts::bucket_of(ns)].add(1);
    sum_ns_.add(ns);
  }
  // While durations are added, the sum may be one of them ahead or behind.
  HistogramCounts counts() const {
    HistogramCounts copy;
    for (size_t bucket = 0; bucket < buckets_.size(); ++bucket) {
      copy.buckets[bucket] = buckets_[bucket].get();
    }
    copy.sum_ns = sum_ns_.get();
    return copy;
  }

 private:
  std::array<Counter, HistogramCounts::k_bounds + 1> buckets_;
  Counter sum_ns_;
};

}  // namespace asyncstore::base
