#include <doctest/doctest.h>

#include <cstring>
#include <random>
#include <vector>

#include "io/buffer_pool.h"

using namespace asyncstore;

TEST_CASE("buffer pool: the lowest free place is taken, long stretches too") {
  auto pool = std::move(io::BufferPool::make(10 * 4096 - 5).value());
  CHECK(pool->size_bytes() == 10 * 4096);
  std::byte* first = pool->take(1);
  std::byte* second = pool->take(4097);
  CHECK(second == first + 4096);
  CHECK(reinterpret_cast<uintptr_t>(first) % 4096 == 0);
  CHECK(pool->take(8 * 4096) == nullptr);
  std::byte* rest = pool->take(7 * 4096);
  CHECK(rest == first + 3 * 4096);
  CHECK(pool->take(1) == nullptr);
  pool->give(second, 4097);
  CHECK(pool->take(3 * 4096) == nullptr);
  CHECK(pool->take(2 * 4096) == second);
  CHECK(pool->free_bytes() == 0);
}

TEST_CASE("buffer pool: buffers never overlap, and all come back") {
  struct Taken {
    std::byte* buffer;
    uint64_t length;
    std::byte mark;
  };
  for (uint64_t seed = 0; seed < 20; ++seed) {
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    auto pool = std::move(io::BufferPool::make((1 + random() % 300) * 4096).value());
    std::vector<Taken> taken;
    for (int step = 0; step < 2000; ++step) {
      const uint64_t length = 1 + random() % (random() % 4 == 0 ? 300'000 : 5'000);
      if (std::byte* buffer = random() % 5 < 3 ? pool->take(length) : nullptr) {
        const auto mark = static_cast<std::byte>(random());
        std::memset(buffer, static_cast<int>(mark), length);
        taken.push_back({buffer, length, mark});
      } else if (!taken.empty()) {
        std::swap(taken[random() % taken.size()], taken.back());
        const Taken last = taken.back();
        taken.pop_back();
        bool intact = true;
        for (uint64_t i = 0; i < last.length; ++i) {
          intact = intact && last.buffer[i] == last.mark;
        }
        CHECK(intact);
        pool->give(last.buffer, last.length);
      }
    }
    for (const Taken& one : taken) {
      pool->give(one.buffer, one.length);
    }
    CHECK(pool->free_bytes() == pool->size_bytes());
    CHECK(pool->take(pool->size_bytes()) != nullptr);
  }
}
