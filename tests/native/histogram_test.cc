// Histograms of durations: which bucket a duration belongs to, and counting beside reading.
#include "base/histogram.h"

#include <doctest/doctest.h>

#include <numeric>
#include <random>
#include <thread>

using namespace asyncstore;
using base::Histogram;
using base::HistogramCounts;

namespace {

uint64_t total(const HistogramCounts& counts) {
  return std::accumulate(counts.buckets.begin(), counts.buckets.end(), uint64_t{0});
}

// By the definition: the first bucket whose bound is not below.
size_t expected_bucket(uint64_t ns) {
  size_t bucket = 0;
  while (bucket < HistogramCounts::k_bounds && HistogramCounts::bound_ns(bucket) < ns) {
    ++bucket;
  }
  return bucket;
}

}  // namespace

TEST_CASE("histogram: a duration belongs to the first bound that it does not exceed") {
  CHECK(HistogramCounts::bound_ns(0) == 1000);
  CHECK(HistogramCounts::bound_ns(HistogramCounts::k_bounds - 1) == 16'777'216'000);
  for (size_t bucket = 0; bucket < HistogramCounts::k_bounds; ++bucket) {
    const uint64_t bound = HistogramCounts::bound_ns(bucket);
    CHECK(HistogramCounts::bucket_of(bound) == bucket);
    CHECK(HistogramCounts::bucket_of(bound + 1) == bucket + 1);
  }
  CHECK(HistogramCounts::bucket_of(0) == 0);
  CHECK(HistogramCounts::bucket_of(UINT64_MAX) == HistogramCounts::k_bounds);
  constexpr uint64_t k_seed = 1;
  CAPTURE(k_seed);
  std::mt19937_64 random(k_seed);
  for (int i = 0; i < 10'000; ++i) {
    const uint64_t ns = random() >> random() % 64;
    CAPTURE(ns);
    REQUIRE(HistogramCounts::bucket_of(ns) == expected_bucket(ns));
  }
}

TEST_CASE("histogram: those of several threads are added up") {
  Histogram one;
  Histogram other;
  one.add(900);
  one.add(1500);
  other.add(1500);
  HistogramCounts sum = one.counts();
  sum.add(other.counts());
  CHECK(sum.buckets[0] == 1);
  CHECK(sum.buckets[1] == 2);
  CHECK(total(sum) == 3);
  CHECK(sum.sum_ns == 3900);
}

TEST_CASE("histogram: one thread adds while another reads") {
  constexpr uint64_t k_count = 20'000;
  Histogram histogram;
  std::thread writer([&] {
    for (uint64_t i = 0; i < k_count; ++i) {
      histogram.add(i * 1000);
    }
  });
  uint64_t last = 0;
  while (last < k_count) {
    const uint64_t now = total(histogram.counts());
    REQUIRE(now >= last);
    last = now;
  }
  writer.join();
  CHECK(total(histogram.counts()) == k_count);
  CHECK(histogram.counts().sum_ns == k_count * (k_count - 1) / 2 * 1000);
}
