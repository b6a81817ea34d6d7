// The stored form of values, and tracker pages.
#include <doctest/doctest.h>

#include <atomic>
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

namespace {

// As for a put: the stored form, which the codec learns from.
Entry put_to(ValueCodec& codec, uint32_t slot, const Value& value, Value& stored) {
  gridstore::Encoded encoded;
  codec.encode(slot, value, encoded);
  codec.learn(encoded);
  stored.assign(encoded.stored().begin(), encoded.stored().end());
  return encoded.entry;
}

}  // namespace

TEST_CASE("gridstore values: what is decoded is what was encoded") {
  std::mt19937_64 random(1);
  ValueCodec codec(9, true, 256);
  Value stored;
  Value decoded;
  uint64_t compressed = 0;
  for (uint32_t slot = 0; slot < 3000; ++slot) {
    const Value value = some_value(random);
    const Entry entry = put_to(codec, slot, value, stored);
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
      REQUIRE(!codec.decode(slot, entry, base::Bytes(stored).first(stored.size() - 1), decoded));
      stored[random() % stored.size()] ^= std::byte{4};
      REQUIRE(!codec.decode(slot, entry, stored, decoded));
    }
  }
  CHECK(compressed > 1500);
  CHECK(codec.dictionary_count() > 0);
}

TEST_CASE("gridstore values: compressed only where it helps") {
  ValueCodec codec(1, true);
  ValueCodec plain(1, false);
  Value stored;
  CHECK(!put_to(codec, 0, Value(128), stored).lz4());  // a block stays a block
  CHECK(put_to(codec, 0, Value(129), stored).lz4());
  CHECK(!put_to(plain, 0, Value(5000), stored).lz4());
  CHECK(put_to(codec, 0, {}, stored).stored_bytes() == 0);
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
    Value target;
    Entry entry = put_to(codec, 3, stored, target);
    entry.length_word |= Entry::k_lz4_bit;
    static_cast<void>(codec.decode(3, entry, target, decoded));
    REQUIRE(decoded.capacity() <= 2 * 60 * 255);
  }
}

namespace {

// Encodes texts until the codec has so many dictionaries; nothing when it takes too long.
bool learn(ValueCodec& codec, std::mt19937_64& random, uint64_t dialect, uint32_t count) {
  Value stored;
  for (int i = 0; i < 20'000 && codec.dictionary_count() < count; ++i) {
    put_to(codec, 0, some_text(random, dialect), stored);
  }
  return codec.dictionary_count() == count;
}

}  // namespace

TEST_CASE("gridstore values: a dictionary is made of values that are alike, and replaced in time") {
  std::mt19937_64 random(3);
  ValueCodec codec(5, true, 2048);
  std::vector<std::vector<std::byte>> stored;
  std::vector<Entry> entries;
  std::vector<Value> values;
  for (const uint64_t dialect : {0, 1}) {
    REQUIRE(learn(codec, random, dialect, static_cast<uint32_t>(dialect) + 1));
    for (int i = 0; i < 200; ++i) {
      values.push_back(some_text(random, dialect));
      const auto slot = static_cast<uint32_t>(entries.size());
      entries.push_back(put_to(codec, slot, values.back(), stored.emplace_back()));
      REQUIRE(entries.back().lz4());
      REQUIRE(stored.back().size() < values.back().size() * 3 / 4);
    }
  }
  REQUIRE(codec.dictionary_count() == 2);
  ValueCodec reader(5, true);
  ValueCodec lacking(5, true);
  ValueCodec mistaken(5, true);
  reader.add_dictionary(codec.dictionary(1));
  reader.add_dictionary(codec.dictionary(2));
  lacking.add_dictionary(nullptr);
  lacking.add_dictionary(codec.dictionary(2));
  auto changed = *codec.dictionary(1);
  changed.crc ^= 1;
  mistaken.add_dictionary(std::make_shared<gridstore::Dictionary>(changed));
  Value value;
  for (uint32_t slot = 0; slot < values.size(); ++slot) {
    for (const ValueCodec* each : {&codec, &reader}) {
      REQUIRE(each->decode(slot, entries[slot], stored[slot], value));
      const bool same = value == values[slot];
      REQUIRE(same);
    }
    REQUIRE(lacking.decode(slot, entries[slot], stored[slot], value) == (slot >= 200));
    REQUIRE(!mistaken.decode(slot, entries[slot], stored[slot], value));
  }
}

TEST_CASE("gridstore values: no dictionary where none helps, or where all numbers are taken") {
  std::mt19937_64 random(4);
  ValueCodec codec(5, true, 256);
  Value stored;
  for (int i = 0; i < 5000; ++i) {
    Value value(200 + random() % 400);
    for (auto& byte : value) {
      byte = static_cast<std::byte>(random());
    }
    put_to(codec, 0, value, stored);
  }
  CHECK(codec.dictionary_count() == 0);
  ValueCodec without(5, false, 256);
  CHECK(!learn(without, random, 0, 1));
  ValueCodec full(5, true, 256);
  for (uint32_t i = 0; i < gridstore::k_dictionaries_max; ++i) {
    full.add_dictionary(nullptr);
  }
  CHECK(!learn(full, random, 0, gridstore::k_dictionaries_max + 1));
}

TEST_CASE("gridstore values: threads encode while the writer finds dictionaries") {
  ValueCodec codec(5, true, 256);
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> wrong{0};
  std::vector<std::thread> threads;
  threads.reserve(2);
  for (uint32_t thread = 0; thread < 2; ++thread) {
    threads.emplace_back([&, thread] {
      std::mt19937_64 random(thread);
      gridstore::Encoded encoded;
      Value back;
      while (!stop.load(std::memory_order_relaxed)) {
        const Value value = some_value(random);
        codec.encode(thread, value, encoded);
        const bool same =
            codec.decode(thread, encoded.entry, encoded.stored(), back) && back == value;
        wrong += same ? 0 : 1;
      }
    });
  }
  std::mt19937_64 random(9);
  for (uint64_t dialect = 0; dialect < 4; ++dialect) {
    CHECK(learn(codec, random, dialect % 2, static_cast<uint32_t>(dialect) + 1));
  }
  stop = true;
  for (auto& thread : threads) {
    thread.join();
  }
  CHECK(wrong == 0);
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
  const auto copy_all = [&] {
    std::vector<TrackerPage> images;
    for (const uint32_t page : tracker.plan_dirty()) {
      images.push_back(tracker.copy_planned(page));
      REQUIRE(images.back().number == page);
    }
    return images;
  };
  auto images = copy_all();
  REQUIRE(images.size() == 3);
  CHECK(images[2].number == 2);
  CHECK(images[2].entries[90] == Entry{1, 2, 3, 4});
  CHECK(images[2].entries[91].absent());
  CHECK(!tracker.fresh(600));
  CHECK(tracker.plan_dirty().empty());
  tracker.set(0, {});
  CHECK(tracker.fresh(0));
  tracker.touch(2);
  CHECK(!tracker.fresh(600));
  images = copy_all();
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

TEST_CASE("gridstore tracker: a planned page is copied as it was, whatever comes after") {
  Tracker tracker;
  REQUIRE(tracker.reserve(2000));
  for (uint32_t slot = 0; slot < 600; ++slot) {
    tracker.set(slot, {1, slot, 1, 1});
  }
  REQUIRE(tracker.plan_dirty() == std::vector<uint32_t>{0, 1, 2});
  tracker.set(3, {2, 3, 2, 2});
  tracker.set(4, {2, 4, 2, 2});
  tracker.set(600, {2, 600, 2, 2});  // the page of others, and behind what was planned
  tracker.set(1500, {2, 1500, 2, 2});
  CHECK(tracker.fresh(3));
  CHECK(!tracker.fresh(5));
  for (uint32_t page = 0; page < 3; ++page) {
    const TrackerPage image = tracker.copy_planned(page);
    for (uint32_t i = 0; i < gridstore::k_page_entries; ++i) {
      const uint32_t slot = page * gridstore::k_page_entries + i;
      REQUIRE(image.entries[i] == (slot < 600 ? Entry{1, slot, 1, 1} : Entry{}));
    }
  }
  // What changed meanwhile is for the next.
  const auto pages = tracker.plan_dirty();
  REQUIRE(pages == std::vector<uint32_t>{0, 2, 3, 4, 5});
  CHECK(tracker.copy_planned(0).entries[3] == Entry{2, 3, 2, 2});
  // Given up, with a copy that nobody asks for.
  tracker.set(600, {3, 600, 3, 3});
  for (const uint32_t page : pages) {
    tracker.touch(page);
  }
  REQUIRE(tracker.plan_dirty() == pages);
  CHECK(tracker.copy_planned(2).entries[90] == Entry{3, 600, 3, 3});
  tracker.set(1500, {3, 1500, 3, 3});  // the tracker goes with a copy
}

TEST_CASE("gridstore tracker: the writer and who copies planned pages race for each") {
  constexpr uint32_t k_slots = 40 * gridstore::k_page_entries;
#if defined(__SANITIZE_THREAD__)
  constexpr uint32_t k_turns = 150;
#else
  constexpr uint32_t k_turns = 1000;
#endif
  Tracker tracker;
  REQUIRE(tracker.reserve(k_slots));
  std::vector<uint32_t> now(k_slots);
  std::mt19937_64 random(1);
  uint64_t wrong = 0;
  uint32_t value = 0;
  const auto change = [&](uint32_t slot) {
    now[slot] = ++value;
    tracker.set(slot, {value % 1000 + 1, value, value, value});
  };
  for (uint32_t slot = 0; slot < k_slots; ++slot) {
    change(slot);
  }
  for (uint32_t turn = 0; turn < k_turns; ++turn) {
    const std::vector<uint32_t> before(now.begin(), now.end());
    const auto pages = tracker.plan_dirty();
    std::vector<TrackerPage> images;
    std::thread copier([&] {
      for (const uint32_t page : pages) {
        images.push_back(tracker.copy_planned(page));
      }
    });
    // From the end, so that both meet in the middle; then anywhere.
    for (uint32_t page = 40; page > 0; --page) {
      change((page - 1) * gridstore::k_page_entries + static_cast<uint32_t>(random() % 255));
    }
    for (int i = 0; i < 100; ++i) {
      change(static_cast<uint32_t>(random() % k_slots));
    }
    copier.join();
    for (const TrackerPage& image : images) {
      for (uint32_t i = 0; i < gridstore::k_page_entries; ++i) {
        wrong += image.entries[i].block != before[image.number * gridstore::k_page_entries + i];
      }
    }
  }
  CHECK(wrong == 0);
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
