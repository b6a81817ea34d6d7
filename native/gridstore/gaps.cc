#include "gridstore/gaps.h"

#include <algorithm>

namespace asyncstore::gridstore {

void Gaps::resize(uint32_t regions) {
  leading_.resize(regions);
  trailing_.resize(regions);
  longest_.resize(regions);
  group_longest_.resize((regions + k_group_regions - 1) / k_group_regions);
}

void Gaps::set(uint32_t region, Gap gap) {
  const uint16_t before = longest_[region];
  leading_[region] = gap.leading;
  trailing_[region] = gap.trailing;
  longest_[region] = gap.longest;
  uint16_t& group = group_longest_[region / k_group_regions];
  if (gap.longest >= group) {
    group = gap.longest;
  } else if (before == group) {
    const uint32_t begin = region / k_group_regions * k_group_regions;
    const uint32_t end = std::min(begin + k_group_regions, count());
    group = *std::max_element(longest_.begin() + begin, longest_.begin() + end);
  }
}

uint32_t Gaps::first_with(uint64_t need, uint32_t from) const {
  for (uint32_t region = from; region < count();) {
    if (region % k_group_regions == 0 && group_longest_[region / k_group_regions] < need) {
      region += k_group_regions;
    } else if (longest_[region] >= need) {
      return region;
    } else {
      ++region;
    }
  }
  return count();
}

Gaps::Joined Gaps::first_joined(uint64_t need) const {
  uint64_t run = 0;  // that ends at the begin of the present region
  uint64_t longest = 0;
  for (uint32_t region = 0; region < count(); ++region) {
    const uint64_t reached = run + leading_[region];
    if (run > 0) {
      longest = std::max(longest, reached);
      if (reached >= need) {
        return {uint64_t{region} * region_blocks_ - run, longest};
      }
    }
    run = leading_[region] == region_blocks_ ? reached : trailing_[region];
  }
  return {std::nullopt, longest};
}

}  // namespace asyncstore::gridstore
