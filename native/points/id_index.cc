#include "points/id_index.h"

#include <algorithm>

#include "base/assert.h"

namespace asyncstore::points {

void IdHash::reserve(uint64_t count) {
  // Only for empty shards (loading): then no id needs to be moved.
  const uint64_t per_shard = count / k_shards + 1;
  uint64_t capacity = 8;
  while (capacity * 7 < per_shard * 10) {  // room for uneven shards: the limit is 0.8
    capacity *= 2;
  }
  for (auto& shard : shards_) {
    ASSERT(shard.used == 0);
    shard.slots.assign(capacity, k_no_slot);
  }
}

uint64_t IdHash::bytes() const {
  uint64_t bytes = 0;
  for (const auto& shard : shards_) {
    bytes += shard.slots.capacity() * sizeof(uint32_t);
  }
  return bytes;
}

void IdOrder::build(std::vector<uint32_t> slots, const IdOfSlot& id_of) {
  // Sorted by a copy of the ids: looking each one up at every comparison costs ten times as much.
  std::vector<std::pair<PointId, uint32_t>> pairs;
  pairs.reserve(slots.size());
  for (const uint32_t slot : slots) {
    pairs.emplace_back(id_of(slot), slot);
  }
  std::sort(pairs.begin(), pairs.end());
  std::transform(pairs.begin(), pairs.end(), slots.begin(),
                 [](const auto& pair) { return pair.second; });
  blocks_.clear();
  // Three quarters full, so that the first insertions need not split.
  constexpr size_t k_fill = k_block_max * 3 / 4;
  for (size_t begin = 0; begin < slots.size(); begin += k_fill) {
    const size_t end = std::min(begin + k_fill, slots.size());
    blocks_.emplace_back(slots.begin() + static_cast<ptrdiff_t>(begin),
                         slots.begin() + static_cast<ptrdiff_t>(end));
  }
  built_ = true;
}

// The last block whose first id is not after `id`; 0 when there is none.
size_t IdOrder::block_of(const PointId& id, const IdOfSlot& id_of) const {
  const auto after = std::upper_bound(
      blocks_.begin(), blocks_.end(), id,
      [&](const PointId& wanted, const auto& block) { return wanted < id_of(block.front()); });
  return after == blocks_.begin() ? 0 : static_cast<size_t>(after - blocks_.begin()) - 1;
}

void IdOrder::insert(uint32_t slot, const IdOfSlot& id_of) {
  const PointId id = id_of(slot);
  if (blocks_.empty()) {
    blocks_.push_back({slot});
    return;
  }
  const size_t index = block_of(id, id_of);
  auto& block = blocks_[index];
  block.insert(
      std::lower_bound(block.begin(), block.end(), id,
                       [&](uint32_t a, const PointId& wanted) { return id_of(a) < wanted; }),
      slot);
  if (block.size() > k_block_max) {
    // Ascending ids fill blocks; others split them in the middle.
    const bool last = index + 1 == blocks_.size() && block.back() == slot;
    const auto cut = block.begin() + static_cast<ptrdiff_t>(last ? k_block_max : k_block_max / 2);
    std::vector<uint32_t> upper(cut, block.end());
    block.erase(cut, block.end());
    blocks_.insert(blocks_.begin() + static_cast<ptrdiff_t>(index) + 1, std::move(upper));
  }
}

void IdOrder::erase(uint32_t slot, const IdOfSlot& id_of) {
  const PointId id = id_of(slot);
  const size_t index = block_of(id, id_of);
  auto& block = blocks_[index];
  const auto at =
      std::lower_bound(block.begin(), block.end(), id,
                       [&](uint32_t a, const PointId& wanted) { return id_of(a) < wanted; });
  ASSERT(at != block.end() && *at == slot);
  block.erase(at);
  if (block.empty()) {
    blocks_.erase(blocks_.begin() + static_cast<ptrdiff_t>(index));
  }
}

std::vector<uint32_t> IdOrder::range(const PointId& from, uint64_t limit,
                                     const IdOfSlot& id_of) const {
  std::vector<uint32_t> found;
  if (blocks_.empty()) {
    return found;
  }
  size_t index = block_of(from, id_of);
  auto at = std::lower_bound(blocks_[index].begin(), blocks_[index].end(), from,
                             [&](uint32_t a, const PointId& wanted) { return id_of(a) < wanted; });
  while (found.size() < limit) {
    if (at == blocks_[index].end()) {
      if (++index == blocks_.size()) {
        break;
      }
      at = blocks_[index].begin();
    }
    found.push_back(*at++);
  }
  return found;
}

uint64_t IdOrder::bytes() const {
  uint64_t bytes = blocks_.capacity() * sizeof(blocks_.front());
  for (const auto& block : blocks_) {
    bytes += block.capacity() * sizeof(uint32_t);
  }
  return bytes;
}

}  // namespace asyncstore::points
