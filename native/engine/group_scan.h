// The points of some groups by their codes: which of them may be the best of their group.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "engine/candidates.h"
#include "engine/group_best.h"
#include "engine/row_finder.h"
#include "index/similarity.h"

namespace asyncstore::engine {

// Compares the codes of all admitted points of each group with the query, and keeps of each group
// those that may be among its best, by their estimates and errors.
class GroupScan {
 public:
  struct Group {
    std::vector<uint32_t> slots;   // of its points, ascending
    std::vector<Candidate> known;  // points of it whose similarity is known exactly: not kept again
  };

  // The query and what the finder refers to outlive this.
  GroupScan(std::vector<Group> groups, const GroupQuery& query, const RowFinder& finder);

  // About a tenth of a millisecond of work; true when all is done.
  bool step();
  // What is kept of each group, by estimates, in no order.
  std::vector<std::vector<Candidate>> take() const;

 private:
  struct Waiting {  // rows of a segment that are going to be compared together
    std::array<uint32_t, index::k_list_rows_max> rows;
    uint32_t count = 0;
  };

  void find_some(uint32_t count);
  void find_moved();
  void wait_for(uint32_t slot, RowFinder::Place place);
  void compare(uint32_t segment);
  void compare_all();

  std::vector<Group> groups_;
  const GroupQuery& query_;
  RowFinder finder_;
  std::vector<GroupBest> best_;
  std::vector<Waiting> waiting_;  // of each segment, of the group at hand
  size_t group_ = 0;              // where to go on
  size_t slot_ = 0;               // of the group
};

}  // namespace asyncstore::engine
