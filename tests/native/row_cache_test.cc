#include "io/row_cache.h"

#include <doctest/doctest.h>

#include <cstring>
#include <random>
#include <thread>
#include <vector>

using namespace asyncstore;
using io::RowCache;

namespace {

constexpr uint32_t k_row_bytes = 1536;

std::vector<std::byte> row_of(uint64_t number) {
  std::vector<std::byte> row(k_row_bytes, static_cast<std::byte>(number));
  std::memcpy(row.data(), &number, sizeof number);
  return row;
}

RowCache::Place place_of(uint64_t number) {
  return {7, number * k_row_bytes};
}

// Asks for the row, brings it where it is missing, compares; whether it was there.
bool ask(RowCache& cache, uint64_t number) {
  std::vector<std::byte> found;
  const bool hit = cache.find(place_of(number), k_row_bytes, found);
  if (hit) {
    CHECK(found == row_of(number));
  } else {
    CHECK(found.empty());
    cache.add(place_of(number), row_of(number));
  }
  return hit;
}

}  // namespace

TEST_CASE("row cache: gives back what it was given") {
  RowCache cache(1 << 20);
  std::vector<std::byte> found(3);
  CHECK_FALSE(cache.find({1, 0}, 8, found));
  cache.add({1, 0}, row_of(1));
  cache.add({2, 0}, row_of(2));
  REQUIRE(cache.find({2, 0}, k_row_bytes, found));
  CHECK(std::vector(found.begin() + 3, found.end()) == row_of(2));
  SUBCASE("another length is another row") {
    CHECK_FALSE(cache.find({1, 0}, k_row_bytes - 1, found));
  }
  SUBCASE("what is there already stays") {
    cache.add({1, 0}, row_of(3));
    found.clear();
    CHECK(cache.find({1, 0}, k_row_bytes, found));
    CHECK(found == row_of(1));
  }
}

TEST_CASE("row cache: keeps to its bound") {
  for (const uint64_t bound : {uint64_t{0}, uint64_t{1000}, uint64_t{100'000}, uint64_t{3 << 20}}) {
    CAPTURE(bound);
    RowCache cache(bound);
    const uint64_t empty = cache.bytes();
    std::mt19937_64 random(bound);
    for (int i = 0; i < 20'000; ++i) {
      ask(cache, random() % 5000);
      if (i % 1000 == 0) {
        CHECK(cache.bytes() <= std::max(bound, empty));
      }
    }
    if (bound >= 3 << 20) {
      CHECK(cache.bytes() > bound * 8 / 10);
    }
    cache.add({9, 0}, std::vector<std::byte>(4 << 20));
    std::vector<std::byte> found;
    CHECK_FALSE(cache.find({9, 0}, 4 << 20, found));
  }
}

TEST_CASE("row cache: rows that are wanted often outlive a flood of rows wanted once") {
  RowCache cache(uint64_t{1000} * 1700);
  for (int round = 0; round < 3; ++round) {
    for (uint64_t row = 0; row < 300; ++row) {
      ask(cache, row);
    }
  }
  for (uint64_t row = 1000; row < 20'000; ++row) {
    ask(cache, row);
    if (row % 50 == 0) {  // often enough to be told apart
      for (uint64_t often = 0; often < 300; often += 3) {
        ask(cache, often);
      }
    }
  }
  int hits = 0;
  for (uint64_t row = 0; row < 300; row += 3) {
    hits += ask(cache, row) ? 1 : 0;
  }
  CHECK(hits >= 95);
}

TEST_CASE("row cache: a row that comes back soon is kept") {
  // Of rows asked for in a circle larger than the small queue, a plain queue of that size has none.
  RowCache cache(uint64_t{1000} * 1700);
  int hits = 0;
  for (int round = 0; round < 10; ++round) {
    for (uint64_t row = 0; row < 500; ++row) {
      hits += ask(cache, row) ? 1 : 0;
    }
  }
  CHECK(hits > 10 * 500 * 6 / 10);
}

TEST_CASE("row cache: several threads") {
  RowCache cache(uint64_t{500} * 1700);
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (uint64_t seed = 0; seed < 4; ++seed) {
    threads.emplace_back([&, seed] {
      std::mt19937_64 random(seed);
      std::vector<std::byte> found;
      for (int i = 0; i < 20'000; ++i) {
        const uint64_t row = random() % 2000 * (random() % 2000) / 2000;
        found.clear();
        if (!cache.find(place_of(row), k_row_bytes, found)) {
          cache.add(place_of(row), row_of(row));
        } else if (found != row_of(row)) {
          ++wrong;
        }
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  CHECK(wrong == 0);
}
