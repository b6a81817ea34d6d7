// The stored form of values, and tracker pages.
#include <doctest/doctest.h>

#include <random>
#include <thread>
#include <vector>

#include "gridstore/tracker.h"
#include "gridstore/value_codec.h"
#include "gridstore_fixture.h"

using namespace asyncstore;
using namespace asyncstore::gridstore_test;
using gridstore::Entry;
using gridstore::Tracker;
using gridstore::TrackerPage;
using gridstore::ValueCodec;

TEST_CASE("gridstore values: what is decoded is what was encoded") {
  std::mt19937_64 random(1);
  ValueCodec codec(9, true);
  std::vector<std::byte> target;
  Value decoded;
  uint64_t compressed = 0;
  for (uint32_t slot = 0; slot < 3000; ++slot) {
    const Value value = some_value(random);
    const size_t begin = target.size();
    const Entry entry = codec.encode(slot, value, target);
    const auto stored = base::Bytes(target).subspan(begin);
    REQUIRE(stored.size() == entry.stored_bytes());
    REQUIRE(codec.decode(slot, entry, stored, decoded));
    const bool same = decoded == value;
    REQUIRE(same);
    if (entry.lz4()) {
      ++compressed;
      REQUIRE(stored.size() <= value.size() - value.size() / 8);
      REQUIRE(gridstore::blocks_of(stored.size()) < gridstore::blocks_of(value.size()));
    }
    // Another slot, owner, length or byte is noticed.
    REQUIRE(!codec.decode(slot + 1, entry, stored, decoded));
    REQUIRE(!ValueCodec(8, true).decode(slot, entry, stored, decoded));
    if (!stored.empty()) {
      REQUIRE(!codec.decode(slot, entry, stored.first(stored.size() - 1), decoded));
      target[begin + random() % stored.size()] ^= std::byte{4};
      REQUIRE(!codec.decode(slot, entry, base::Bytes(target).subspan(begin), decoded));
    }
    if (target.size() > (1 << 20)) {
      target.clear();
    }
  }
  CHECK(compressed > 300);
}

TEST_CASE("gridstore values: compressed only where it helps") {
  ValueCodec codec(1, true);
  std::vector<std::byte> target;
  CHECK(!codec.encode(0, Value(128), target).lz4());  // a block stays a block
  CHECK(codec.encode(0, Value(129), target).lz4());
  CHECK(!ValueCodec(1, false).encode(0, Value(5000), target).lz4());
  CHECK(codec.encode(0, {}, target).stored_bytes() == 0);
}

TEST_CASE("gridstore values: a lying length neither crashes nor takes memory") {
  // Checksums that hold, as if somebody had computed them.
  ValueCodec codec(1, false);
  std::mt19937_64 random(2);
  Value decoded;
  for (int i = 0; i < 20'000; ++i) {
    Value stored(random() % 60);
    for (auto& byte : stored) {
      byte = static_cast<std::byte>(random());
    }
    if (random() % 2 == 0 && stored.size() > 4) {
      stored[2] = stored[3] = std::byte{};  // a length that is not absurd
    }
    std::vector<std::byte> target;
    Entry entry = codec.encode(3, stored, target);
    entry.length_word |= Entry::k_lz4_bit;
    static_cast<void>(codec.decode(3, entry, target, decoded));
    REQUIRE(decoded.capacity() <= 2 * 60 * 255);
  }
}

TEST_CASE("gridstore tracker: pages know their number and their owner") {
  TrackerPage page{};
  page.number = 5;
  page.entries[254] = {1, 2, 3, 4};
  seal(page, 77);
  CHECK(holds(page, 5, 77));
  CHECK(!holds(page, 4, 77));
  CHECK(!holds(page, 5, 78));
  for (size_t byte = 0; byte < sizeof page; ++byte) {
    auto* bytes = reinterpret_cast<std::byte*>(&page);
    bytes[byte] ^= std::byte{16};
    REQUIRE(!holds(page, 5, 77));
    bytes[byte] ^= std::byte{16};
  }
  CHECK(gridstore::entry_offset(1000) == 16'048);  // the example in tracker_page.h
}

TEST_CASE("gridstore tracker: dirty pages come once, with the pages that were passed over") {
  Tracker tracker;
  REQUIRE(tracker.reserve(2000));
  CHECK(tracker.find(0).absent());
  tracker.set(600, {1, 2, 3, 4});
  CHECK(tracker.slot_count() == 601);
  CHECK(tracker.fresh(600));
  CHECK(!tracker.fresh(0));
  auto images = tracker.take_dirty();
  REQUIRE(images.size() == 3);
  CHECK(images[2].number == 2);
  CHECK(images[2].entries[90] == Entry{1, 2, 3, 4});
  CHECK(images[2].entries[91].absent());
  CHECK(!tracker.fresh(600));
  CHECK(tracker.take_dirty().empty());
  tracker.set(0, {});
  tracker.touch(2);
  images = tracker.take_dirty();
  REQUIRE(images.size() == 2);
  CHECK(images[1].number == 2);

  Tracker loaded;
  REQUIRE(loaded.reserve(601));
  loaded.load_slots(601);
  loaded.load(2, images[1]);
  loaded.load_lost(1);
  CHECK(loaded.find(600) == Entry{1, 2, 3, 4});
  CHECK(loaded.find(300).damaged());
  CHECK(loaded.find(0).absent());
  CHECK(loaded.find(601).absent());
}

TEST_CASE("gridstore tracker: readers never see half of an entry") {
  Tracker tracker;
  REQUIRE(tracker.reserve(4));
  tracker.set(1, {1, 1, 1, 1});
  std::atomic<bool> stop{false};
  std::atomic<bool> mixed{false};
  std::vector<std::thread> readers;
  readers.reserve(2);
  for (int i = 0; i < 2; ++i) {
    readers.emplace_back([&] {
      while (!stop.load(std::memory_order_relaxed)) {
        const Entry entry = tracker.find(1);
        if (entry.page != entry.block || entry.page != entry.length_word ||
            entry.page != entry.crc) {
          mixed = true;
        }
      }
    });
  }
  for (uint32_t i = 1; i < 300'000; ++i) {
    tracker.set(1, {i, i, i, i});
  }
  stop = true;
  for (auto& reader : readers) {
    reader.join();
  }
  CHECK(!mixed);
}
