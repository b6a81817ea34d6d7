#include "gridstore/gridstore.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <memory>
#include <random>

#include "failing_storage.h"
#include "gridstore_fixture.h"
#include "io_temporary_folder.h"
#include "quick_folder.h"

using namespace asyncstore;
using namespace asyncstore::gridstore_test;
using asyncstore::storage_test::Call;
using asyncstore::storage_test::FailingStorage;
using asyncstore::storage_test::QuickFolder;
using base::Code;

namespace {

Value value_of(uint64_t size, uint64_t seed) {
  return io_test::random_bytes(size, seed);
}

uint64_t file_count(const std::string& folder) {
  return static_cast<uint64_t>(std::distance(std::filesystem::directory_iterator(folder),
                                             std::filesystem::directory_iterator()));
}

}  // namespace

TEST_CASE("gridstore: values of all sizes, across regions and page files") {
  const QuickFolder folder;
  Fixture fixture(io::make_posix_storage(), folder / "grid");
  REQUIRE(fixture.open().ok());
  const std::vector<uint64_t> sizes = {0,    1,    127,  128,   129,   8192,  8193,
                                       4096, 6144, 9000, 24576, 24577, 70000, 1 << 20};
  for (uint32_t i = 0; i < sizes.size(); ++i) {
    REQUIRE(fixture.put(i * 300, value_of(sizes[i], i)).ok());
  }
  REQUIRE(fixture.write_out().ok());
  check_equal(fixture.store(), fixture.now());
  REQUIRE(fixture.store().space_is_sound());
  REQUIRE(fixture.flush().ok());
  REQUIRE(fixture.open().ok());
  check_equal(fixture.store(), fixture.now());
  REQUIRE(fixture.store().space_is_sound());
}

TEST_CASE("gridstore: a value of 100 MiB in the files of the usual size") {
  const io_test::TemporaryFolder folder;
  gridstore::Options options;
  options.owner = 3;
  Fixture fixture(io::make_posix_storage(), folder / "grid", options);
  REQUIRE(fixture.open().ok());
  Value value(100 << 20);
  uint64_t state = 1;
  for (size_t i = 0; i < value.size(); i += 8) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    std::memcpy(value.data() + i, &state, 8);
  }
  REQUIRE(fixture.put(1, value_of(100, 1)).ok());
  REQUIRE(fixture.put(0, value).ok());
  REQUIRE(fixture.put(2, Value(100 << 20)).ok());  // compresses to nearly nothing
  REQUIRE(fixture.flush().ok());
  REQUIRE(fixture.open().ok());
  check_equal(fixture.store(), fixture.now());
  CHECK(fixture.store().statistics().file_bytes <= 160 << 20);
  std::vector<gridstore::Piece> pieces;
  fixture.store().pieces(*fixture.store().find(0).value(), pieces);
  CHECK(pieces.size() >= 200);
}

TEST_CASE("gridstore: absent slots, and what is never put") {
  const QuickFolder folder;
  Fixture fixture(io::make_posix_storage(), folder / "grid");
  REQUIRE(fixture.open().ok());
  CHECK(!fixture.store().read(0).value());
  CHECK(!fixture.store().read(UINT32_MAX).value());
  fixture.remove(7);
  CHECK(fixture.store().plan_flush() == nullptr);
  REQUIRE(fixture.put(7, {}).ok());
  fixture.remove(7);
  REQUIRE(fixture.write_out().ok());
  CHECK(!fixture.store().read(7).value());
  const auto refused = fixture.store().put(gridstore::k_slots_max, {});
  REQUIRE(!refused.ok());
  CHECK(refused.error().code == Code::invalid_argument);
}

TEST_CASE("gridstore: an unused store makes no file") {
  const QuickFolder folder;
  Fixture fixture(io::make_posix_storage(), folder / "grid");
  REQUIRE(fixture.open().ok());
  CHECK(file_count(folder / "grid") == 0);
  REQUIRE(fixture.put(0, value_of(10, 1)).ok());
  REQUIRE(fixture.flush().ok());
  CHECK(fixture.store().statistics().file_bytes <= 80 << 10);
}

TEST_CASE("gridstore: a group is seen once it is written, the writer sees it before") {
  const QuickFolder folder;
  Fixture fixture(io::make_posix_storage(), folder / "grid");
  REQUIRE(fixture.open().ok());
  auto& store = fixture.store();
  REQUIRE(fixture.put(0, value_of(10, 1)).ok());
  CHECK(!store.find(0).value());
  CHECK(*store.read_own(0).value() == value_of(10, 1));
  REQUIRE(fixture.put(0, value_of(10, 2)).ok());
  REQUIRE(fixture.put(1, value_of(10, 3)).ok());
  fixture.remove(0);
  REQUIRE(fixture.put(0, value_of(10, 4)).ok());
  CHECK(*store.read(0).value() == value_of(10, 1));
  REQUIRE(fixture.write_out().ok());
  check_equal(store, fixture.now());
  CHECK(*store.read_own(0).value() == value_of(10, 4));
  REQUIRE(store.space_is_sound());
}

TEST_CASE("gridstore: a written group is published slot by slot") {
  const QuickFolder folder;
  const auto storage = std::make_shared<FailingStorage>();
  Fixture fixture(storage, folder / "grid");
  REQUIRE(fixture.open().ok());
  auto& store = fixture.store();
  REQUIRE(fixture.put(2, value_of(300, 0)).ok());
  REQUIRE(fixture.write_out().ok());
  REQUIRE(fixture.put(0, value_of(300, 1)).ok());
  REQUIRE(fixture.put(1, value_of(300, 2)).ok());
  REQUIRE(fixture.put(1, value_of(300, 3)).ok());
  fixture.remove(2);
  REQUIRE(fixture.put(0, value_of(300, 4)).ok());
  REQUIRE(store.write().ok());
  CHECK(!store.read(0).value());
  store.publish(0);
  CHECK(*store.read(0).value() == value_of(300, 1));
  CHECK(!store.read(1).value());
  store.publish(1);
  CHECK(*store.read(1).value() == value_of(300, 3));
  CHECK(store.read(2).value());
  store.publish(2);
  CHECK(!store.read(2).value());
  CHECK(*store.read(0).value() == value_of(300, 1));
  CHECK(*store.read_own(0).value() == value_of(300, 4));  // publishes the rest
  check_equal(store, fixture.now());
  REQUIRE(store.space_is_sound());
  // What was published stays when the rest is taken back.
  REQUIRE(fixture.put(3, value_of(300, 5)).ok());
  REQUIRE(store.put(4, value_of(300, 6)).ok());
  REQUIRE(store.write().ok());
  store.publish(3);
  REQUIRE(store.put(5, value_of(300, 7)).ok());
  storage->board().arm({Call::write, 1, EIO, 0, ".page"});
  REQUIRE(!store.write_out().ok());
  check_equal(store, fixture.now());
  REQUIRE(store.space_is_sound());
}

TEST_CASE("gridstore: blocks of old values wait for readers") {
  const QuickFolder folder;
  Fixture fixture(io::make_posix_storage(), folder / "grid");
  REQUIRE(fixture.open().ok());
  auto& store = fixture.store();
  const auto put = [&](uint64_t seed) {
    REQUIRE(fixture.put(0, value_of(1000, seed)).ok());
    REQUIRE(fixture.write_out().ok());
  };
  put(1);
  const auto old_entry = *store.find(0).value();
  put(2);
  const uint64_t waiting = store.statistics().waiting_blocks;
  CHECK(waiting == 8);
  auto reader = fixture.release();  // a reader still has it
  put(3);
  auto newer = fixture.release();
  CHECK(store.statistics().waiting_blocks == 16);
  newer.reset();
  fixture.release();
  CHECK(store.statistics().waiting_blocks == 16);  // the older one delays all later ones
  std::vector<std::byte> stored;
  std::vector<std::byte> value;
  std::vector<gridstore::Piece> pieces;
  store.pieces(old_entry, pieces);
  REQUIRE(pieces.size() == 1);
  stored.resize(pieces[0].length);
  std::memcpy(stored.data(), pieces[0].source->map().value().data() + pieces[0].offset,
              stored.size());
  REQUIRE(store.decode(0, old_entry, stored, value).ok());
  CHECK(value == value_of(1000, 1));
  reader.reset();
  fixture.release();
  CHECK(store.statistics().waiting_blocks == 0);  // none of it was ever flushed
  REQUIRE(store.space_is_sound());
}

TEST_CASE("gridstore: blocks that a flush knows wait for the next one") {
  const QuickFolder folder;
  Fixture fixture(io::make_posix_storage(), folder / "grid");
  REQUIRE(fixture.open().ok());
  auto& store = fixture.store();
  const auto put = [&](uint64_t seed) {
    REQUIRE(fixture.put(0, value_of(1000, seed)).ok());
    REQUIRE(fixture.write_out().ok());
    fixture.release();
    fixture.release();  // the holder of the first is gone now
  };
  put(1);
  REQUIRE(fixture.flush().ok());
  put(2);
  CHECK(store.statistics().waiting_blocks == 8);
  put(3);
  CHECK(store.statistics().waiting_blocks == 8);  // of seed 2 no flush knew
  auto plan = store.plan_flush();
  put(4);
  CHECK(store.statistics().waiting_blocks == 16);  // of seed 3 this one knows
  REQUIRE(store.prepare(*plan, 2).ok());
  store.abandon(std::move(plan));
  CHECK(store.statistics().waiting_blocks == 16);
  plan = store.plan_flush();
  REQUIRE(store.prepare(*plan, 3).ok());
  REQUIRE(store.finish(*plan).ok());
  store.committed(std::move(plan));
  CHECK(store.statistics().waiting_blocks == 0);
  CHECK(store.flush_number() == 3);
  CHECK(store.plan_flush() == nullptr);
  REQUIRE(store.space_is_sound());
  CHECK(file_count(folder / "grid") == 3);  // tracker, one page, 3.done
}

TEST_CASE("gridstore: a full disk refuses a put and takes nothing back") {
  const QuickFolder folder;
  const auto storage = std::make_shared<FailingStorage>();
  Fixture fixture(storage, folder / "grid");
  REQUIRE(fixture.open().ok());
  REQUIRE(fixture.put(0, value_of(1000, 1)).ok());
  REQUIRE(fixture.write_out().ok());
  storage->board().arm({Call::allocate, 1, ENOSPC, 0, "", true});
  REQUIRE(fixture.put(1, value_of(1000, 2)).ok());  // there is space
  const Model before = fixture.now();
  const auto refused = fixture.put(0, value_of(60'000, 3));
  REQUIRE(!refused.ok());
  CHECK(refused.error().os_errno == ENOSPC);
  CHECK(fixture.now() == before);
  REQUIRE(fixture.write_out().ok());
  check_equal(fixture.store(), fixture.now());
  REQUIRE(fixture.store().space_is_sound());
  storage->board().disarm();
  REQUIRE(fixture.put(0, value_of(60'000, 3)).ok());
  REQUIRE(fixture.write_out().ok());
  check_equal(fixture.store(), fixture.now());
}

TEST_CASE("gridstore: what was reserved can be put on a full disk") {
  std::mt19937_64 random(5);
  for (int round = 0; round < 60; ++round) {
    CAPTURE(round);
    const QuickFolder folder;
    const auto storage = std::make_shared<FailingStorage>();
    Fixture fixture(storage, folder / "grid");
    REQUIRE(fixture.open().ok());
    for (uint32_t slot = 0; slot < 60; ++slot) {
      REQUIRE(fixture.put(slot, some_value(random)).ok());
    }
    for (uint32_t slot = 0; slot < 60; slot += 2) {
      fixture.remove(slot);
    }
    REQUIRE(fixture.flush().ok());
    fixture.release();
    // In several reservations, as the operations of one group come.
    std::vector<Value> values;
    for (int part = 0; part < 4; ++part) {
      uint64_t bytes = 0;
      const uint64_t count = random() % 30;
      for (uint64_t i = 0; i < count; ++i) {
        values.push_back(some_value(random));
        bytes += values.back().size();
      }
      REQUIRE(fixture.store().reserve(bytes, count).ok());
    }
    storage->board().arm({Call::allocate, 1, ENOSPC, 0, "", true});
    std::shuffle(values.begin(), values.end(), random);
    for (uint32_t i = 0; i < values.size(); ++i) {
      REQUIRE(fixture.put(60 + i, values[i]).ok());
    }
    REQUIRE(fixture.write_out().ok());
    check_equal(fixture.store(), fixture.now());
    REQUIRE(fixture.store().space_is_sound());
  }
}

TEST_CASE("gridstore: a failed write takes back the group") {
  const QuickFolder folder;
  const auto storage = std::make_shared<FailingStorage>();
  Fixture fixture(storage, folder / "grid");
  REQUIRE(fixture.open().ok());
  REQUIRE(fixture.put(0, value_of(1000, 1)).ok());
  REQUIRE(fixture.put(1, value_of(1000, 2)).ok());
  REQUIRE(fixture.write_out().ok());
  const Model before = fixture.now();
  storage->board().arm({Call::write, 1, EIO, 100, ".page"});
  REQUIRE(fixture.store().put(0, value_of(3000, 3)).ok());
  fixture.store().remove(1);
  REQUIRE(!fixture.store().write_out().ok());
  check_equal(fixture.store(), before);
  REQUIRE(fixture.store().space_is_sound());
  REQUIRE(fixture.put(2, value_of(3000, 4)).ok());
  REQUIRE(fixture.flush().ok());
  check_equal(fixture.store(), fixture.now());
}

TEST_CASE("gridstore: space is found again, and files shrink at open") {
  const QuickFolder folder;
  Fixture fixture(io::make_posix_storage(), folder / "grid");
  REQUIRE(fixture.open().ok());
  std::mt19937_64 random(6);
  for (uint32_t slot = 0; slot < 400; ++slot) {
    REQUIRE(fixture.put(slot, value_of(random() % 2000, slot)).ok());
  }
  REQUIRE(fixture.flush().ok());
  fixture.release();
  uint64_t bytes = 0;
  for (int round = 0; round < 20; ++round) {
    for (int i = 0; i < 40; ++i) {
      REQUIRE(
          fixture.put(static_cast<uint32_t>(random() % 400), value_of(random() % 2000, random()))
              .ok());
    }
    REQUIRE(fixture.flush().ok());
    fixture.release();
    for (const auto& [slot, value] : fixture.now()) {
      bytes += round == 19 ? value.size() : 0;
    }
  }
  CHECK(fixture.store().statistics().file_bytes < bytes * 3 / 2);
  for (uint32_t slot = 0; slot < 400; ++slot) {
    fixture.remove(slot);
  }
  REQUIRE(fixture.flush().ok());
  REQUIRE(fixture.open().ok());
  CHECK(fixture.store().statistics().file_bytes <= 32 << 10);  // the tracker
  CHECK(file_count(folder / "grid") == 2);
}

TEST_CASE("gridstore: damage is found by check") {
  const QuickFolder folder;
  Fixture fixture(io::make_posix_storage(), folder / "grid");
  REQUIRE(fixture.open().ok());
  for (uint32_t slot = 0; slot < 600; ++slot) {
    REQUIRE(fixture.put(slot, value_of(200, slot)).ok());
  }
  REQUIRE(fixture.flush().ok());
  std::vector<uint32_t> found;
  std::vector<std::string> pages;
  const auto look = [&] {
    REQUIRE(fixture.store()
                .check(0, UINT32_MAX,
                       [&](uint32_t slot, const base::Error& error) {
                         CHECK(error.code == Code::corruption);
                         found.push_back(slot);
                       })
                .ok());
    fixture.store().check_tracker(
        [&](uint32_t, const base::Error& error) { pages.push_back(error.message); });
  };
  look();
  CHECK(found.empty());
  CHECK(pages.empty());
  const auto storage = io::make_posix_storage();
  const std::byte wrong[1] = {std::byte{1}};
  const auto entry = *fixture.store().find(300).value();
  char name[32];
  std::snprintf(name, sizeof name, "grid/%08u.page", entry.page);
  auto page = std::move(storage->open(folder / name, io::Open::read_write).value());
  REQUIRE(page->write_at(uint64_t{entry.block} * 128 + 50, wrong).ok());
  auto tracker = std::move(storage->open(folder / "grid/tracker", io::Open::read_write).value());
  REQUIRE(tracker->write_at(4096 + 77, wrong).ok());
  look();
  CHECK(found == std::vector<uint32_t>{300});
  CHECK(pages.size() == 1);
  const auto read = fixture.store().read(300);
  REQUIRE(!read.ok());
  CHECK(read.error().code == Code::corruption);
  CHECK(read.error().offset_bytes == uint64_t{entry.block} * 128);
}
