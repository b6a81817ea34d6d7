// Values read by the readers of io/, and by threads beside a writer.
#include <doctest/doctest.h>

#include <atomic>
#include <barrier>
#include <cstring>
#include <mutex>
#include <random>
#include <thread>

#include "failing_storage.h"
#include "gridstore_fixture.h"
#include "quick_folder.h"
#include "reader_conformance.h"

using namespace asyncstore;
using namespace asyncstore::gridstore_test;
using asyncstore::storage_test::FailingStorage;
using gridstore::Entry;
using gridstore::Piece;

namespace {

// Puts the pieces of many values together as they land.
struct ValueSink final : io::Sink {
  void landed(const io::ReadRequest& request, base::Bytes data, const base::Error* error) override {
    REQUIRE(error == nullptr);
    std::memcpy(static_cast<std::byte*>(request.context), data.data(), data.size());
  }
};

// A value that says whose it is and which, so that any mixture is noticed. Mostly one that needs a
// dictionary, once there is one.
Value self_describing(uint32_t slot, uint64_t count) {
  const uint64_t word = uint64_t{slot} << 40 | count;
  std::mt19937_64 random(word);
  Value value(sizeof word);
  std::memcpy(value.data(), &word, sizeof word);
  for (uint64_t texts = count % 8 == 0 ? 8 : 1; texts > 0; --texts) {
    const Value text = some_text(random);
    value.insert(value.end(), text.begin(), text.end());
  }
  return value;
}

bool describes_itself(uint32_t slot, const Value& value) {
  uint64_t word;
  if (value.size() < sizeof word) {
    return false;
  }
  std::memcpy(&word, value.data(), sizeof word);
  const uint64_t count = word & ((uint64_t{1} << 40) - 1);
  return word >> 40 == slot && value == self_describing(slot, count);
}

// What a collection's view is to a search.
class HolderPlace {
 public:
  std::shared_ptr<const void> get() const {
    const std::lock_guard lock(mutex_);
    return holder_;
  }
  std::shared_ptr<const void> replace() {
    const std::lock_guard lock(mutex_);
    return std::exchange(holder_, std::make_shared<int>());
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const void> holder_ = std::make_shared<int>();
};

}  // namespace

TEST_CASE("gridstore readers: a wave gives the same values as read()") {
  for (const auto& flavour : io_test::flavours()) {
    CAPTURE(flavour.name);
    const io_test::TemporaryFolder folder;
    auto options = small_options();
    options.page_file_bytes = 2 << 20;
    options.direct_io = flavour.direct;
    Fixture fixture(std::make_shared<FailingStorage>(), folder / "grid", options);
    REQUIRE(fixture.open().ok());
    std::mt19937_64 random(1);
    for (uint32_t slot = 0; slot < 500; ++slot) {
      REQUIRE(fixture.put(slot, some_value(random)).ok());
    }
    REQUIRE(fixture.put(500, io_test::random_bytes(5 << 20, 1)).ok());  // in three page files
    REQUIRE(fixture.write_out().ok());
    const auto& store = fixture.store();

    const auto reader = make(flavour);
    std::vector<Value> stored(store.slot_count());
    std::vector<io::ReadRequest> wave;
    std::vector<Piece> pieces;
    for (uint32_t slot = 0; slot < store.slot_count(); ++slot) {
      const Entry entry = *store.find(slot).value();
      stored[slot].resize(entry.stored_bytes());
      pieces.clear();
      store.pieces(entry, pieces);
      std::byte* target = stored[slot].data();
      for (const Piece& piece : pieces) {
        wave.push_back({piece.source, piece.offset, piece.length, slot, target});
        target += piece.length;
      }
      REQUIRE(target == stored[slot].data() + stored[slot].size());
    }
    std::shuffle(wave.begin(), wave.end(), random);
    ValueSink sink;
    reader->submit(wave);
    io_test::drain(*reader, sink);
    Value value;
    for (uint32_t slot = 0; slot < store.slot_count(); ++slot) {
      REQUIRE(store.decode(slot, *store.find(slot).value(), stored[slot], value).ok());
      const bool same = value == fixture.now().at(slot) && value == *store.read(slot).value();
      REQUIRE(same);
    }
  }
}

TEST_CASE("gridstore readers: beside a writer, every value is one that was put") {
  constexpr uint32_t k_slots = 50;
#if defined(__SANITIZE_THREAD__)
  constexpr uint64_t k_groups = 3000;
#else
  constexpr uint64_t k_groups = 4000;
#endif
  const storage_test::QuickFolder folder;
  Fixture fixture(std::make_shared<FailingStorage>(), folder / "grid");
  REQUIRE(fixture.open().ok());
  auto& store = fixture.store();
  HolderPlace place;
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> reads{0};
  std::atomic<uint64_t> wrong{0};
  const auto read_with_holder = [&](uint64_t seed) {
    std::mt19937_64 random(seed);
    Value stored;
    Value value;
    std::vector<Piece> pieces;
    while (!stop.load()) {
      const auto holder = place.get();
      for (int i = 0; i < 10; ++i) {
        const auto slot = static_cast<uint32_t>(random() % k_slots);
        const auto found = store.find(slot);
        if (!found.ok() || !found.value()) {
          wrong += found.ok() ? 0 : 1;
          continue;
        }
        // A reader that takes its time between pointer and value.
        std::this_thread::yield();
        pieces.clear();
        stored.clear();
        store.pieces(*found.value(), pieces);
        for (const Piece& piece : pieces) {
          const auto map = piece.source->map().value();
          stored.insert(stored.end(), map.begin() + static_cast<ptrdiff_t>(piece.offset),
                        map.begin() + static_cast<ptrdiff_t>(piece.offset + piece.length));
        }
        const bool right =
            store.decode(slot, *found.value(), stored, value).ok() && describes_itself(slot, value);
        wrong += right ? 0 : 1;
        ++reads;
      }
    }
  };
  const auto read_without = [&](uint64_t seed) {
    std::mt19937_64 random(seed);
    while (!stop.load()) {
      const auto slot = static_cast<uint32_t>(random() % k_slots);
      const auto read = store.read(slot);
      const bool right = read.ok() && (!read.value() || describes_itself(slot, *read.value()));
      wrong += right ? 0 : 1;
      ++reads;
      static_cast<void>(store.statistics());
    }
  };
  std::vector<std::thread> readers;
  readers.emplace_back(read_with_holder, 1);
  readers.emplace_back(read_with_holder, 2);
  readers.emplace_back(read_without, 3);
  std::mt19937_64 random(4);
  std::thread flusher;
  std::unique_ptr<gridstore::FlushPlan> plan;
  std::atomic<bool> flushed{false};
  for (uint64_t group = 1; group <= k_groups || reads < 1000; ++group) {
    for (int i = 0; i < 5; ++i) {
      const auto slot = static_cast<uint32_t>(random() % k_slots);
      REQUIRE(store.put(slot, self_describing(slot, group)).ok());
    }
    if (group % 16 == 0) {
      store.remove(static_cast<uint32_t>(random() % k_slots));
    }
    REQUIRE(store.write_out().ok());
    store.release(place.replace());
    // Flushes go on beside writing and reading.
    if (plan && flushed) {
      flusher.join();
      store.committed(std::move(plan));
    }
    if (!plan && group % 20 == 0) {
      plan = store.plan_flush();
      flushed = false;
      flusher = std::thread([&, number = group] {
        CHECK(store.prepare(*plan, number).ok());
        CHECK(store.finish(*plan).ok());
        flushed = true;
      });
    }
  }
  if (flusher.joinable()) {
    flusher.join();
    store.committed(std::move(plan));
  }
  stop = true;
  for (auto& reader : readers) {
    reader.join();
  }
  CHECK(wrong == 0);
  CHECK(reads >= 1000);
  CHECK(store.statistics().dictionaries > 0);
  REQUIRE(store.space_is_sound());
  CHECK(store.statistics().file_bytes < 4 << 20);  // blocks are used again
}

TEST_CASE("gridstore: threads encode side by side and put one at a time, across flushes") {
  constexpr uint32_t k_threads = 3;
  constexpr uint32_t k_values = 1500;  // of each thread, in slots of its own
  const storage_test::QuickFolder folder;
  Fixture fixture(io::make_posix_storage(), folder / "grid");
  REQUIRE(fixture.open().ok());
  auto& store = fixture.store();
  std::mutex writing;
  // Nobody goes on to the other dialect before all have come so far: of a mixture one dictionary
  // would do.
  std::barrier dialects(k_threads);
  std::vector<Model> parts(k_threads);
  std::atomic<uint64_t> failed{0};
  std::vector<std::thread> threads;
  threads.reserve(k_threads);
  for (uint32_t thread = 0; thread < k_threads; ++thread) {
    threads.emplace_back([&, thread] {
      std::mt19937_64 random(thread);
      gridstore::Encoded encoded;
      for (uint32_t i = 0; i < k_values; ++i) {
        if (i == k_values / 2) {
          dialects.arrive_and_wait();
        }
        const uint32_t slot = static_cast<uint32_t>(random() % 400) * k_threads + thread;
        Value& value = parts[thread][slot];
        value = some_text(random, i / (k_values / 2));
        failed += store.encode(slot, value, encoded).ok() ? 0 : 1;
        const std::lock_guard lock(writing);
        failed += store.put(encoded).ok() && store.write_out().ok() ? 0 : 1;
      }
    });
  }
  // Values are on their way with dictionaries that a flush has saved, or not yet.
  for (int turn = 0; turn < 5; ++turn) {
    std::unique_ptr<gridstore::FlushPlan> plan;
    {
      const std::lock_guard lock(writing);
      plan = store.plan_flush();
    }
    if (plan) {
      const uint64_t number = fixture.next_number();
      CHECK(store.prepare(*plan, number).ok());
      CHECK(store.finish(*plan).ok());
      fixture.set_committed(number, {});
      const std::lock_guard lock(writing);
      store.committed(std::move(plan));
    }
  }
  Model all;
  for (uint32_t thread = 0; thread < k_threads; ++thread) {
    threads[thread].join();
    all.insert(parts[thread].begin(), parts[thread].end());
  }
  CHECK(failed == 0);
  CHECK(store.statistics().dictionaries > 1);
  check_equal(store, all);
  fixture.set_now(all);
  REQUIRE(fixture.flush().ok());
  REQUIRE(fixture.open().ok());
  check_equal(fixture.store(), all);
}
