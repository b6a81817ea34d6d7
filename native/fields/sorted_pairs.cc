#include "fields/sorted_pairs.h"

#include <iterator>
#include <utility>

namespace asyncstore::fields {

uint64_t SortedPairs::count(Position first, Position last) const {
  if (first >= last) {
    return 0;
  }
  uint64_t before_last = last.at;
  for (size_t block = first.block; block < last.block; ++block) {
    before_last += blocks_[block].size;
  }
  return before_last - first.at;
}

bool SortedPairs::insert(Position position, Pair pair) {
  if (blocks_.empty()) {
    append(pair);
    return false;
  }
  if (position.block == blocks_.size()) {
    position = {blocks_.size() - 1, blocks_.back().size};
  }
  const bool full = blocks_[position.block].size == k_block_pairs;
  if (full) {
    // Values that only ever grow leave full blocks behind them, others half full ones.
    const bool at_end = position == Position{blocks_.size() - 1, k_block_pairs};
    const uint32_t kept = at_end ? k_block_pairs - 1 : k_block_pairs / 2;
    split(position.block, kept);
    if (position.at > kept) {
      position = {position.block + 1, position.at - kept};
    }
  }
  insert_into(blocks_[position.block], position.at, pair);
  return full;
}

void SortedPairs::append(Pair pair) {
  if (blocks_.empty() || blocks_.back().size >= k_block_appended) {
    blocks_.emplace_back();
    blocks_.back().content = std::make_unique_for_overwrite<Content>();
  }
  insert_into(blocks_.back(), blocks_.back().size, pair);
}

void SortedPairs::erase(Position position) {
  erase_from(blocks_[position.block], position.at, position.at + 1);
  join(position.block);
}

void SortedPairs::erase(Position first, Position last) {
  if (first >= last) {
    return;
  }
  if (first.block == last.block) {
    erase_from(blocks_[first.block], first.at, last.at);
    join(first.block);
    return;
  }
  if (last.block < blocks_.size() && last.at > 0) {
    erase_from(blocks_[last.block], 0, last.at);
  }
  erase_from(blocks_[first.block], first.at, blocks_[first.block].size);
  const size_t kept = first.block + (blocks_[first.block].size > 0 ? 1 : 0);
  blocks_.erase(blocks_.begin() + static_cast<ptrdiff_t>(kept),
                blocks_.begin() + static_cast<ptrdiff_t>(last.block));
  if (!blocks_.empty()) {
    join(std::min(first.block, blocks_.size() - 1));
  }
}

void SortedPairs::split(size_t block, uint32_t at) {
  Block right;
  right.content = std::make_unique_for_overwrite<Content>();
  Block& left = blocks_[block];
  right.size = left.size - at;
  std::copy_n(left.content->keys.begin() + at, right.size, right.content->keys.begin());
  std::copy_n(left.content->values.begin() + at, right.size, right.content->values.begin());
  left.size = at;
  set_last(left);
  set_last(right);
  blocks_.insert(blocks_.begin() + static_cast<ptrdiff_t>(block) + 1, std::move(right));
}

void SortedPairs::insert_into(Block& block, uint32_t at, Pair pair) {
  ASSERT(block.size < k_block_pairs && at <= block.size);
  auto& [keys, values] = *block.content;
  std::copy_backward(keys.begin() + at, keys.begin() + block.size, keys.begin() + block.size + 1);
  std::copy_backward(values.begin() + at, values.begin() + block.size,
                     values.begin() + block.size + 1);
  keys[at] = pair.key;
  values[at] = pair.value;
  ++block.size;
  set_last(block);
}

void SortedPairs::erase_from(Block& block, uint32_t first, uint32_t last) {
  auto& [keys, values] = *block.content;
  std::copy(keys.begin() + last, keys.begin() + block.size, keys.begin() + first);
  std::copy(values.begin() + last, values.begin() + block.size, values.begin() + first);
  block.size -= last - first;
  if (block.size > 0) {
    set_last(block);
  }
}

void SortedPairs::join(size_t block) {
  if (blocks_[block].size == 0) {
    blocks_.erase(blocks_.begin() + static_cast<ptrdiff_t>(block));
    return;
  }
  if (blocks_[block].size >= k_block_small || blocks_.size() == 1) {
    return;
  }
  const size_t left = block + 1 < blocks_.size() ? block : block - 1;
  Block& into = blocks_[left];
  const Block& from = blocks_[left + 1];
  if (into.size + from.size > k_block_appended) {
    return;
  }
  std::copy_n(from.content->keys.begin(), from.size, into.content->keys.begin() + into.size);
  std::copy_n(from.content->values.begin(), from.size, into.content->values.begin() + into.size);
  into.size += from.size;
  set_last(into);
  blocks_.erase(blocks_.begin() + static_cast<ptrdiff_t>(left) + 1);
}

void SortedPairs::set_last(Block& block) {
  block.last = {block.content->keys[block.size - 1], block.content->values[block.size - 1]};
}

}  // namespace asyncstore::fields
