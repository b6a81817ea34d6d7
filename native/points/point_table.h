// All points of a collection: slot → id, version, places of its vectors; id → slot.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <span>
#include <vector>

#include "base/stable_array.h"
#include "points/id_index.h"
#include "points/location.h"
#include "points/point_id.h"

namespace asyncstore::points {

// A point as it is kept on disk and handed over by a checkpoint.
struct PointEntry {
  uint32_t slot = 0;
  bool live = false;
  PointId id;
  uint64_t version = 0;
  std::vector<Location> locations;  // one for each vector field
};

// One thread (the collection's writer) changes the table. Other threads may at any time read id,
// version and location of a slot that they hold by a view, or take `read_lock` to find ids.
// A slot that was freed is given out again only after release() was told that no view that could
// hold it is left. Resident: 8 bytes for the id, 16 where it is a UUID, 8 for the version, 8 for
// each field, 5 to 10 for the hash, ½ for flags.
class PointTable {
 public:
  explicit PointTable(uint32_t fields);

  uint32_t fields() const { return fields_; }
  uint64_t live_count() const { return live_.load(std::memory_order_relaxed); }
  uint32_t slot_count() const {
    return slot_count_.load(std::memory_order_acquire);
  }  // slots ever used

  // --- any thread ---
  std::shared_lock<std::shared_mutex> read_lock() const { return std::shared_lock(mutex_); }
  // Under the read lock (or on the writer): k_no_slot when there is no such point.
  uint32_t find(const PointId& id) const;
  // Under the lock likewise: whether the slot, which held a point, still does.
  bool live(uint32_t slot) const { return flag(is_live_, slot); }
  PointId id(uint32_t slot) const;
  uint64_t version(uint32_t slot) const;
  Location location(uint32_t slot, uint32_t field) const {
    return Location::of_word((*locations_[field])[slot].load(std::memory_order_acquire));
  }
  // For who is going to ask for it soon.
  void prefetch_location(uint32_t slot, uint32_t field) const {
    __builtin_prefetch(&(*locations_[field])[slot]);
  }
  // The same for a number that may be no slot at all.
  Location location_or_none(uint32_t slot, uint32_t field) const {
    return slot < slot_count() ? location(slot, field) : Location{};
  }
  // The slots of those ids that there are, ascending; takes the lock itself.
  std::vector<uint32_t> slots_of(std::span<const PointId> ids) const;
  // Sets the bits of the slots that hold points which readers may see, below 64 · words.size(), and
  // clears the others; takes the lock itself.
  void seen(std::span<uint64_t> words) const;
  // The first `limit` slots in the order of ids, from `from` on; takes the lock itself.
  std::vector<uint32_t> scroll(const PointId& from, uint64_t limit);
  uint64_t ram_bytes() const;

  // --- writer ---
  // Before a group of `count` ids is applied: false when there is no memory for them.
  bool reserve(uint64_t count);
  // Starts changing under the exclusive lock; others wait for the lock's end.
  std::unique_lock<std::shared_mutex> write_lock() { return std::unique_lock(mutex_); }
  // The slot of the id; makes the point when there is none. Until it gets a version, readers that
  // find it must take it for absent.
  uint32_t find_or_add(const PointId& id);
  void set_version(uint32_t slot, uint64_t version);
  void set_location(uint32_t slot, uint32_t field, Location location);
  void erase(uint32_t slot);
  // To be told of every view that is replaced: slots erased since the last call may be used again
  // once this view and all before it are gone.
  void release(std::shared_ptr<const void> holder);

  // --- checkpoint, on the writer ---
  using Visit = std::function<void(const PointEntry&)>;
  // Begins to show the entries that changed since the last call: how many. Each is shown once, as
  // it is now: what changes before its turn comes is shown before it changes. The entry is valid
  // during the visit.
  uint64_t begin_changes(Visit visit);
  // Shows those among so many slots more; false when there is none left.
  bool take_changes(uint32_t slots);
  uint64_t changed_count() const { return changed_; }
  // Marks everything as changed: the next checkpoint writes a whole table.
  void touch_all();

  // --- loading, before anything else ---
  void load_reserve(uint64_t count);
  // So many slots had been used when what comes was saved, though the last may hold no point any
  // more: what was saved earlier (an index) may name them. False when there is no memory.
  bool load_slots(uint32_t count);
  void prefetch(const PointId& id) const { hash_.prefetch(id); }
  // What an earlier table told of the slot no longer holds.
  void unload(uint32_t slot);
  // False when the entry contradicts another (the same slot or id twice) or there is no memory. A
  // base was written from a table and holds no id twice; it is loaded without looking, which saves
  // a miss of the cache for most entries.
  bool load(const PointEntry& entry, bool of_base = false);
  // After the last: slots without a live point become free.
  void load_finish();

 private:
  bool flag(const base::StableArray<uint64_t>& flags, uint32_t slot) const;
  void set_flag(const base::StableArray<uint64_t>& flags, uint32_t slot, bool value);
  // Before the slot changes.
  void touch(uint32_t slot);
  void show(uint32_t slot);
  void set_id(uint32_t slot, const PointId& id);

  uint32_t fields_;
  std::atomic<uint32_t> slot_count_{0};  // changed by the writer alone
  std::atomic<uint64_t> live_{0};
  mutable std::shared_mutex mutex_;

  base::StableArray<uint64_t> ids_low_;
  // Of UUIDs. Memory that is never touched takes none, so it is neither read nor written for
  // others.
  base::StableArray<uint64_t> ids_high_;
  std::atomic<bool> has_uuids_{false};
  base::StableArray<std::atomic<uint64_t>> versions_;
  std::vector<std::unique_ptr<base::StableArray<std::atomic<uint64_t>>>> locations_;
  // Bits by slot, 64 a word. Only the writer changes them, under the lock; is_uuid_ is read
  // without.
  base::StableArray<std::atomic<uint64_t>> is_uuid_;
  base::StableArray<uint64_t> is_live_;
  base::StableArray<uint64_t> is_seen_;  // live, and with a version
  base::StableArray<uint64_t> is_changed_;
  uint64_t changed_ = 0;
  // Changes that a checkpoint is taking: words like is_changed_ of that moment, from begin_ on.
  std::vector<uint64_t> taking_;
  size_t taking_begin_ = 0;
  Visit visit_;
  PointEntry shown_;

  IdHash hash_;
  IdOrder order_;
  std::vector<uint32_t> free_;
  std::vector<uint32_t> erased_;  // since the last release()
  struct Held {
    std::weak_ptr<const void> holder;
    std::vector<uint32_t> slots;
  };
  std::deque<Held> held_;
  std::atomic<uint64_t> lists_bytes_{0};  // of the writer's lists, for ram_bytes()
};

}  // namespace asyncstore::points
