#include "fields/column.h"

#include <algorithm>
#include <bit>
#include <memory>

#include "base/assert.h"

namespace asyncstore::fields {

namespace {

uint64_t* keys_at(uint64_t word) {
  return std::bit_cast<uint64_t*>(word);
}

}  // namespace

Column::~Column() {
  for (uint64_t slot = 0; slot < slots_ && several_.count() > 0; ++slot) {
    if (several_.contains(static_cast<uint32_t>(slot))) {
      delete[] keys_at(words_[slot]);
    }
  }
}

std::span<const uint64_t> Column::keys(uint32_t slot) const {
  if (!valued_.contains(slot)) {
    return {};
  }
  const uint64_t& word = words_[slot];
  if (!several_.contains(slot)) {
    return {&word, 1};
  }
  const uint64_t* keys = keys_at(word);
  return {keys + 1, keys[0]};
}

void Column::set(uint32_t slot, std::span<const uint64_t> keys) {
  clear(slot);
  if (keys.empty()) {
    return;
  }
  const bool grown = words_.grow(uint64_t{slot} + 1);
  ASSERT(grown);
  slots_ = std::max(slots_, uint64_t{slot} + 1);
  valued_.set(slot, true);
  if (keys.size() == 1) {
    words_[slot] = keys.front();
    return;
  }
  auto several = std::make_unique_for_overwrite<uint64_t[]>(keys.size() + 1);
  several[0] = keys.size();
  std::copy(keys.begin(), keys.end(), several.get() + 1);
  words_[slot] = std::bit_cast<uint64_t>(several.release());
  several_.set(slot, true);
  several_bytes_ += (keys.size() + 1) * sizeof(uint64_t);
}

void Column::clear(uint32_t slot) {
  if (several_.contains(slot)) {
    const uint64_t* keys = keys_at(words_[slot]);
    several_bytes_ -= (keys[0] + 1) * sizeof(uint64_t);
    delete[] keys;
    several_.set(slot, false);
  }
  valued_.set(slot, false);
}

uint64_t Column::ram_bytes() const {
  constexpr uint64_t k_malloc_bytes = 16;
  return slots_ * sizeof(uint64_t) + several_bytes_ + several_.count() * k_malloc_bytes +
         valued_.ram_bytes() + several_.ram_bytes();
}

}  // namespace asyncstore::fields
