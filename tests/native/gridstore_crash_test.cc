// A Gridstore that ends in the middle of something, or whose disk fails: after opening it holds
// exactly what the last committed flush knew.
#include <doctest/doctest.h>

#include <filesystem>
#include <random>

#include "failing_storage.h"
#include "gridstore_fixture.h"
#include "power_cut_storage.h"
#include "quick_folder.h"

using namespace asyncstore;
using namespace asyncstore::gridstore_test;
using asyncstore::storage_test::Call;
using asyncstore::storage_test::Cut;
using asyncstore::storage_test::FailingStorage;
using asyncstore::storage_test::PowerCutStorage;
using asyncstore::storage_test::QuickFolder;

namespace {

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr uint64_t k_stride = 5;  // of the places to fail at, sanitizers look at every fifth
#else
constexpr uint64_t k_stride = 1;
#endif

constexpr uint32_t k_slots = 2500;  // ten tracker pages

// What was committed when the script ended, early or not.
struct History {
  uint64_t committed = 0;
  Model state;
  uint64_t dictionaries = 0;
};

// Plans a flush, prepares it or not, and gives it up; false when something failed.
bool give_up_flush(Fixture& fixture) {
  if (!fixture.write_out().ok()) {
    return false;
  }
  auto plan = fixture.store().plan_flush();
  if (!plan) {
    return true;
  }
  const uint64_t number = fixture.next_number();
  const bool prepared = number % 4 == 2 || fixture.store().prepare(*plan, number).ok();
  fixture.store().abandon(std::move(plan));
  return prepared;
}

// Puts, removes, flushes and reopens, as far as it gets. After a failed flush nothing more is
// written, as a caller does after a failed sync. A flush has few of the tracker's pages, so that no
// journal makes up for what an earlier one should have made durable.
void run_script(Fixture& fixture, uint64_t seed, History& history) {
  std::mt19937_64 random(seed);
  for (uint64_t round = 0; round < 8; ++round) {
    if (round % 3 == 0 && !fixture.open().ok()) {
      return;
    }
    for (int i = 0; i < 40; ++i) {
      if (i == 20 && round % 2 == 1 && !give_up_flush(fixture)) {
        return;
      }
      const auto slot = static_cast<uint32_t>((uint64_t{300} * round + random() % 300) % k_slots);
      if (random() % 5 == 0) {
        fixture.remove(slot);
      } else if (!fixture.put(slot, some_value(random)).ok()) {
        return;
      }
      if (i % 10 == 9) {
        if (!fixture.write_out().ok()) {
          return;
        }
        fixture.release();
      }
    }
    const bool flushed = fixture.flush().ok();
    history = {fixture.committed(), fixture.durable(), fixture.store().statistics().dictionaries};
    if (!flushed) {
      return;
    }
  }
}

History run(const std::shared_ptr<io::Storage>& storage, const std::string& folder, uint64_t seed) {
  History history;
  Fixture fixture(storage, folder);
  run_script(fixture, seed, history);
  return history;
}

// The folder opens with the state of the history, and can be written to and flushed again.
void check_history(const std::string& folder, const History& history, uint64_t seed) {
  Fixture fixture(std::make_shared<FailingStorage>(), folder);
  while (fixture.next_number() < history.committed) {
  }
  fixture.set_committed(history.committed, history.state);
  const auto opened = fixture.open();
  if (!opened.ok()) {
    FAIL(opened.error().message);
  }
  check_equal(fixture.store(), history.state);
  REQUIRE(fixture.store().space_is_sound());
  if (seed % 4 != 0) {
    return;
  }
  std::mt19937_64 random(seed);
  for (int i = 0; i < 50; ++i) {
    REQUIRE(fixture.put(static_cast<uint32_t>(random() % k_slots), some_value(random)).ok());
  }
  REQUIRE(fixture.flush().ok());
  REQUIRE(fixture.open().ok());
  check_equal(fixture.store(), fixture.durable());
}

// Calls that change something, of the whole script.
uint64_t count_calls(uint64_t seed) {
  const QuickFolder folder;
  const auto storage = std::make_shared<FailingStorage>(std::make_shared<PowerCutStorage>());
  const History history = run(storage, folder / "grid", seed);
  REQUIRE(history.committed > 8);  // counting those that were given up
  REQUIRE(history.dictionaries > 0);
  return storage->board().changes();
}

}  // namespace

TEST_CASE("gridstore crash: the process dies at any call") {
  constexpr uint64_t k_seed = 1;
  CAPTURE(k_seed);
  const uint64_t calls = count_calls(k_seed);
  REQUIRE(calls > 200);
  for (uint64_t k = 1; k <= calls + 1; k += k_stride) {
    CAPTURE(k);
    const QuickFolder folder;
    const auto storage = std::make_shared<FailingStorage>();
    storage->board().die_at(k);
    const History history = run(storage, folder / "grid", k_seed);
    check_history(folder / "grid", history, k);
  }
}

TEST_CASE("gridstore crash: the power is cut at any call") {
  constexpr uint64_t k_seed = 2;
  CAPTURE(k_seed);
  const uint64_t calls = count_calls(k_seed);
  for (uint64_t k = 1; k <= calls + 1; k += k_stride) {
    const QuickFolder folder;
    const auto disk = std::make_shared<PowerCutStorage>();
    const auto storage = std::make_shared<FailingStorage>(disk);
    storage->board().die_at(k);
    const History history = run(storage, folder / "grid", k_seed);
    for (const auto how : {Cut::synced, Cut::prefix, Cut::mixture, Cut::mixture, Cut::mixture}) {
      static uint64_t images = 0;
      CAPTURE(k);
      CAPTURE(static_cast<int>(how));
      const std::string image = folder / ("image" + std::to_string(++images));
      disk->cut(folder / "grid", image, how, images);
      // Whose folder this is makes it, and syncs the one above.
      std::filesystem::create_directories(image);
      check_history(image, history, images);
      std::filesystem::remove_all(image);
    }
  }
}

TEST_CASE("gridstore crash: a disk that fails one call, and then works again") {
  constexpr uint64_t k_seed = 3;
  CAPTURE(k_seed);
  for (const Call call : {Call::write, Call::sync, Call::allocate, Call::sync_folder, Call::open,
                          Call::rename, Call::remove, Call::truncate}) {
    uint64_t met = 1;
    for (uint64_t at = 1; met > 0; at += k_stride) {
      CAPTURE(static_cast<int>(call));
      CAPTURE(at);
      const QuickFolder folder;
      const auto storage = std::make_shared<FailingStorage>();
      const int os_errno = call == Call::allocate || at % 2 == 0 ? ENOSPC : EIO;
      storage->board().arm({call, at, os_errno, 100});
      Fixture fixture(storage, folder / "grid");
      History history;
      run_script(fixture, k_seed, history);
      met = storage->board().faults_met();
      check_history(folder / "grid", history, at);
    }
  }
}

TEST_CASE("gridstore crash: after an error the store in memory is as it was") {
  constexpr uint64_t k_seed = 4;
  for (const Call call : {Call::write, Call::allocate, Call::open, Call::truncate}) {
    uint64_t met = 1;
    for (uint64_t at = 1; met > 0; at += k_stride) {
      CAPTURE(static_cast<int>(call));
      CAPTURE(at);
      const QuickFolder folder;
      const auto storage = std::make_shared<FailingStorage>();
      Fixture fixture(storage, folder / "grid");
      REQUIRE(fixture.open().ok());
      std::mt19937_64 random(k_seed);
      Model before;
      storage->board().arm({call, at, call == Call::allocate ? ENOSPC : EIO, 100, "/grid/"});
      bool failed = false;
      for (int i = 0; i < 300 && !failed; ++i) {
        before = fixture.now();
        const auto slot = static_cast<uint32_t>(random() % k_slots);
        const Value value = some_value(random);
        failed = !fixture.store().put(slot, value).ok();
        if (!failed) {
          failed = !fixture.store().write_out().ok();
        }
        if (!failed) {
          const Model& now = fixture.now();
          Model next = now;
          next[slot] = value;
          fixture.set_now(std::move(next));
        }
      }
      met = storage->board().faults_met();
      // Where there was no space in advance, what is needed now may still be had.
      REQUIRE((failed ? met > 0 : met == 0 || call == Call::allocate));
      if (failed) {
        check_equal(fixture.store(), before);
      }
      REQUIRE(fixture.store().space_is_sound());
      // The disk works again, and so does the store.
      storage->board().disarm();
      for (int i = 0; i < 30; ++i) {
        REQUIRE(fixture.put(static_cast<uint32_t>(random() % k_slots), some_value(random)).ok());
      }
      REQUIRE(fixture.flush().ok());
      check_equal(fixture.store(), fixture.now());
      REQUIRE(fixture.open().ok());
      check_equal(fixture.store(), fixture.durable());
    }
  }
}

TEST_CASE("gridstore crash: a flush that a full disk stopped is made up for by the next") {
  for (const Call call : {Call::write, Call::open}) {
    const QuickFolder folder;
    const auto storage = std::make_shared<FailingStorage>();
    Fixture fixture(storage, folder / "grid");
    REQUIRE(fixture.open().ok());
    std::mt19937_64 random(5);
    const auto put_some = [&] {
      for (int i = 0; i < 50; ++i) {
        REQUIRE(fixture.put(static_cast<uint32_t>(random() % k_slots), some_value(random)).ok());
      }
      REQUIRE(fixture.write_out().ok());
      fixture.release();
    };
    put_some();
    REQUIRE(fixture.flush().ok());
    // The journal cannot be written.
    put_some();
    storage->board().arm({call, 1, ENOSPC, 100, ".flush"});
    CHECK(!fixture.flush().ok());
    CHECK(fixture.committed() == 1);
    put_some();
    REQUIRE(fixture.flush().ok());
    check_equal(fixture.store(), fixture.now());
    // The tracker cannot be written in place, and the next flush changes another page of it.
    put_some();
    storage->board().arm({call, 1, EIO, 100, "tracker"});
    CHECK(!fixture.flush().ok());
    CHECK(fixture.committed() == 4);
    REQUIRE(fixture.put(0, some_value(random)).ok());
    REQUIRE(fixture.flush().ok());
    REQUIRE(fixture.store().space_is_sound());
    REQUIRE(fixture.open().ok());
    check_equal(fixture.store(), fixture.durable());
    CHECK(fixture.committed() == 5);
  }
}
