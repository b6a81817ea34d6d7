// Block mask, gaps and the search for space, against the plainest model there is.
#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "gridstore/block_mask.h"
#include "gridstore/free_space.h"
#include "gridstore/gaps.h"

using namespace asyncstore;
using gridstore::BlockMask;
using gridstore::BlockRun;
using gridstore::FreeSpace;
using gridstore::Gaps;

namespace {

// The first run of `need` free blocks in [begin, end).
uint64_t naive_find(const std::vector<bool>& used, uint64_t begin, uint64_t end, uint64_t need) {
  uint64_t run = 0;
  for (uint64_t block = begin; block < end; ++block) {
    run = used[block] ? 0 : run + 1;
    if (run == need) {
      return block + 1 - need;
    }
  }
  return UINT64_MAX;
}

BlockRun some_run(std::mt19937_64& random, uint64_t size) {
  const uint64_t begin = random() % size;
  return {begin, random() % std::min<uint64_t>(size - begin, 200) + 1};
}

// Space and its model, changed together.
struct Space {
  explicit Space(uint32_t region_blocks) : space(region_blocks) {}

  bool take(uint64_t count) {
    const uint64_t tail = space.tail();
    const uint64_t hole = naive_find(used, 0, tail, count);
    const auto run = space.take(count);
    if (!run) {
      REQUIRE(hole == UINT64_MAX);
      REQUIRE(count > space.end() - tail);
      return false;
    }
    REQUIRE(run->count == count);
    REQUIRE(run->end() <= space.end());
    REQUIRE((run->begin == tail) == (hole == UINT64_MAX));
    used.resize(std::max<uint64_t>(used.size(), run->end()), false);
    for (uint64_t block = run->begin; block < run->end(); ++block) {
      REQUIRE(!used[block]);
      used[block] = true;
    }
    runs.push_back(*run);
    return true;
  }

  void free(size_t index) {
    const BlockRun run = runs[index];
    runs[index] = runs.back();
    runs.pop_back();
    REQUIRE(space.used(run));
    space.free(run);
    REQUIRE(!space.used(run));
    for (uint64_t block = run.begin; block < run.end(); ++block) {
      used[block] = false;
    }
  }

  void check_count() const {
    const auto taken = static_cast<uint64_t>(std::count(used.begin(), used.end(), true));
    REQUIRE(space.free_blocks() == space.end() - taken);
  }

  FreeSpace space;
  std::vector<bool> used;
  std::vector<BlockRun> runs;
};

}  // namespace

TEST_CASE("gridstore mask: equals a vector of bools") {
  for (const uint64_t seed : {1, 2, 3}) {
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    constexpr uint64_t k_size = 1024;
    BlockMask mask;
    mask.resize(k_size, false);
    std::vector<bool> used(k_size);
    for (int step = 0; step < 3000; ++step) {
      const BlockRun run = some_run(random, k_size);
      const bool set = random() % 2 == 0;
      set ? mask.set(run) : mask.clear(run);
      std::fill(used.begin() + static_cast<ptrdiff_t>(run.begin),
                used.begin() + static_cast<ptrdiff_t>(run.end()), set);

      const BlockRun range = some_run(random, k_size);
      const auto begin = used.begin() + static_cast<ptrdiff_t>(range.begin);
      const auto end = used.begin() + static_cast<ptrdiff_t>(range.end());
      const auto at = [&](auto found) { return static_cast<uint64_t>(found - used.begin()); };
      REQUIRE(mask.next_used(range.begin, range.end()) == at(std::find(begin, end, true)));
      REQUIRE(mask.next_free(range.begin, range.end()) == at(std::find(begin, end, false)));
      REQUIRE(mask.any_used(range) == (std::find(begin, end, true) != end));
      uint64_t since = range.end();
      while (since > range.begin && !used[since - 1]) {
        --since;
      }
      REQUIRE(mask.free_since(range.end(), range.begin) == since);
      const uint64_t need = random() % 100 + 1;
      const BlockRun words = {range.begin / 64 * 64, 64 * (random() % 4 + 1)};
      const uint64_t stop = std::min(words.end(), k_size);
      const uint64_t expected = naive_find(used, words.begin, stop, need);
      REQUIRE(mask.find(words.begin, stop, need) == std::min(expected, stop));
    }
  }
}

TEST_CASE("gridstore gaps: the first region with enough is found, however many there are") {
  std::mt19937_64 random(1);
  for (const uint32_t regions : {1U, 63U, 64U, 65U, 1000U}) {
    CAPTURE(regions);
    Gaps gaps(8192);
    gaps.resize(regions);
    std::vector<uint16_t> longest(regions);
    for (int step = 0; step < 2000; ++step) {
      const auto region = static_cast<uint32_t>(random() % regions);
      longest[region] = static_cast<uint16_t>(random() % (random() % 8192 + 1));
      gaps.set(region, {0, 0, longest[region]});
      const uint64_t need = random() % 8192 + 1;
      const auto from = static_cast<uint32_t>(random() % regions);
      const auto expected = std::find_if(longest.begin() + from, longest.end(),
                                         [&](uint16_t each) { return each >= need; });
      REQUIRE(gaps.first_with(need, from) == expected - longest.begin());
    }
  }
}

TEST_CASE("gridstore space: every hole is found, no block is given twice") {
  for (const uint64_t seed : {1, 2, 3, 4, 5, 6}) {
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    Space space(64);
    // Runs of at most a region, or of several.
    const uint64_t count_max = seed % 2 == 0 ? 20 : 300;
    for (int step = 0; step < 8000; ++step) {
      const uint64_t count = random() % count_max + 1;
      const bool shrink = step % 3000 > 2000;
      if (!space.runs.empty() && random() % 10 < (shrink ? 7U : 4U)) {
        space.free(random() % space.runs.size());
      } else if (!space.take(count)) {
        space.space.grow(space.space.tail() + count + random() % 100);
        REQUIRE(space.take(count));
      }
      if (step % 100 == 0) {
        space.check_count();
      }
    }
    while (!space.runs.empty()) {
      space.free(0);
    }
    REQUIRE(space.space.free_blocks() == space.space.end());
    // One run again, across all regions.
    REQUIRE(space.take(space.space.tail()));
  }
}

TEST_CASE("gridstore space: found out from what is claimed, it goes on as before") {
  for (const uint64_t seed : {1, 2, 3, 4}) {
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    Space space(128);
    for (int i = 0; i < 300; ++i) {
      const BlockRun run = some_run(random, 20'000);
      space.used.resize(20'256);
      const bool unclaimed = std::none_of(space.used.begin() + static_cast<ptrdiff_t>(run.begin),
                                          space.used.begin() + static_cast<ptrdiff_t>(run.end()),
                                          [](bool b) { return b; });
      REQUIRE(space.space.claim(run) == unclaimed);
      if (unclaimed) {
        std::fill(space.used.begin() + static_cast<ptrdiff_t>(run.begin),
                  space.used.begin() + static_cast<ptrdiff_t>(run.end()), true);
        space.runs.push_back(run);
      }
    }
    space.space.load_finish();
    space.space.grow(20'256);
    space.check_count();
    for (int step = 0; step < 2000; ++step) {
      if (random() % 2 == 0 && !space.runs.empty()) {
        space.free(random() % space.runs.size());
      } else {
        space.take(random() % 150 + 1);
      }
    }
    space.check_count();
  }
}

TEST_CASE("gridstore space: what the tail has suffices for all that finds no hole") {
  // This is what reserve() counts on.
  std::mt19937_64 random(7);
  for (int round = 0; round < 50; ++round) {
    Space space(64);
    space.space.grow(5000);
    while (space.space.tail_blocks() > 200) {
      REQUIRE(space.take(random() % 90 + 1));
    }
    while (space.runs.size() > 10) {
      space.free(random() % space.runs.size());
    }
    uint64_t left = space.space.tail_blocks();
    while (left > 0) {
      const uint64_t count = random() % left + 1;
      REQUIRE(space.take(count));
      left -= count;
    }
  }
}
