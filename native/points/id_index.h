// From point id to slot, and the order of the ids.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "points/point_id.h"

namespace asyncstore::points {

inline constexpr uint32_t k_no_slot = UINT32_MAX;

// Ids themselves live in the point table; the index holds slots and asks for their ids. Not
// thread-safe: the table's lock covers it.
using IdOfSlot = std::function<PointId(uint32_t slot)>;

// Open addressing with linear probing over 64 shards, so that growing stalls nobody for long. At
// most 10 bytes a point (4 bytes at a load of 0.4 to 0.8).
class IdHash {
 public:
  template <typename IdOf>
  uint32_t find(const PointId& id, const IdOf& id_of) const;
  // The id must not be there.
  template <typename IdOf>
  void insert(const PointId& id, uint32_t slot, const IdOf& id_of);
  // The id must be there.
  template <typename IdOf>
  void erase(const PointId& id, const IdOf& id_of);
  // Makes room for `count` ids in all.
  void reserve(uint64_t count);
  void prefetch(const PointId& id) const;
  uint64_t bytes() const;
  static uint64_t hash(const PointId& id);

 private:
  struct Shard {
    std::vector<uint32_t> slots;  // a power of two; k_no_slot: empty
    uint64_t used = 0;
  };
  static constexpr size_t k_shards = 64;

  static size_t shard_of(uint64_t hash) { return hash >> 58; }
  template <typename IdOf>
  static void rehash(Shard& shard, size_t capacity, const IdOf& id_of);

  std::array<Shard, k_shards> shards_;
};

// The ids in ascending order, for scrolling. Built when first asked for, kept up to date
// afterwards: blocks of at most 1,024 slots, 4 to 8 bytes a point.
class IdOrder {
 public:
  bool built() const { return built_; }
  // `slots`: all live slots, in any order.
  void build(std::vector<uint32_t> slots, const IdOfSlot& id_of);
  void insert(uint32_t slot, const IdOfSlot& id_of);
  void erase(uint32_t slot, const IdOfSlot& id_of);
  // The first `limit` slots whose id is not before `from`.
  std::vector<uint32_t> range(const PointId& from, uint64_t limit, const IdOfSlot& id_of) const;
  uint64_t bytes() const;

 private:
  static constexpr size_t k_block_max = 1024;
  size_t block_of(const PointId& id, const IdOfSlot& id_of) const;

  std::vector<std::vector<uint32_t>> blocks_;  // none is empty
  bool built_ = false;
};

// --- IdHash: templates, since finding an id must cost no indirect call ---

inline uint64_t IdHash::hash(const PointId& id) {
  // Two rounds of the finalizer of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).
  uint64_t x = id.low + (id.is_uuid ? 0x9E3779B97F4A7C15 : 0);
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
  x ^= x >> 31;
  x += id.high;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
  return x ^ (x >> 31);
}

inline void IdHash::prefetch(const PointId& id) const {
  const uint64_t h = hash(id);
  const Shard& shard = shards_[shard_of(h)];
  if (!shard.slots.empty()) {
    __builtin_prefetch(&shard.slots[h & (shard.slots.size() - 1)]);
  }
}

template <typename IdOf>
uint32_t IdHash::find(const PointId& id, const IdOf& id_of) const {
  const uint64_t h = hash(id);
  const Shard& shard = shards_[shard_of(h)];
  if (shard.slots.empty()) {
    return k_no_slot;
  }
  const size_t mask = shard.slots.size() - 1;
  for (size_t at = h & mask;; at = (at + 1) & mask) {
    const uint32_t slot = shard.slots[at];
    if (slot == k_no_slot || id_of(slot) == id) {
      return slot;
    }
  }
}

template <typename IdOf>
void IdHash::rehash(Shard& shard, size_t capacity, const IdOf& id_of) {
  std::vector<uint32_t> old(capacity, k_no_slot);
  old.swap(shard.slots);
  const size_t mask = capacity - 1;
  for (const uint32_t slot : old) {
    if (slot != k_no_slot) {
      size_t at = hash(id_of(slot)) & mask;
      while (shard.slots[at] != k_no_slot) {
        at = (at + 1) & mask;
      }
      shard.slots[at] = slot;
    }
  }
}

template <typename IdOf>
void IdHash::insert(const PointId& id, uint32_t slot, const IdOf& id_of) {
  const uint64_t h = hash(id);
  Shard& shard = shards_[shard_of(h)];
  if ((shard.used + 1) * 5 > shard.slots.size() * 4) {
    rehash(shard, shard.slots.empty() ? 8 : shard.slots.size() * 2, id_of);
  }
  const size_t mask = shard.slots.size() - 1;
  size_t at = h & mask;
  while (shard.slots[at] != k_no_slot) {
    at = (at + 1) & mask;
  }
  shard.slots[at] = slot;
  ++shard.used;
}

template <typename IdOf>
void IdHash::erase(const PointId& id, const IdOf& id_of) {
  const uint64_t h = hash(id);
  Shard& shard = shards_[shard_of(h)];
  const size_t mask = shard.slots.size() - 1;
  size_t hole = h & mask;
  while (id_of(shard.slots[hole]) != id) {
    hole = (hole + 1) & mask;
  }
  // Close the hole: move back every later entry of the run whose home is not behind the hole.
  for (size_t at = (hole + 1) & mask; shard.slots[at] != k_no_slot; at = (at + 1) & mask) {
    const size_t home = hash(id_of(shard.slots[at])) & mask;
    if (((at - home) & mask) >= ((at - hole) & mask)) {
      shard.slots[hole] = shard.slots[at];
      hole = at;
    }
  }
  shard.slots[hole] = k_no_slot;
  --shard.used;
}

}  // namespace asyncstore::points
