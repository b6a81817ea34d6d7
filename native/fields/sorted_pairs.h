// Pairs (key, value) in an order that the caller defines, in blocks: finding one is a binary
// search, inserting one moves half a block.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/assert.h"

namespace asyncstore::fields {

struct Pair {
  uint64_t key;
  uint32_t value;
};

// Not thread-safe. Positions are valid until the next change.
class SortedPairs {
 public:
  static constexpr uint32_t k_block_pairs = 512;

  struct Position {
    size_t block = 0;
    uint32_t at = 0;
    friend auto operator<=>(const Position&, const Position&) = default;
  };

  bool empty() const { return blocks_.empty(); }
  Position begin() const { return {}; }
  Position end() const { return {blocks_.size(), 0}; }
  uint64_t key(Position position) const {
    return blocks_[position.block].content->keys[position.at];
  }
  uint32_t value(Position position) const {
    return blocks_[position.block].content->values[position.at];
  }
  Position next(Position position) const {
    return position.at + 1 < blocks_[position.block].size
               ? Position{position.block, position.at + 1}
               : Position{position.block + 1, 0};
  }
  Position previous(Position position) const {
    return position.at > 0 ? Position{position.block, position.at - 1}
                           : Position{position.block - 1, blocks_[position.block - 1].size - 1};
  }

  // The first pair for which `before(key, value)` is false; it is true for all pairs up to some
  // position and false for those behind it.
  template <typename Before>
  Position find(const Before& before) const;

  // Pairs between two positions.
  uint64_t count(Position first, Position last) const;
  // Shows them as visit(keys, values), two spans of one size.
  template <typename Visit>
  void for_each_run(Position first, Position last, const Visit& visit) const;

  // Puts a pair before the position, where it belongs. Whether a block was split: nothing grows
  // beyond a block without it.
  bool insert(Position position, Pair pair);
  void append(Pair pair);  // behind all others; leaves room in the blocks for later ones
  void erase(Position first, Position last);
  void erase(Position position);

  uint64_t ram_bytes() const {
    return blocks_.size() * sizeof(Content) + blocks_.capacity() * sizeof(Block);
  }

 private:
  struct Content {
    std::array<uint64_t, k_block_pairs> keys;
    std::array<uint32_t, k_block_pairs> values;
  };
  struct Block {
    Pair last;  // of its pairs: what a search over the blocks looks at
    uint32_t size = 0;
    std::unique_ptr<Content> content;
  };
  static constexpr uint32_t k_block_appended = 384;
  static constexpr uint32_t k_block_small = 128;

  void split(size_t block, uint32_t at);
  void insert_into(Block& block, uint32_t at, Pair pair);
  void erase_from(Block& block, uint32_t first, uint32_t last);
  // Joins the block with a neighbour, if both fit well into one.
  void join(size_t block);
  static void set_last(Block& block);

  std::vector<Block> blocks_;  // none is empty
};

template <typename Before>
SortedPairs::Position SortedPairs::find(const Before& before) const {
  const auto found = std::partition_point(blocks_.begin(), blocks_.end(), [&](const Block& block) {
    return before(block.last.key, block.last.value);
  });
  if (found == blocks_.end()) {
    return end();
  }
  const Content& content = *found->content;
  uint32_t first = 0;
  uint32_t last = found->size - 1;  // not before, as the search over the blocks found
  while (first < last) {
    const uint32_t middle = (first + last) / 2;
    if (before(content.keys[middle], content.values[middle])) {
      first = middle + 1;
    } else {
      last = middle;
    }
  }
  return {static_cast<size_t>(found - blocks_.begin()), first};
}

template <typename Visit>
void SortedPairs::for_each_run(Position first, Position last, const Visit& visit) const {
  for (size_t block = first.block; block <= last.block && block < blocks_.size(); ++block) {
    const uint32_t from = block == first.block ? first.at : 0;
    const uint32_t to = block == last.block ? last.at : blocks_[block].size;
    if (from < to) {
      const Content& content = *blocks_[block].content;
      visit(std::span(content.keys).subspan(from, to - from),
            std::span(content.values).subspan(from, to - from));
    }
  }
}

}  // namespace asyncstore::fields
