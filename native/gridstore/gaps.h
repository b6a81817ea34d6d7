// The free space of each region of blocks in three numbers.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "gridstore/blocks.h"

namespace asyncstore::gridstore {

// Free blocks in a row: at the begin of the region, at its end, and the most anywhere in it. A
// region that is wholly free has all its blocks in each.
struct Gap {
  uint16_t leading = 0;
  uint16_t trailing = 0;
  uint16_t longest = 0;  // or more than there is: found out, and set right, when it is looked for
};

// Not thread-safe. 6 bytes a region of 1 MiB, and 2 for every 64.
class Gaps {
 public:
  explicit Gaps(uint32_t region_blocks) : region_blocks_(region_blocks) {}

  uint32_t count() const { return static_cast<uint32_t>(longest_.size()); }
  // Regions that are added are full.
  void resize(uint32_t regions);
  Gap get(uint32_t region) const { return {leading_[region], trailing_[region], longest_[region]}; }
  void set(uint32_t region, Gap gap);

  // The first region from `from` on whose longest run is at least `need`; count() when there is
  // none. Looks at one number for every 64 regions.
  uint32_t first_with(uint64_t need, uint32_t from) const;
  // The first run of at least `need` blocks that crosses regions: what is free at the end of one,
  // whole regions, what is free at the begin of the next.
  struct Joined {
    std::optional<uint64_t> begin;  // block
    uint64_t longest;               // run that was seen
  };
  Joined first_joined(uint64_t need) const;

  uint64_t ram_bytes() const {
    return (leading_.capacity() + trailing_.capacity() + longest_.capacity() +
            group_longest_.capacity()) *
           sizeof(uint16_t);
  }

 private:
  static constexpr uint32_t k_group_regions = 64;

  uint32_t region_blocks_;
  std::vector<uint16_t> leading_;
  std::vector<uint16_t> trailing_;
  std::vector<uint16_t> longest_;
  std::vector<uint16_t> group_longest_;  // of 64 regions
};

}  // namespace asyncstore::gridstore
