#include "gridstore/tracker.h"

#include <algorithm>
#include <bit>
#include <memory>
#include <thread>

#include "base/bytes.h"

namespace asyncstore::gridstore {
namespace {

constexpr uint32_t k_fresh_words = 4;  // of a page: 255 entries
constexpr uint32_t k_reserve_slots = 8 * k_page_entries;

uint64_t word0(const Entry& entry) {
  return entry.page | uint64_t{entry.block} << 32;
}
uint64_t word1(const Entry& entry) {
  return entry.length_word | uint64_t{entry.crc} << 32;
}
Entry of_words(uint64_t w0, uint64_t w1) {
  return {static_cast<uint32_t>(w0), static_cast<uint32_t>(w0 >> 32), static_cast<uint32_t>(w1),
          static_cast<uint32_t>(w1 >> 32)};
}

constexpr uint64_t k_busy = Entry::k_busy_page;

}  // namespace

Tracker::~Tracker() {
  for (uint32_t page = 0; page < pages_of(reserved_); ++page) {
    const uint64_t word = planned_[page].load(std::memory_order_relaxed);
    if (word > k_planned) {
      delete reinterpret_cast<TrackerPage*>(word);
    }
  }
}

Entry Tracker::find(uint32_t slot) const {
  if (slot >= slot_count()) {
    return {};
  }
  const auto& first = words_[uint64_t{slot} * 2];
  const auto& second = words_[uint64_t{slot} * 2 + 1];
  // Ends when the writer has made two more stores.
  for (;;) {
    const uint64_t w0 = first.load(std::memory_order_acquire);
    const uint64_t w1 = second.load(std::memory_order_acquire);
    if (w0 != k_busy && first.load(std::memory_order_relaxed) == w0) {
      return of_words(w0, w1);
    }
    std::this_thread::yield();  // the writer has a lower priority than some readers
  }
}

void Tracker::store(uint32_t slot, const Entry& entry) {
  auto& first = words_[uint64_t{slot} * 2];
  auto& second = words_[uint64_t{slot} * 2 + 1];
  first.store(k_busy, std::memory_order_relaxed);
  second.store(word1(entry), std::memory_order_release);
  first.store(word0(entry), std::memory_order_release);
}

uint64_t Tracker::ram_bytes() const {
  const uint64_t pages = pages_of(slot_count());
  return uint64_t{slot_count()} * sizeof(Entry) + pages * (k_fresh_words + 1) * 8 + pages / 8;
}

bool Tracker::reserve(uint32_t slots) {
  if (slots <= reserved_) {
    return true;
  }
  ASSERT(slots <= k_slots_max);
  slots = static_cast<uint32_t>(
      std::min<uint64_t>(base::round_up(slots, k_reserve_slots), k_slots_max));
  const uint32_t pages = pages_of(slots);
  if (!words_.grow(uint64_t{slots} * 2) || !planned_.grow(pages)) {
    return false;
  }
  dirty_.resize(pages / 64 + 1);
  fresh_.resize(uint64_t{pages} * k_fresh_words);
  reserved_ = slots;
  return true;
}

void Tracker::set(uint32_t slot, const Entry& entry) {
  ASSERT(slot < reserved_ && entry.page != Entry::k_busy_page);
  const uint32_t page = slot / k_page_entries;
  const uint32_t count = slot_count_.load(std::memory_order_relaxed);
  if (slot >= count) {
    for (uint32_t passed = pages_of(count); passed < page; ++passed) {
      mark_dirty(passed);
    }
  }
  save_if_planned(page);
  store(slot, entry);
  if (slot >= count) {
    slot_count_.store(slot + 1, std::memory_order_release);
  }
  mark_dirty(page);
  const uint32_t bit = slot % k_page_entries;
  fresh_[uint64_t{page} * k_fresh_words + bit / 64] |= uint64_t{1} << bit % 64;
}

bool Tracker::fresh(uint32_t slot) const {
  const uint32_t page = slot / k_page_entries;
  if (page / 64 >= dirty_.size() || (dirty_[page / 64] >> page % 64 & 1) == 0) {
    return false;
  }
  const uint32_t bit = slot % k_page_entries;
  return (fresh_[uint64_t{page} * k_fresh_words + bit / 64] >> bit % 64 & 1) != 0;
}

void Tracker::mark_dirty(uint32_t page) {
  uint64_t& word = dirty_[page / 64];
  const uint64_t bit = uint64_t{1} << page % 64;
  if ((word & bit) == 0) {
    word |= bit;
    std::fill_n(fresh_.begin() + static_cast<ptrdiff_t>(uint64_t{page} * k_fresh_words),
                k_fresh_words, 0);
  }
}

// --- planned pages ---

std::vector<uint32_t> Tracker::plan_dirty() {
  std::vector<uint32_t> pages;
  for (size_t index = 0; index < dirty_.size(); ++index) {
    for (uint64_t word = dirty_[index]; word != 0; word &= word - 1) {
      const uint32_t page =
          static_cast<uint32_t>(index * 64) + static_cast<uint32_t>(std::countr_zero(word));
      ASSERT(planned_[page].load(std::memory_order_relaxed) == 0);
      planned_[page].store(k_planned, std::memory_order_relaxed);
      pages.push_back(page);
    }
    dirty_[index] = 0;
  }
  return pages;
}

// While another thread may change the page, any mixture; to be thrown away then.
TrackerPage Tracker::image_of(uint32_t page) const {
  TrackerPage image{};
  image.number = page;
  const uint64_t begin = uint64_t{page} * k_page_entries;
  const uint64_t end = std::min<uint64_t>(begin + k_page_entries, slot_count());
  for (uint64_t slot = begin; slot < end; ++slot) {
    image.entries[slot - begin] = of_words(words_[slot * 2].load(std::memory_order_relaxed),
                                           words_[slot * 2 + 1].load(std::memory_order_relaxed));
  }
  return image;
}

TrackerPage Tracker::copy_planned(uint32_t page) const {
  std::atomic<uint64_t>& planned = planned_[page];
  uint64_t word = planned.load(std::memory_order_acquire);
  if (word == k_planned) {
    const TrackerPage image = image_of(page);
    // Had one of these loads met a change, the writer's exchange would have come before this one.
    if (planned.compare_exchange_strong(word, 0, std::memory_order_acq_rel)) {
      return image;
    }
  }
  ASSERT(word > k_planned);
  const std::unique_ptr<TrackerPage> saved(reinterpret_cast<TrackerPage*>(word));
  planned.store(0, std::memory_order_relaxed);  // the writer is done with it
  return *saved;
}

void Tracker::save_if_planned(uint32_t page) {
  std::atomic<uint64_t>& planned = planned_[page];
  // Acquire: the copier's loads come before the change.
  uint64_t word = planned.load(std::memory_order_acquire);
  if (word != k_planned) {
    return;
  }
  auto* const image = new TrackerPage(image_of(page));
  if (!planned.compare_exchange_strong(word, reinterpret_cast<uint64_t>(image),
                                       std::memory_order_acq_rel)) {
    delete image;
  }
}

void Tracker::touch(uint32_t page) {
  const uint64_t word = planned_[page].exchange(0, std::memory_order_acquire);
  if (word > k_planned) {
    delete reinterpret_cast<TrackerPage*>(word);
  }
  mark_dirty(page);
}

void Tracker::load_slots(uint32_t slots) {
  ASSERT(slots <= reserved_);
  slot_count_.store(slots, std::memory_order_release);
}

void Tracker::load(uint32_t page, const TrackerPage& image) {
  const uint64_t begin = uint64_t{page} * k_page_entries;
  const uint64_t end = std::min<uint64_t>(begin + k_page_entries, slot_count());
  for (uint64_t slot = begin; slot < end; ++slot) {
    const Entry& entry = image.entries[slot - begin];
    store(static_cast<uint32_t>(slot), entry.damaged() ? Entry::lost() : entry);
  }
}

void Tracker::load_lost(uint32_t page) {
  const uint64_t begin = uint64_t{page} * k_page_entries;
  const uint64_t end = std::min<uint64_t>(begin + k_page_entries, slot_count());
  for (uint64_t slot = begin; slot < end; ++slot) {
    load_lost_entry(static_cast<uint32_t>(slot));
  }
}

void Tracker::load_lost_entry(uint32_t slot) {
  store(slot, Entry::lost());
}

}  // namespace asyncstore::gridstore
