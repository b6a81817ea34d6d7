#include "fields/slot_bitmap.h"

#include <roaring/roaring.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/assert.h"
#include "base/bytes.h"
#include "fields/slot_words.h"

namespace asyncstore::fields {

namespace {

constexpr uint32_t k_container_slots = 65536;
constexpr uint32_t k_container_words = k_container_slots / 64;
constexpr uint32_t k_array_max = 4096;  // a container of more slots than these is a bitmap

// The portable form, which the format's specification lays down for all versions and languages, is
// the one way to whole containers that every version of the library has; copying it out costs less
// than a call for each slot by far. It begins with 12,346, the number of containers and, for each,
// its upper 16 bits and its size less one; then come offsets and the containers. A form with
// another number holds runs, which nothing here makes: false.
bool add_portable(base::Bytes form, filter::SlotSet& set) {
  constexpr uint32_t k_without_runs = 12346;
  base::ByteReader headers(form);
  if (headers.take<uint32_t>() != k_without_runs) {
    return false;
  }
  const auto containers = headers.take<uint32_t>();
  base::ByteReader content(form);
  content.take_bytes(8 + uint64_t{8} * containers);
  for (uint32_t i = 0; i < containers; ++i) {
    const uint32_t base = uint32_t{headers.take<uint16_t>()} * k_container_slots;
    const uint32_t count = uint32_t{headers.take<uint16_t>()} + 1;
    if (count > k_array_max) {
      std::array<uint64_t, k_container_words> words;
      const base::Bytes bytes = content.take_bytes(sizeof words);
      ASSERT(bytes.size() == sizeof words);
      std::memcpy(words.data(), bytes.data(), sizeof words);
      combine_words(set, base / 64, words, [](uint64_t a, uint64_t b) { return a | b; });
      continue;
    }
    std::array<uint16_t, k_array_max> lows;
    const base::Bytes bytes = content.take_bytes(uint64_t{2} * count);
    ASSERT(bytes.size() == uint64_t{2} * count);
    std::memcpy(lows.data(), bytes.data(), bytes.size());
    for (uint32_t at = 0; at < count; ++at) {
      set.add(base + lows[at]);
    }
  }
  return true;
}

roaring_bitmap_t* roaring(void* bitmap) {
  return static_cast<roaring_bitmap_t*>(bitmap);
}

}  // namespace

void SlotBitmap::Free::operator()(void* bitmap) const {
  roaring_bitmap_free(static_cast<roaring_bitmap_t*>(bitmap));
}

SlotBitmap::SlotBitmap(std::span<const uint32_t> slots)
    : bitmap_(roaring_bitmap_of_ptr(slots.size(), slots.data())),
      count_(bitmap_ != nullptr ? roaring_bitmap_get_cardinality(roaring(bitmap_.get())) : 0) {
  ASSERT(bitmap_ != nullptr);
}

bool SlotBitmap::add(uint32_t slot) {
  const bool added = roaring_bitmap_add_checked(roaring(bitmap_.get()), slot);
  count_ += added ? 1 : 0;
  return added;
}

bool SlotBitmap::remove(uint32_t slot) {
  const bool removed = roaring_bitmap_remove_checked(roaring(bitmap_.get()), slot);
  count_ -= removed ? 1 : 0;
  return removed;
}

std::vector<uint32_t> SlotBitmap::slots() const {
  std::vector<uint32_t> slots(count_);
  roaring_bitmap_to_uint32_array(roaring(bitmap_.get()), slots.data());
  return slots;
}

std::vector<uint32_t> SlotBitmap::slots_from(uint32_t slot, uint64_t most) const {
  const uint64_t below = rank(slot);
  return part(below, std::min(count_ - below, most));
}

std::vector<uint32_t> SlotBitmap::slots_below(uint32_t slot, uint64_t most) const {
  const uint64_t below = rank(slot);
  const uint64_t count = std::min(below, most);
  return part(below - count, count);
}

uint64_t SlotBitmap::rank(uint32_t slot) const {
  return slot == 0 ? 0 : roaring_bitmap_rank(roaring(bitmap_.get()), slot - 1);
}

std::vector<uint32_t> SlotBitmap::part(uint64_t first, uint64_t count) const {
  std::vector<uint32_t> slots(count);
  if (count > 0) {
    const bool done =
        roaring_bitmap_range_uint32_array(roaring(bitmap_.get()), first, count, slots.data());
    ASSERT(done);
  }
  return slots;
}

void SlotBitmap::add_to(filter::SlotSet& set) const {
  const size_t size = roaring_bitmap_portable_size_in_bytes(roaring(bitmap_.get()));
  const std::unique_ptr<char[]> form(new char[size]);
  roaring_bitmap_portable_serialize(roaring(bitmap_.get()), form.get());
  if (!add_portable(std::as_bytes(std::span(form.get(), size)), set)) {
    for (const uint32_t slot : slots()) {
      set.add(slot);
    }
  }
}

uint64_t SlotBitmap::ram_bytes() const {
  // What malloc and the containers' headers add is about 32 bytes for each 65,536 slots.
  return roaring_bitmap_portable_size_in_bytes(roaring(bitmap_.get())) * 5 / 4 + sizeof *this + 64;
}

}  // namespace asyncstore::fields
