#include "points/point_table.h"

#include <doctest/doctest.h>

#include <atomic>
#include <map>
#include <mutex>
#include <random>
#include <thread>
#include <utility>

using namespace asyncstore;
using points::k_no_slot;
using points::Location;
using points::PointEntry;
using points::PointId;
using points::PointTable;

namespace {

void write_point(PointTable& table, const PointId& id, uint64_t version, Location location) {
  REQUIRE(table.reserve(1));
  const auto lock = table.write_lock();
  const uint32_t slot = table.find_or_add(id);
  for (uint32_t field = 0; field < table.fields(); ++field) {
    table.set_location(slot, field, {location.segment + field, location.row});
  }
  table.set_version(slot, version);
}

std::shared_ptr<const void> new_view() {
  return std::make_shared<int>(0);
}

}  // namespace

TEST_CASE("location: a word and back; zero is no vector") {
  CHECK(Location{}.word() == 0);
  CHECK(!Location::of_word(0).present());
  for (const Location location :
       {Location{0, 0}, Location{0, UINT32_MAX}, Location{7, 9}, Location{UINT32_MAX - 1, 5}}) {
    CHECK(location.word() != 0);
    CHECK(Location::of_word(location.word()) == location);
    CHECK(location.present());
  }
}

TEST_CASE("point table: equals a map, through checkpoints, erasures and reused slots") {
  struct Point {
    uint64_t version;
    Location location;
  };
  for (const uint64_t seed : {1, 2, 3}) {
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    PointTable table(2);
    std::map<PointId, Point> model;
    std::map<uint32_t, PointEntry> saved;  // what the checkpoints told, by slot
    std::map<PointId, Point> begun;        // the model when the last one began
    bool taking = false;
    uint64_t to_show = 0;
    uint64_t shown = 0;
    auto view = new_view();
    for (uint64_t step = 1; step < 6000; ++step) {
      const PointId id =
          random() % 2 == 0 ? PointId::integer(random() % 500) : PointId{true, 1, random() % 500};
      if (random() % 3 > 0) {
        const Location location{static_cast<uint32_t>(random() % 9), static_cast<uint32_t>(step)};
        write_point(table, id, step, location);
        model[id] = {step, location};
      } else if (const auto lock = table.write_lock(); model.erase(id) > 0) {
        table.erase(table.find(id));
      }
      if (random() % 10 == 0) {
        auto next = new_view();
        table.release(std::exchange(view, next));
      }
      if (step == 3000) {
        CHECK(table.scroll(PointId::integer(0), UINT64_MAX).size() ==
              model.size());  // builds the order
      }
      // A checkpoint shows the points of when it began, whatever is written while it takes them.
      if (step % 500 == 0) {
        REQUIRE(!taking);
        taking = true;
        shown = 0;
        begun = model;
        to_show = table.begin_changes([&](const PointEntry& entry) {
          ++shown;
          saved[entry.slot] = entry;
        });
        CHECK(table.changed_count() == 0);
      }
      if (!taking || random() % 8 > 0 || table.take_changes(16)) {
        continue;
      }
      taking = false;
      CHECK(shown == to_show);
      std::map<PointId, Point> told;
      for (const auto& [slot, entry] : saved) {
        if (entry.live) {
          REQUIRE(told.emplace(entry.id, Point{entry.version, entry.locations[0]}).second);
          CHECK(entry.locations[1] ==
                Location{entry.locations[0].segment + 1, entry.locations[0].row});
        }
      }
      REQUIRE(told.size() == begun.size());
      for (const auto& [known, point] : begun) {
        REQUIRE(told.contains(known));
        CHECK(told[known].version == point.version);
        CHECK(told[known].location == point.location);
      }
    }
    CHECK(table.live_count() == model.size());
    CHECK(table.slot_count() <= 1100);  // at most 1,000 live ones, and few that wait
    CHECK(table.ram_bytes() > 0);
    const auto all = table.scroll(PointId::integer(0), UINT64_MAX);
    REQUIRE(all.size() == model.size());
    auto expected = model.begin();
    for (const uint32_t slot : all) {
      CHECK(table.id(slot) == expected->first);
      CHECK(table.version(slot) == expected->second.version);
      CHECK(table.location(slot, 0) == expected->second.location);
      CHECK(table.find(expected->first) == slot);
      ++expected;
    }
  }
}

TEST_CASE("point table: a new point has no version and no place until it gets them") {
  PointTable table(1);
  REQUIRE(table.reserve(2));
  const uint32_t slot = table.find_or_add(PointId::integer(1));
  CHECK(table.version(slot) == 0);
  CHECK(!table.location(slot, 0).present());
  CHECK(table.find_or_add(PointId::integer(1)) == slot);
  table.set_version(slot, 5);
  table.set_location(slot, 0, {1, 2});
  table.erase(slot);
  auto view = new_view();
  table.release(std::move(view));
  const uint32_t again = table.find_or_add(PointId::integer(2));
  CHECK(again == slot);
  CHECK(table.version(again) == 0);
  CHECK(!table.location(again, 0).present());
}

TEST_CASE("point table: the upper half of an id takes memory where there are UUIDs") {
  PointTable integers(1);
  PointTable uuids(1);
  constexpr uint64_t k_points = 1000;
  for (uint64_t i = 0; i < k_points; ++i) {
    write_point(integers, PointId::integer(i), 1, {0, static_cast<uint32_t>(i)});
    write_point(uuids, {true, i + 1, i}, 1, {0, static_cast<uint32_t>(i)});
  }
  const uint64_t more = uuids.ram_bytes() - integers.ram_bytes();  // also what the hash has
  CHECK(more > 7 * k_points);
  CHECK(more < 9 * k_points);
  // A slot that held a UUID holds an integer: nothing is left of it.
  {
    const auto lock = uuids.write_lock();
    uuids.erase(uuids.find({true, 8, 7}));
  }
  uuids.release(new_view());
  uuids.release(new_view());
  write_point(uuids, PointId::integer(7), 2, {0, 7});
  CHECK(uuids.slot_count() == k_points);
  const uint32_t slot = uuids.find(PointId::integer(7));
  REQUIRE(slot != k_no_slot);
  CHECK(uuids.id(slot) == PointId::integer(7));
  CHECK(uuids.find({true, 8, 7}) == k_no_slot);
}

TEST_CASE("point table: a slot is used again only when no view is left that could hold it") {
  PointTable table(1);
  for (uint64_t i = 0; i < 4; ++i) {
    write_point(table, PointId::integer(i), 1, {1, 1});
  }
  const auto erase = [&](uint64_t id) {
    const auto lock = table.write_lock();
    const uint32_t slot = table.find(PointId::integer(id));
    table.erase(slot);
    return slot;
  };
  const auto add = [&](uint64_t id) {
    write_point(table, PointId::integer(id), 2, {1, 1});
    return table.find(PointId::integer(id));
  };
  auto first = new_view();
  auto search = first;  // holds the view of the beginning
  const uint32_t freed = erase(0);
  CHECK(add(10) == 4);  // not even released
  auto second = new_view();
  table.release(std::exchange(first, nullptr));
  CHECK(add(11) == 5);  // the search may still hold it
  const uint32_t freed_later = erase(1);
  table.release(std::exchange(second, nullptr));  // nobody holds this one, but the search is older
  CHECK(add(12) == 6);
  search.reset();
  CHECK(add(13) == 7);  // told of at the next release
  table.release(new_view());
  const uint32_t a = add(14);
  const uint32_t b = add(15);
  CHECK(std::minmax(a, b) == std::minmax(freed, freed_later));
  CHECK(add(16) == 8);
}

TEST_CASE("point table: a view that freed nothing holds what later ones freed") {
  PointTable table(1);
  write_point(table, PointId::integer(0), 1, {1, 1});
  auto first = new_view();
  const auto search = first;
  table.release(std::exchange(first, nullptr));  // frees nothing, is held
  auto second = new_view();
  {
    const auto lock = table.write_lock();
    table.erase(table.find(PointId::integer(0)));
  }
  table.release(std::exchange(second, nullptr));
  write_point(table, PointId::integer(1), 2, {1, 1});
  CHECK(table.find(PointId::integer(1)) == 1);
}

TEST_CASE("point table: loading refuses contradictions") {
  PointTable table(1);
  table.load_reserve(4);
  CHECK(table.load({3, true, PointId::integer(7), 1, {Location{1, 1}}}));
  CHECK(!table.load({2, true, PointId::integer(7), 1, {Location{1, 2}}}));  // the same id
  CHECK(!table.load({3, true, PointId::integer(8), 1, {Location{1, 2}}}));  // the same slot
}

TEST_CASE("point table: after loading, slots without a point are free, lowest first") {
  PointTable table(1);
  table.load_reserve(2);
  CHECK(table.load({5, true, PointId::integer(7), 1, {Location{1, 1}}}));
  CHECK(table.load({1, false, PointId::integer(9), 1, {Location{1, 2}}}));
  CHECK(table.load({3, true, PointId::integer(8), 1, {Location{1, 3}}}));
  table.unload(3);
  CHECK(table.find(PointId::integer(8)) == k_no_slot);
  table.load_finish();
  CHECK(table.live_count() == 1);
  CHECK(table.slot_count() == 6);
  CHECK(table.changed_count() == 0);
  CHECK(!table.location_or_none(1, 0).present());
  CHECK(!table.location_or_none(77, 0).present());
  for (const uint32_t slot : {0, 1, 2, 3, 4, 6}) {
    write_point(table, PointId::integer(100 + slot), 3, {1, 9});
    CHECK(table.find(PointId::integer(100 + slot)) == slot);
  }
  table.touch_all();
  CHECK(table.changed_count() == 7);
}

TEST_CASE("point table: readers beside the writer") {
  // Ids 0 … 99 are always there, overwritten all the time; others come and go. Readers check that
  // what they find by id is that id, and never find one of the first hundred missing.
  constexpr uint64_t k_seed = 31;
  CAPTURE(k_seed);
  PointTable table(1);
  for (uint64_t i = 0; i < 100; ++i) {
    write_point(table, PointId::integer(i), 1, {1, 1});
  }
  std::atomic<bool> ended{false};
  std::atomic<uint64_t> wrong{0};
  std::atomic<uint64_t> rounds{0};
  std::mutex view_mutex;
  std::shared_ptr<const void> view = new_view();
  const auto reader = [&](uint64_t seed) {
    std::mt19937_64 random(seed);
    while (!ended.load()) {
      std::shared_ptr<const void> held;
      {
        const std::lock_guard lock(view_mutex);
        held = view;
      }
      const PointId id = PointId::integer(random() % 100);
      uint32_t slot;
      {
        const auto lock = table.read_lock();
        slot = table.find(id);
      }
      wrong += slot == k_no_slot || table.id(slot) != id || table.version(slot) == 0 ||
               !table.location(slot, 0).present();
      const auto slots = table.scroll(PointId::integer(random() % 200), 50);
      for (size_t i = 1; i < slots.size(); ++i) {
        wrong += !(table.id(slots[i - 1]) < table.id(slots[i]));
      }
      wrong += table.ram_bytes() == 0;
      wrong += table.location_or_none(static_cast<uint32_t>(random() % 5000), 0).segment == 77;
      ++rounds;
    }
  };
  std::vector<std::thread> readers;
  for (uint64_t i = 0; i < 2; ++i) {
    readers.emplace_back(reader, k_seed + i);
  }
  std::mt19937_64 random(k_seed);
  for (uint64_t step = 2; step < 4000 || rounds < 20; ++step) {
    const PointId id = PointId::integer(random() % 400);
    bool there = false;
    {
      const auto lock = table.write_lock();
      there = table.find(id) != k_no_slot;
    }
    if (id.low >= 100 && there) {
      const auto lock = table.write_lock();
      table.erase(table.find(id));
    } else {
      write_point(table, id, step, {static_cast<uint32_t>(step % 50), 1});
    }
    if (step % 3 == 0) {
      auto next = new_view();
      {
        const std::lock_guard lock(view_mutex);
        next.swap(view);
      }
      table.release(std::move(next));
    }
    if (step % 1000 == 0) {
      table.begin_changes([](const PointEntry&) {});
      while (table.take_changes(64)) {
      }
    }
  }
  ended = true;
  for (auto& thread : readers) {
    thread.join();
  }
  CHECK(wrong == 0);
}
