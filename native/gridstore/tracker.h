// The entries of all slots, in memory.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "base/stable_array.h"
#include "gridstore/tracker_page.h"

namespace asyncstore::gridstore {

// 16 bytes a slot, and an eighth for what changed. One thread (the writer) changes entries; find()
// may run on any thread at any time.
//
// An entry is two words, w0 (page, block) and w1 (length, checksum). The writer stores "busy" to
// w0, then w1, then w0; a reader loads w0, w1, w0 and has an entry when both w0 are the same and
// not busy. Had w1 been of another entry than w0, then "busy" or something newer would be seen in
// the second w0, since it was stored before that w1. The same w0 twice with another w1 between
// would need the same blocks in use again, which takes a reader without a holder
// (Gridstore::release); the checksum of the value then tells.
//
// A flush wants all dirty pages as they are at one moment. The writer only notes which those are;
// another thread copies them, while the writer goes on. To that end each page has a word: 0; or
// k_planned, as long as nobody copied it; or the address of a copy. The copier copies the page and
// then exchanges k_planned for 0. The writer, before its first change to a planned page, copies it
// and exchanges k_planned for that copy. Who comes second throws its copy away, so neither waits
// for the other, and what counts was copied before anything changed.
class Tracker {
 public:
  Tracker() = default;
  ~Tracker();

  // --- any thread ---
  uint32_t slot_count() const { return slot_count_.load(std::memory_order_acquire); }
  // Absent from slot_count() on.
  Entry find(uint32_t slot) const;
  uint64_t ram_bytes() const;
  // The page as it was when plan_dirty() gave its number, unsealed; once for each number.
  TrackerPage copy_planned(uint32_t page) const;

  // --- writer ---
  // Makes room in memory for slots [0, slots); false when there is none.
  bool reserve(uint32_t slots);
  // The slot is within what was reserved. Its page is dirty from now on, and so are all pages that
  // slot_count() passes over: every page of the file is written at least once.
  void set(uint32_t slot, const Entry& entry);
  // Whether the entry was set since the last plan_dirty(): no flush ever saw it.
  bool fresh(uint32_t slot) const;
  // The numbers of all dirty pages, in order; the pages are clean then. All of them must be copied
  // or touched again before the next call.
  std::vector<uint32_t> plan_dirty();
  // Makes a page dirty, again if it is planned: no copy of it is wanted any more. While nobody
  // copies.
  void touch(uint32_t page);

  // --- loading: before other threads know the tracker ---
  // `slots` as in the file; reserved before.
  void load_slots(uint32_t slots);
  // Entries behind the last slot are left out.
  void load(uint32_t page, const TrackerPage& image);
  // All entries of the page are lost to damage.
  void load_lost(uint32_t page);
  void load_lost_entry(uint32_t slot);

 private:
  void store(uint32_t slot, const Entry& entry);
  TrackerPage image_of(uint32_t page) const;
  void save_if_planned(uint32_t page);
  void mark_dirty(uint32_t page);

  static constexpr uint64_t k_planned = 1;

  base::StableArray<std::atomic<uint64_t>> words_;  // w0 and w1 of slot 0, of slot 1, …
  std::atomic<uint32_t> slot_count_{0};
  uint32_t reserved_ = 0;
  std::vector<uint64_t> dirty_;  // a bit a page
  std::vector<uint64_t> fresh_;  // four words a page, a bit an entry; of dirty pages
  base::StableArray<std::atomic<uint64_t>> planned_;  // a word a page
};

// More words would not fit in a StableArray.
inline constexpr uint32_t k_slots_max = UINT32_MAX - 1023;

}  // namespace asyncstore::gridstore
