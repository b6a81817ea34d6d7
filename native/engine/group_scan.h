// The points of some groups by their codes: which of them may be the best of their group.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/admitted_rows.h"
#include "engine/candidates.h"
#include "engine/preselection.h"
#include "engine/row_finder.h"
#include "index/similarity.h"

namespace asyncstore::engine {

// Compares the codes of all admitted points of each group with the query, and keeps of each group
// those that may be among its best, by their estimates and errors.
class GroupScan {
 public:
  struct Group {
    std::vector<uint32_t> slots;   // of its points
    std::vector<Candidate> known;  // points of it whose similarity is known exactly: not kept again
  };
  struct Query {
    const Preselection& codes;  // of one query, by similarity
    const AdmittedRows& admitted;
    std::span<const uint32_t> excluded;  // slots, ascending
    NearerFirst nearer;
    uint32_t size = 1;        // how many are wanted of each group, ≥ 1
    uint64_t candidates = 1;  // of each group at most, where bounds do not tell them apart; ≥ 1
  };

  // What the query and the finder refer to outlives this.
  GroupScan(std::vector<Group> groups, const Query& query, const RowFinder& finder);

  // About a tenth of a millisecond of work; true when all is done.
  bool step();
  // What is kept of each group, by estimates, in no order; once.
  std::vector<std::vector<Candidate>> take();

 private:
  struct Kept {
    Candidate candidate;
    float reach;  // what its exact similarity is not above
  };
  // What is known of a group so far.
  struct Best {
    std::vector<float> leasts;  // heap: the largest `size` of what members are not below
    std::vector<Kept> kept;
  };
  struct Waiting {  // rows of a segment that are going to be compared together
    std::array<uint32_t, index::k_list_rows_max> rows;
    uint32_t count = 0;
  };

  void find_some(uint32_t count);
  void find_moved();
  void wait_for(uint32_t slot, RowFinder::Place place);
  void compare(uint32_t segment);
  void compare_all();
  void look_at(const Candidate& candidate);
  float bar(const Best& best) const;
  void raise(Best& best, float least) const;
  std::vector<Candidate> best_of(const Group& group, const Best& rough) const;

  std::vector<Group> groups_;
  Query query_;
  RowFinder finder_;
  std::vector<Best> best_;
  std::vector<Waiting> waiting_;  // of each segment, of the group at hand
  size_t group_ = 0;              // where to go on
  size_t slot_ = 0;               // of the group
};

}  // namespace asyncstore::engine
