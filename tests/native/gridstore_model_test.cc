// Random operations against a map, with flushes, reopening and crashes.
//
// A failing run prints its seed: ASYNCSTORE_TEST_SEED=… ASYNCSTORE_TEST_OPERATIONS=… repeat it.
#include <doctest/doctest.h>

#include <deque>
#include <random>

#include "failing_storage.h"
#include "gridstore_fixture.h"
#include "quick_folder.h"

using namespace asyncstore;
using namespace asyncstore::gridstore_test;
using asyncstore::storage_test::FailingStorage;
using asyncstore::storage_test::QuickFolder;

namespace {

// A flush that is done step by step, among other operations.
struct SlowFlush {
  std::unique_ptr<gridstore::FlushPlan> plan;
  Model state;  // that it makes durable
  uint64_t number = 0;
  bool is_committed = false;
};

void step_flush(Fixture& fixture, SlowFlush& slow, std::mt19937_64& random) {
  auto& store = fixture.store();
  if (!slow.plan) {
    REQUIRE(fixture.write_out().ok());
    slow = {store.plan_flush(), fixture.now(), 0, false};
  } else if (slow.number == 0) {
    if (random() % 4 == 0) {
      store.abandon(std::move(slow.plan));
      return;
    }
    slow.number = fixture.next_number();
    REQUIRE(store.prepare(*slow.plan, slow.number).ok());
  } else if (!slow.is_committed) {
    if (random() % 4 == 0) {
      store.abandon(std::move(slow.plan));
      return;
    }
    fixture.set_committed(slow.number, slow.state);
    slow.is_committed = true;
  } else {
    // Now and then as after a failed finish.
    if (random() % 4 > 0) {
      REQUIRE(store.finish(*slow.plan).ok());
    }
    REQUIRE(fixture.write_out().ok());
    store.committed(std::move(slow.plan));
  }
}

void run(uint64_t seed, uint64_t operations) {
  CAPTURE(seed);
  CAPTURE(operations);
  std::mt19937_64 random(seed);
  const QuickFolder folder;
  Fixture fixture(std::make_shared<FailingStorage>(), folder / "grid");
  REQUIRE(fixture.open().ok());
  SlowFlush slow;
  std::deque<std::shared_ptr<const void>> readers;
  uint64_t slots = 700;
  for (uint64_t step = 0; step < operations; ++step) {
    CAPTURE(step);
    const uint64_t kind = random() % 1000;
    const auto slot = static_cast<uint32_t>(random() % slots);
    if (kind < 600) {
      REQUIRE(fixture.put(slot, some_value(random)).ok());
    } else if (kind < 800) {
      fixture.remove(slot);
    } else if (kind < 900) {
      REQUIRE(fixture.write_out().ok());
      const auto read = fixture.store().read(slot);
      const auto found = fixture.now().find(slot);
      REQUIRE(read.ok());
      REQUIRE(read.value().has_value() == (found != fixture.now().end()));
      REQUIRE((!read.value() || *read.value() == found->second));
    } else if (kind < 920) {
      const auto read = fixture.store().read_own(slot);
      REQUIRE(read.ok());
      REQUIRE(read.value().has_value() == fixture.now().contains(slot));
    } else if (kind < 950) {
      REQUIRE(fixture.write_out().ok());
      readers.push_back(fixture.release());
      while (readers.size() > random() % 4) {
        readers.pop_front();
      }
    } else if (kind < 985) {
      step_flush(fixture, slow, random);
    } else if (kind < 990 && !slow.plan) {
      REQUIRE(fixture.flush().ok());
    } else if (kind < 995) {
      // A crash, or a close: what was not flushed is gone either way.
      slow = {};
      readers.clear();
      REQUIRE(fixture.open().ok());
      check_equal(fixture.store(), fixture.durable());
    } else {
      slots = random() % 2000 + 1;
    }
    if (step % 64 == 0) {
      REQUIRE(fixture.write_out().ok());
      REQUIRE(fixture.store().space_is_sound());
      if (step % 1024 == 0) {
        check_equal(fixture.store(), fixture.now());
      }
    }
  }
  slow = {};
  REQUIRE(fixture.open().ok());
  check_equal(fixture.store(), fixture.durable());
  REQUIRE(fixture.store().space_is_sound());
}

}  // namespace

TEST_CASE("gridstore model: equals a map under random operations and crashes") {
  const uint64_t operations = number_from_environment("ASYNCSTORE_TEST_OPERATIONS", 4000);
  const uint64_t seed = number_from_environment("ASYNCSTORE_TEST_SEED", 0);
  if (seed != 0) {
    run(seed, operations);
    return;
  }
  for (const uint64_t each : {1, 2, 3}) {
    run(each, operations);
  }
}
