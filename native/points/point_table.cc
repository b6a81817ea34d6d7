#include "points/point_table.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "base/assert.h"

namespace asyncstore::points {

using base::StableArray;

PointTable::PointTable(uint32_t fields) : fields_(fields) {
  for (uint32_t field = 0; field < fields; ++field) {
    locations_.push_back(std::make_unique<StableArray<std::atomic<uint64_t>>>());
  }
}

bool PointTable::flag(const StableArray<uint64_t>& flags, uint32_t slot) const {
  return (flags[slot / 64] >> (slot % 64) & 1) != 0;
}

void PointTable::set_flag(const StableArray<uint64_t>& flags, uint32_t slot, bool value) {
  const uint64_t bit = uint64_t{1} << (slot % 64);
  uint64_t& word = flags[slot / 64];
  word = value ? word | bit : word & ~bit;
}

void PointTable::set_id(uint32_t slot, const PointId& id) {
  ids_low_[slot] = id.low;
  if (id.is_uuid) {
    ids_high_[slot] = id.high;
    has_uuids_.store(true, std::memory_order_relaxed);
  }
  const uint64_t bit = uint64_t{1} << (slot % 64);
  auto& word = is_uuid_[slot / 64];
  const uint64_t others = word.load(std::memory_order_relaxed) & ~bit;
  word.store(id.is_uuid ? others | bit : others, std::memory_order_relaxed);
}

uint32_t PointTable::find(const PointId& id) const {
  return hash_.find(id, [this](uint32_t slot) { return this->id(slot); });
}

std::vector<uint32_t> PointTable::slots_of(std::span<const PointId> ids) const {
  std::vector<uint32_t> slots;
  if (ids.empty()) {
    return slots;
  }
  {
    const auto lock = read_lock();
    for (const PointId& id : ids) {
      if (const uint32_t slot = find(id); slot != k_no_slot) {
        slots.push_back(slot);
      }
    }
  }
  std::sort(slots.begin(), slots.end());
  return slots;
}

PointId PointTable::id(uint32_t slot) const {
  const bool is_uuid =
      (is_uuid_[slot / 64].load(std::memory_order_relaxed) >> (slot % 64) & 1) != 0;
  return {is_uuid, is_uuid ? ids_high_[slot] : 0, ids_low_[slot]};
}

uint64_t PointTable::version(uint32_t slot) const {
  return versions_[slot].load(std::memory_order_relaxed);
}

void PointTable::seen(std::span<uint64_t> words) const {
  const auto lock = read_lock();
  const size_t there = std::min<size_t>(words.size(), (size_t{slot_count()} + 63) / 64);
  for (size_t i = 0; i < there; ++i) {
    words[i] = is_seen_[i];
  }
  std::fill(words.begin() + static_cast<ptrdiff_t>(there), words.end(), 0);
}

std::vector<uint32_t> PointTable::scroll(const PointId& from, uint64_t limit) {
  const IdOfSlot id_of = [this](uint32_t slot) { return id(slot); };
  {
    const auto lock = read_lock();
    if (order_.built()) {
      return order_.range(from, limit, id_of);
    }
  }
  const auto lock = write_lock();
  if (!order_.built()) {
    std::vector<uint32_t> slots;
    slots.reserve(live_count());
    for (uint32_t slot = 0; slot < slot_count_; ++slot) {
      if (flag(is_live_, slot)) {
        slots.push_back(slot);
      }
    }
    order_.build(std::move(slots), id_of);
  }
  return order_.range(from, limit, id_of);
}

uint64_t PointTable::ram_bytes() const {
  const auto lock = read_lock();
  const uint64_t slots = slot_count();
  const uint64_t id_words = has_uuids_.load(std::memory_order_relaxed) ? 2 : 1;
  const uint64_t per_slot = sizeof(uint64_t) * (id_words + 1 + fields_);
  return slots * per_slot + slots / 2 + hash_.bytes() + order_.bytes() +
         lists_bytes_.load(std::memory_order_relaxed);
}

bool PointTable::reserve(uint64_t count) {
  const uint64_t slots = slot_count() + count;
  const uint64_t words = slots / 64 + 1;
  if (slots >= k_no_slot) {
    return false;
  }
  bool grown = ids_low_.grow(slots) && ids_high_.grow(slots) && versions_.grow(slots) &&
               is_uuid_.grow(words) && is_live_.grow(words) && is_seen_.grow(words) &&
               is_changed_.grow(words);
  for (auto& locations : locations_) {
    grown = grown && locations->grow(slots);
  }
  return grown;
}

uint32_t PointTable::find_or_add(const PointId& id) {
  const uint32_t found = find(id);
  if (found != k_no_slot) {
    return found;
  }
  uint32_t slot;
  if (free_.empty()) {
    slot = slot_count_++;
  } else {
    slot = free_.back();
    free_.pop_back();
  }
  touch(slot);
  set_id(slot, id);
  versions_[slot].store(0, std::memory_order_relaxed);
  set_flag(is_live_, slot, true);
  hash_.insert(id, slot, [this](uint32_t at) { return this->id(at); });
  if (order_.built()) {
    order_.insert(slot, [this](uint32_t at) { return this->id(at); });
  }
  live_.fetch_add(1, std::memory_order_relaxed);
  return slot;
}

void PointTable::set_version(uint32_t slot, uint64_t version) {
  touch(slot);
  versions_[slot].store(version, std::memory_order_relaxed);
  set_flag(is_seen_, slot, true);
}

void PointTable::set_location(uint32_t slot, uint32_t field, Location location) {
  touch(slot);
  (*locations_[field])[slot].store(location.word(), std::memory_order_release);
}

void PointTable::erase(uint32_t slot) {
  touch(slot);
  const IdOfSlot id_of = [this](uint32_t at) { return this->id(at); };
  if (order_.built()) {
    order_.erase(slot, id_of);
  }
  hash_.erase(id(slot), [this](uint32_t at) { return this->id(at); });
  set_flag(is_live_, slot, false);
  set_flag(is_seen_, slot, false);
  for (uint32_t field = 0; field < fields_; ++field) {
    set_location(slot, field, Location{});
  }
  erased_.push_back(slot);
  live_.fetch_sub(1, std::memory_order_relaxed);
}

void PointTable::release(std::shared_ptr<const void> holder) {
  // A view that others still hold delays all later slots, even when it freed none itself.
  if (!erased_.empty() || holder.use_count() > 1) {
    held_.push_back({holder, std::exchange(erased_, {})});
  }
  holder.reset();
  // Oldest first: a view that is still held may know the slots of every later one.
  while (!held_.empty() && held_.front().holder.expired()) {
    auto& slots = held_.front().slots;
    free_.insert(free_.end(), slots.begin(), slots.end());
    held_.pop_front();
  }
#ifndef __SANITIZE_THREAD__  // which knows no fences
  // expired() alone does not synchronise with who let go last: what that thread read of a slot must
  // come before what is written to it from now on.
  std::atomic_thread_fence(std::memory_order_acquire);
#endif
  lists_bytes_.store(free_.capacity() * sizeof(uint32_t) + taking_.capacity() * sizeof(uint64_t),
                     std::memory_order_relaxed);
}

void PointTable::touch(uint32_t slot) {
  const size_t word = slot / 64;
  const uint64_t bit = uint64_t{1} << (slot % 64);
  if (word < taking_.size() && (taking_[word] & bit) != 0) {
    taking_[word] &= ~bit;
    show(slot);
  }
  if (!flag(is_changed_, slot)) {
    set_flag(is_changed_, slot, true);
    ++changed_;
  }
}

void PointTable::show(uint32_t slot) {
  shown_.slot = slot;
  shown_.live = flag(is_live_, slot);
  shown_.id = id(slot);
  shown_.version = version(slot);
  for (uint32_t field = 0; field < fields_; ++field) {
    shown_.locations[field] = location(slot, field);
  }
  visit_(shown_);
}

uint64_t PointTable::begin_changes(Visit visit) {
  ASSERT(taking_.empty());
  visit_ = std::move(visit);
  shown_.locations.resize(fields_);
  taking_.resize((size_t{slot_count()} + 63) / 64);
  for (size_t word = 0; word < taking_.size(); ++word) {
    taking_[word] = std::exchange(is_changed_[word], 0);
  }
  taking_begin_ = 0;
  return std::exchange(changed_, 0);
}

bool PointTable::take_changes(uint32_t slots) {
  // By bits that are set: most tables have few.
  uint32_t shown = 0;
  for (; taking_begin_ < taking_.size() && shown < slots; ++taking_begin_) {
    for (uint64_t bits = std::exchange(taking_[taking_begin_], 0); bits != 0; bits &= bits - 1) {
      show(static_cast<uint32_t>(taking_begin_ * 64 + std::countr_zero(bits)));
      ++shown;
    }
  }
  if (taking_begin_ < taking_.size()) {
    return true;
  }
  taking_ = {};
  visit_ = nullptr;
  return false;
}

void PointTable::touch_all() {
  for (uint32_t slot = 0; slot < slot_count_; ++slot) {
    touch(slot);
  }
}

void PointTable::load_reserve(uint64_t count) {
  hash_.reserve(count);
}

void PointTable::unload(uint32_t slot) {
  if (slot < slot_count_ && flag(is_live_, slot)) {
    hash_.erase(id(slot), [this](uint32_t at) { return this->id(at); });
    set_flag(is_live_, slot, false);
    set_flag(is_seen_, slot, false);
    live_.fetch_sub(1, std::memory_order_relaxed);
  }
}

bool PointTable::load_slots(uint32_t count) {
  const uint32_t before = slot_count();
  if (count > before) {
    if (!reserve(count - before)) {
      return false;
    }
    slot_count_ = count;
  }
  return true;
}

bool PointTable::load(const PointEntry& entry, bool of_base) {
  if (!load_slots(entry.slot + 1)) {
    return false;
  }
  const auto id_of = [this](uint32_t at) { return this->id(at); };
  if (flag(is_live_, entry.slot)) {
    return false;
  }
  set_id(entry.slot, entry.id);
  versions_[entry.slot].store(entry.version, std::memory_order_relaxed);
  for (uint32_t field = 0; field < fields_; ++field) {
    const Location location = entry.live ? entry.locations[field] : Location{};
    (*locations_[field])[entry.slot].store(location.word(), std::memory_order_relaxed);
  }
  if (entry.live) {
    if (!of_base && hash_.find(entry.id, id_of) != k_no_slot) {
      return false;
    }
    hash_.insert(entry.id, entry.slot, id_of);
    set_flag(is_live_, entry.slot, true);
    set_flag(is_seen_, entry.slot, true);
    live_.fetch_add(1, std::memory_order_relaxed);
  }
  return true;
}

void PointTable::load_finish() {
  for (uint32_t slot = 0; slot < slot_count_; ++slot) {
    if (!flag(is_live_, slot)) {
      free_.push_back(slot);
    }
  }
  std::reverse(free_.begin(), free_.end());  // the lowest is given out first
}

}  // namespace asyncstore::points
