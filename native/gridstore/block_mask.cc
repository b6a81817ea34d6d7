#include "gridstore/block_mask.h"

#include <algorithm>
#include <bit>

#include "base/assert.h"

namespace asyncstore::gridstore {

void BlockMask::resize(uint64_t blocks, bool used) {
  ASSERT(blocks % 64 == 0);
  words_.resize(blocks / 64, used ? ~uint64_t{0} : 0);
  size_ = blocks;
}

void BlockMask::change(BlockRun run, bool used) {
  ASSERT(run.end() <= size_);
  uint64_t at = run.begin;
  while (at < run.end()) {
    const uint64_t shift = at % 64;
    const uint64_t count = std::min(64 - shift, run.end() - at);
    const uint64_t bits = (count == 64 ? ~uint64_t{0} : (uint64_t{1} << count) - 1) << shift;
    uint64_t& word = words_[at / 64];
    word = used ? word | bits : word & ~bits;
    at += count;
  }
}

uint64_t BlockMask::next(uint64_t from, uint64_t end, uint64_t skip) const {
  if (from >= end) {
    return end;
  }
  uint64_t index = from / 64;
  uint64_t word = (words_[index] ^ skip) & ~uint64_t{0} << from % 64;
  const uint64_t last = (end - 1) / 64;
  while (word == 0) {
    if (index == last) {
      return end;
    }
    word = words_[++index] ^ skip;
  }
  return std::min(end, index * 64 + static_cast<uint64_t>(std::countr_zero(word)));
}

uint64_t BlockMask::free_since(uint64_t block, uint64_t floor) const {
  while (block > floor) {
    const uint64_t index = (block - 1) / 64;
    const uint64_t behind = 63 - (block - 1) % 64;  // bits of the word that are not before `block`
    const uint64_t word = words_[index] << behind;
    if (word != 0) {
      return std::max(floor, block - static_cast<uint64_t>(std::countl_zero(word)));
    }
    block = index * 64;
  }
  return floor;
}

uint64_t BlockMask::find(uint64_t begin, uint64_t end, uint64_t need) const {
  ASSERT(begin % 64 == 0 && end % 64 == 0 && need > 0);
  uint64_t before = 0;  // free blocks in a row up to the present word
  for (uint64_t at = begin; at < end; at += 64) {
    const uint64_t used = words_[at / 64];
    if (used == ~uint64_t{0}) {
      before = 0;
      continue;
    }
    const auto leading = static_cast<uint64_t>(std::countr_zero(used));  // 64 when all is free
    if (before + leading >= need) {
      return at - before;
    }
    // Runs inside the word: a bit stays when the `need` blocks from it on are free. Each turn
    // doubles the run that a bit stands for.
    if (need < 64) {
      uint64_t runs = ~used;
      for (uint64_t left = need - 1, length = 1; left > 0 && runs != 0;) {
        const uint64_t shift = std::min(left, length);
        runs &= runs >> shift;
        left -= shift;
        length += shift;
      }
      if (runs != 0) {
        return at + static_cast<uint64_t>(std::countr_zero(runs));
      }
    }
    before = used == 0 ? before + 64 : static_cast<uint64_t>(std::countl_zero(used));
  }
  return end;
}

}  // namespace asyncstore::gridstore
