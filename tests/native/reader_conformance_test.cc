#include "reader_conformance.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <atomic>
#include <random>
#include <thread>

using namespace asyncstore;
using namespace asyncstore::io_test;
using io::ReadRequest;

namespace {

uint32_t random_length(std::mt19937_64& random, uint32_t length_max) {
  // Every order of magnitude as often.
  const uint32_t bits = static_cast<uint32_t>(random() % 19);
  return 1 + static_cast<uint32_t>(random() % std::min<uint64_t>(length_max, uint64_t{1} << bits));
}

std::vector<ReadRequest> random_wave(std::vector<KnownFile>& files, std::mt19937_64& random,
                                     uint32_t count, uint32_t index) {
  std::vector<ReadRequest> wave;
  while (wave.size() < count) {
    if (!wave.empty() && random() % 8 == 0) {  // the same row twice
      wave.push_back(wave[random() % wave.size()]);
    } else if (!wave.empty() && random() % 4 == 0) {  // a neighbour, after a gap or overlapping
      ReadRequest next = wave.back();
      const uint64_t size = static_cast<KnownFile*>(next.context)->content.size();
      next.offset = std::min(next.offset + random() % (2 * next.length), size - next.length);
      wave.push_back(next);
    } else {
      KnownFile& file = files[random() % files.size()];
      const uint32_t length = random_length(random, 256 << 10);
      wave.push_back(request_of(file, random() % (file.content.size() - length + 1), length, 0));
    }
    wave.back().index = index++;
  }
  return wave;
}

std::vector<KnownFile> make_files(const TemporaryFolder& folder, uint32_t count, bool direct) {
  std::vector<KnownFile> files;
  for (uint32_t i = 0; i < count; ++i) {
    // 7 apart: no end is a multiple of a sector.
    files.push_back(make_known_file(folder, std::to_string(i), (600 << 10) + 7 * i + 3, i, direct));
  }
  return files;
}

}  // namespace

TEST_CASE("readers: io_uring is exercised wherever it works") {
  bool exercised = false;
  for (const Flavour& flavour : flavours()) {
    exercised = exercised || make(flavour)->kind() == io::ReaderKind::io_uring;
  }
  CAPTURE(uring_missing_because());
  CHECK(exercised == uring_missing_because().empty());
  if (!exercised) {
    MESSAGE("readers of io_uring were NOT tested: ", uring_missing_because());
  }
}

TEST_CASE("readers: random waves over many files") {
  for (const Flavour& flavour : flavours()) {
    CAPTURE(flavour.name);
    const TemporaryFolder folder;
    std::vector<KnownFile> files = make_files(folder, 12, flavour.direct);
    for (uint64_t seed = 0; seed < 12; ++seed) {
      CAPTURE(seed);
      std::mt19937_64 random(seed);
      io::ReaderOptions options;
      options.depth = seed % 3 == 0 ? 3 : 128;
      options.pool_bytes = seed % 2 == 0 ? 0 : 8 << 20;
      options.gap_bytes = static_cast<uint32_t>(seed % 4 * 1000);
      options.join_bytes_max = seed % 5 == 0 ? 0 : 64 << 10;
      const auto reader = make(flavour, options);
      CheckingSink sink;
      uint32_t index = 0;
      for (int waves = 0; waves < 6; ++waves) {
        const uint32_t count = 1 + static_cast<uint32_t>(random() % 300);
        const auto wave = random_wave(files, random, count, index);
        index += count;
        reader->submit(wave);
        if (random() % 2 == 0) {
          reader->reap(sink, random() % 2 == 0);
        }
      }
      drain(*reader, sink);
      each_landed_once(sink, index);
      CHECK(sink.errors.empty());
      CHECK(reader->statistics().requests == index);
      CHECK(reader->statistics().inflight_max <= options.depth);
    }
  }
}

TEST_CASE("readers: an empty wave, and nothing to reap") {
  for (const Flavour& flavour : flavours()) {
    CAPTURE(flavour.name);
    const auto reader = make(flavour);
    CheckingSink sink;
    reader->submit({});
    CHECK(reader->pending() == 0);
    CHECK(reader->reap(sink, false) == 0);
  }
}

TEST_CASE("readers: the sink submits") {
  for (const Flavour& flavour : flavours()) {
    CAPTURE(flavour.name);
    const TemporaryFolder folder;
    std::vector<KnownFile> files = make_files(folder, 2, flavour.direct);
    const auto reader = make(flavour, {.depth = 4});
    std::mt19937_64 random(5);
    CheckingSink sink;
    uint32_t index = 10;
    sink.then = [&](const ReadRequest&) {
      if (index < 2000) {
        const uint32_t count = 1 + static_cast<uint32_t>(random() % 3);
        reader->submit(random_wave(files, random, count, index));
        index += count;
      }
    };
    reader->submit(random_wave(files, random, 10, 0));
    drain(*reader, sink);
    each_landed_once(sink, index);
    CHECK(sink.errors.empty());
  }
}

TEST_CASE("readers: one reap gives what was pending, however much the sink submits") {
  for (const Flavour& flavour : flavours()) {
    CAPTURE(flavour.name);
    const TemporaryFolder folder;
    KnownFile file = make_known_file(folder, "rows", 1 << 20, 1, flavour.direct);
    const auto reader = make(flavour);
    CheckingSink sink;
    uint32_t index = 1;
    sink.then = [&](const ReadRequest& request) {
      const ReadRequest next = request_of(file, request.offset, request.length, index++);
      reader->submit(std::span(&next, 1));
    };
    const ReadRequest first = request_of(file, 512, 100, 0);
    reader->submit(std::span(&first, 1));
    for (int i = 0; i < 1000; ++i) {  // long enough to earn the way through the map
      CHECK(reader->reap(sink, true) <= 1);
      CHECK(reader->pending() == 1);
    }
    sink.then = nullptr;
    drain(*reader, sink);
  }
}

TEST_CASE("readers: the last bytes of a file that ends inside a sector") {
  for (const Flavour& flavour : flavours()) {
    for (const uint64_t size : {1u, 511u, 512u, 513u, 4095u, 4096u, 4097u, 70'001u}) {
      CAPTURE(flavour.name);
      CAPTURE(size);
      const TemporaryFolder folder;
      KnownFile file = make_known_file(folder, "tail", size, size, flavour.direct);
      const auto reader = make(flavour);
      CheckingSink sink;
      const uint32_t length = static_cast<uint32_t>(std::min<uint64_t>(size, 1000));
      const std::vector<ReadRequest> wave = {
          request_of(file, size - 1, 1, 0),
          request_of(file, size - length, length, 1),
          request_of(file, 0, 1, 2),
      };
      reader->submit(wave);
      drain(*reader, sink);
      each_landed_once(sink, 3);
      CHECK(sink.errors.empty());
    }
  }
}

TEST_CASE("readers: the end of the file fails its own requests only") {
  for (const Flavour& flavour : flavours()) {
    CAPTURE(flavour.name);
    const TemporaryFolder folder;
    KnownFile file = make_known_file(folder, "short", 10'000, 1, flavour.direct);
    const auto reader = make(flavour, {.gap_bytes = 4096});
    CheckingSink sink;
    const std::vector<ReadRequest> wave = {
        request_of(file, 9'000, 1'000, 0),  // the last that is there
        request_of(file, 9'001, 1'000, 1),  // one byte too long; joined with the one before
        request_of(file, 10'000, 1, 2),    request_of(file, 5 << 20, 4096, 3),
        request_of(file, 8'000, 100, 4),   request_of(file, 9'500, 4'000, 5),
    };
    reader->submit(wave);
    drain(*reader, sink);
    each_landed_once(sink, 6);
    CHECK(sink.errors.size() == 4);
    for (const uint32_t index : {1u, 2u, 3u, 5u}) {
      CAPTURE(index);
      REQUIRE(sink.errors.contains(index));
      const base::Error& error = sink.errors.at(index);
      CHECK(error.code == base::Code::io);
      CHECK(error.os_errno == 0);
      CHECK(error.file == file.path);
      CHECK(error.offset_bytes == wave[index].offset);
      CHECK(error.message.find("the file ends at 10000") != std::string::npos);
      CHECK(error.message.find(std::to_string(wave[index].offset + wave[index].length)) !=
            std::string::npos);
    }
  }
}

TEST_CASE("readers: a file cut short while it is open, cold and trusted to be in memory") {
  for (const Flavour& flavour : flavours()) {
    for (const uint32_t rows_before : {0u, 4000u}) {
      CAPTURE(flavour.name);
      CAPTURE(rows_before);
      const TemporaryFolder folder;
      KnownFile file = make_known_file(folder, "cut", 1 << 20, 1, flavour.direct);
      const auto reader = make(flavour);
      CheckingSink sink;
      for (uint32_t i = 0; i < rows_before; ++i) {
        const ReadRequest request = request_of(file, (i * 1536) % (1 << 19), 1536, i);
        reader->submit(std::span(&request, 1));
        drain(*reader, sink);
      }
      each_landed_once(sink, rows_before);
      REQUIRE(::truncate(file.path.c_str(), 300'000) == 0);
      CheckingSink after;
      const std::vector<ReadRequest> wave = {
          request_of(file, 1000, 1536, 0), request_of(file, 299'999, 2, 1),
          request_of(file, 600'000, 1536, 2), request_of(file, 299'990, 10, 3)};
      reader->submit(wave);
      drain(*reader, after);
      each_landed_once(after, 4);
      CHECK(after.errors.size() == 2);
      CHECK(after.errors.contains(1));
      CHECK(after.errors.contains(2));
    }
  }
}

TEST_CASE("readers: a file that grows under its map") {
  for (const Flavour& flavour : flavours()) {
    CAPTURE(flavour.name);
    const TemporaryFolder folder;
    KnownFile file = make_known_file(folder, "growing", 100, 1, flavour.direct);
    auto source = io::Source::open(file.path, {.direct = flavour.direct, .map_bytes = 1 << 20});
    REQUIRE(source.ok());
    file.source = source.value();
    const auto reader = make(flavour);
    CheckingSink sink;
    const ReadRequest before = request_of(file, 5000, 100, 0);
    reader->submit(std::span(&before, 1));
    drain(*reader, sink);
    CHECK(sink.errors.contains(0));
    file.content = random_bytes(50'000, 2);
    write_file(file.path, file.content);
    const ReadRequest after = request_of(file, 5000, 100, 1);
    reader->submit(std::span(&after, 1));
    drain(*reader, sink);
    CHECK(!sink.errors.contains(1));
  }
}

TEST_CASE("readers: wake ends a sleep, from another thread and in advance") {
  for (const Flavour& flavour : flavours()) {
    CAPTURE(flavour.name);
    const auto reader = make(flavour);
    CheckingSink sink;
    reader->wake();
    CHECK(reader->reap(sink, true) == 0);  // rung in advance
    // Hand over a token to and fro: each side runs only when the other has woken it.
    std::atomic<int> turns{0};
    constexpr int k_turns = 2000;
    std::thread waker([&] {
      for (int turn = 0; turn < k_turns; ++turn) {
        turns.wait(turn);
        reader->wake();
      }
    });
    for (int turn = 0; turn < k_turns; ++turn) {
      turns.store(turn + 1);
      turns.notify_one();
      CHECK(reader->reap(sink, true) == 0);
    }
    waker.join();
  }
}

TEST_CASE("readers: wakes from several threads while rows land") {
  for (const Flavour& flavour : flavours()) {
    CAPTURE(flavour.name);
    const TemporaryFolder folder;
    std::vector<KnownFile> files = make_files(folder, 3, flavour.direct);
    const auto reader = make(flavour, {.depth = 8});
    std::atomic<bool> stop{false};
    std::vector<std::thread> wakers;
    for (int i = 0; i < 2; ++i) {
      wakers.emplace_back([&] {
        while (!stop.load()) {
          reader->wake();
          std::this_thread::yield();
        }
      });
    }
    std::mt19937_64 random(1);
    CheckingSink sink;
    uint32_t index = 0;
    for (int waves = 0; waves < 100; ++waves) {
      reader->submit(random_wave(files, random, 20, index));
      index += 20;
      reader->reap(sink, true);
      (void)reader->statistics();
    }
    while (reader->pending() > 0) {
      reader->reap(sink, true);
    }
    stop.store(true);
    for (std::thread& waker : wakers) {
      waker.join();
    }
    each_landed_once(sink, index);
  }
}

TEST_CASE("readers: made on one thread, used on another, destroyed on the first") {
  for (const Flavour& flavour : flavours()) {
    CAPTURE(flavour.name);
    const TemporaryFolder folder;
    std::vector<KnownFile> files = make_files(folder, 2, flavour.direct);
    const auto reader = make(flavour);
    CheckingSink sink;
    std::thread worker([&] {
      std::mt19937_64 random(1);
      reader->submit(random_wave(files, random, 500, 0));
      drain(*reader, sink);
      // And ends with reads in flight.
      reader->submit(random_wave(files, random, 500, 500));
    });
    worker.join();
    each_landed_once(sink, 500);
  }
}

TEST_CASE("readers: destroyed with reads in flight") {
  for (const Flavour& flavour : flavours()) {
    CAPTURE(flavour.name);
    const TemporaryFolder folder;
    std::vector<KnownFile> files = make_files(folder, 2, flavour.direct);
    std::mt19937_64 random(1);
    for (int i = 0; i < 20; ++i) {
      const auto reader = make(flavour);
      reader->submit(random_wave(files, random, 300, 0));
    }
  }
}
