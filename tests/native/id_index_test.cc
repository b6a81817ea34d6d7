#include "points/id_index.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <vector>

using namespace asyncstore;
using points::k_no_slot;
using points::PointId;

namespace {

// Ids of a small set, so that the same come again, of both kinds.
PointId some_id(std::mt19937_64& random, uint64_t count) {
  const uint64_t value = random() % count;
  return random() % 2 == 0 ? PointId::integer(value) : PointId{true, value % 7, value / 7};
}

}  // namespace

TEST_CASE("id hash: equals a map under insertions and erasures") {
  for (const uint64_t seed : {1, 2, 3, 4}) {
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    std::vector<PointId> ids;  // by slot
    std::vector<uint32_t> free;
    const auto id_of = [&](uint32_t slot) { return ids[slot]; };
    points::IdHash hash;
    std::map<PointId, uint32_t> model;
    const uint64_t range = seed % 2 == 0 ? 200 : 20'000;
    for (int step = 0; step < 60'000; ++step) {
      const PointId id = some_id(random, range);
      // Grows for a while, then shrinks, then stays.
      const bool erase = random() % 10 < (step / 20'000 == 0 ? 2U : step / 20'000 == 1 ? 8U : 5U);
      const auto found = model.find(id);
      const uint32_t expected = found == model.end() ? k_no_slot : found->second;
      REQUIRE(hash.find(id, id_of) == expected);
      if (erase && expected != k_no_slot) {
        hash.erase(id, id_of);
        free.push_back(expected);
        model.erase(found);
        REQUIRE(hash.find(id, id_of) == k_no_slot);
      } else if (!erase && expected == k_no_slot) {
        uint32_t slot = static_cast<uint32_t>(ids.size());
        if (!free.empty() && random() % 2 == 0) {
          slot = free.back();
          free.pop_back();
          ids[slot] = id;
        } else {
          ids.push_back(id);
        }
        hash.insert(id, slot, id_of);
        model.emplace(id, slot);
      }
    }
    for (const auto& [id, slot] : model) {
      REQUIRE(hash.find(id, id_of) == slot);
    }
  }
}

TEST_CASE("id hash: reserving changes nothing but the space") {
  std::vector<PointId> ids;
  const auto id_of = [&](uint32_t slot) { return ids[slot]; };
  points::IdHash hash;
  hash.reserve(5000);
  const uint64_t bytes = hash.bytes();
  CHECK(bytes <= 5000 * 10 + 64 * 8 * 4);
  for (uint32_t slot = 0; slot < 5000; ++slot) {
    ids.push_back(PointId::integer(slot * 977));
    hash.prefetch(ids.back());
    hash.insert(ids.back(), slot, id_of);
  }
  CHECK(hash.bytes() <= 2 * bytes);
  for (uint32_t slot = 0; slot < 5000; ++slot) {
    REQUIRE(hash.find(ids[slot], id_of) == slot);
    REQUIRE(hash.find(PointId::integer(slot * 977 + 1), id_of) == k_no_slot);
  }
}

TEST_CASE("id hash: an integer and the UUID of the same number are two ids") {
  std::vector<PointId> ids = {PointId::integer(5), {true, 0, 5}};
  const auto id_of = [&](uint32_t slot) { return ids[slot]; };
  points::IdHash hash;
  CHECK(hash.find(ids[0], id_of) == k_no_slot);  // also while nothing has any space
  hash.insert(ids[0], 0, id_of);
  CHECK(hash.find(ids[1], id_of) == k_no_slot);
  hash.insert(ids[1], 1, id_of);
  CHECK(hash.find(ids[0], id_of) == 0);
  CHECK(hash.find(ids[1], id_of) == 1);
}

TEST_CASE("id order: equals a set") {
  for (const uint64_t seed : {11, 12, 13}) {
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    std::vector<PointId> ids;
    const points::IdOfSlot id_of = [&](uint32_t slot) { return ids[slot]; };
    std::map<PointId, uint32_t> model;
    std::vector<uint32_t> slots;
    for (uint32_t i = 0; i < (seed == 11 ? 0U : 5000U); ++i) {
      const PointId id = some_id(random, 100'000);
      if (model.emplace(id, static_cast<uint32_t>(ids.size())).second) {
        slots.push_back(static_cast<uint32_t>(ids.size()));
        ids.push_back(id);
      }
    }
    points::IdOrder order;
    CHECK(!order.built());
    order.build(slots, id_of);
    CHECK(order.built());
    for (int step = 0; step < 12'000; ++step) {
      // Ascending ids, scattered ones, and a time when most of it goes.
      const PointId id = step < 3000   ? PointId::integer(200'000 + static_cast<uint64_t>(step))
                         : step < 6000 ? some_id(random, 100'000)
                                       : some_id(random, 100'000 >> (step - 6000) / 500);
      const auto found = model.find(id);
      if (found != model.end()) {
        order.erase(found->second, id_of);
        model.erase(found);
      } else if (step < 6000) {
        ids.push_back(id);
        const auto slot = static_cast<uint32_t>(ids.size() - 1);
        order.insert(slot, id_of);
        model.emplace(id, slot);
      }
      if (step % 50 == 0) {
        const PointId from = some_id(random, 250'000);
        const uint64_t limit = random() % 3000;
        std::vector<uint32_t> expected;
        for (auto at = model.lower_bound(from); at != model.end() && expected.size() < limit;
             ++at) {
          expected.push_back(at->second);
        }
        REQUIRE(order.range(from, limit, id_of) == expected);
      }
    }
    std::vector<uint32_t> all;
    for (const auto& [id, slot] : model) {
      all.push_back(slot);
    }
    CHECK(order.range(PointId::integer(0), UINT64_MAX, id_of) == all);
    while (!model.empty()) {
      const auto at = model.begin();
      order.erase(at->second, id_of);
      model.erase(at);
    }
    CHECK(order.range(PointId::integer(0), 10, id_of).empty());
    ids.push_back(PointId::integer(3));
    order.insert(static_cast<uint32_t>(ids.size() - 1), id_of);
    CHECK(order.range(PointId::integer(0), 10, id_of).size() == 1);
    CHECK(order.range(PointId::integer(4), 10, id_of).empty());
  }
}
