#include "engine/group_candidates.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <utility>
#include <vector>

using namespace asyncstore;
using engine::best_of_groups;
using engine::Candidate;
using engine::GroupCandidate;
using engine::GroupCounts;

namespace {

// The rows of the best of the best groups by exact scores, row by row the best first.
std::set<uint32_t> grouped(const std::vector<GroupCandidate>& candidates,
                           const std::vector<float>& exact, const std::set<uint32_t>& among,
                           GroupCounts wanted) {
  std::vector<uint32_t> rows(among.begin(), among.end());
  std::sort(rows.begin(), rows.end(), [&](uint32_t a, uint32_t b) {
    return std::pair(-exact[a], a) < std::pair(-exact[b], b);
  });
  std::map<uint64_t, uint32_t> sizes;
  std::set<uint32_t> best;
  for (const uint32_t row : rows) {
    for (const uint64_t group : *candidates[row].groups) {
      if (!sizes.contains(group) && sizes.size() == wanted.groups) {
        continue;
      }
      if (sizes[group]++ < wanted.size) {
        best.insert(row);
      }
    }
  }
  return best;
}

}  // namespace

TEST_CASE("groups: whoever may be among the best of the best groups is kept, few others are") {
  std::mt19937 random(3);
  uint64_t kept_rows = 0;
  uint64_t all_rows = 0;
  for (int round = 0; round < 400; ++round) {
    CAPTURE(round);
    const auto below = [&](uint32_t limit) { return static_cast<uint32_t>(random() % limit); };
    const GroupCounts wanted{1 + below(5), 1 + below(4)};
    const uint32_t groups = 1 + below(30);
    const float width = random() % 4 == 0 ? 0.3F : 0.01F;
    std::vector<GroupCandidate> candidates;
    std::vector<float> exact;
    std::set<uint32_t> all;
    for (uint32_t row = 0; row < 200; ++row) {
      const float estimate = std::uniform_real_distribution<float>(-1, 1)(random);
      const float error = std::uniform_real_distribution<float>(0, width)(random);
      GroupCandidate one{Candidate{estimate, 0, row}, error, std::vector<uint64_t>()};
      while (random() % 20 != 0 && (one.groups->empty() || random() % 8 == 0)) {
        const uint64_t group = random() % groups;
        if (std::find(one.groups->begin(), one.groups->end(), group) == one.groups->end()) {
          one.groups->push_back(group);
        }
      }
      candidates.push_back(one);
      exact.push_back(estimate + std::uniform_real_distribution<float>(-error, error)(random));
      all.insert(row);
    }
    std::set<uint32_t> kept;
    for (const Candidate& candidate : best_of_groups(candidates, wanted)) {
      kept.insert(candidate.row);
      REQUIRE_FALSE(candidates[candidate.row].groups->empty());
    }
    kept_rows += kept.size();
    all_rows += all.size();
    REQUIRE(grouped(candidates, exact, kept, wanted) == grouped(candidates, exact, all, wanted));
  }
  CHECK(kept_rows * 5 < all_rows);
}

TEST_CASE("groups: a candidate whose group is not known is kept") {
  std::vector<GroupCandidate> candidates;
  for (uint32_t row = 0; row < 20; ++row) {
    const Candidate candidate{1.0F - static_cast<float>(row) / 20, 0, row};
    candidates.push_back({candidate, 0, std::vector<uint64_t>{row % 2}});
  }
  candidates[19].groups.reset();
  const auto kept = best_of_groups(candidates, {1, 2});
  REQUIRE(kept.size() == 3);
  CHECK(kept[0].row == 0);
  CHECK(kept[1].row == 2);
  CHECK(kept[2].row == 19);
  CHECK(best_of_groups({}, {1, 1}).empty());
}
