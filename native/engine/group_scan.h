// The points of some groups by their codes: which of them may be the best of their group.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "engine/candidates.h"
#include "engine/group_best.h"
#include "engine/row_finder.h"
#include "engine/task.h"
#include "index/similarity.h"

namespace asyncstore::engine {

// Compares the codes of all admitted points of each group with the query, and keeps of each group
// those that may be among its best, by their estimates and errors. Belongs to one task; another
// worker may take part.
class GroupScan {
 public:
  struct Group {
    std::vector<uint32_t> slots;   // of its points, ascending
    std::vector<Candidate> known;  // points of it whose similarity is known exactly: not kept again
  };

  // The query and what the finder refers to outlive this.
  GroupScan(std::vector<Group> groups, const GroupQuery& query, const RowFinder& finder);
  GroupScan(const GroupScan&) = delete;
  GroupScan& operator=(const GroupScan&) = delete;
  ~GroupScan();

  // Has a worker that is idle take part, where there is work for two.
  void share(Worker& worker);
  // About a tenth of a millisecond of work; true when all is done.
  bool step();
  // What is kept of each group, by estimates, in no order.
  std::vector<std::vector<Candidate>> take() const;

 private:
  // What one worker compares: stretches of the slots, the next one whenever it is done with one.
  class Part {
   public:
    explicit Part(GroupScan& scan);
    // True when no stretch is left.
    bool step();
    // Once all parts are: takes in what another kept, and the points that were moved.
    void finish(const Part* other);
    const std::vector<GroupBest>& best() const { return best_; }

   private:
    // Rows of a segment that are going to be compared, the codes of all of them on their way.
    struct Waiting {
      const uint8_t* codes = nullptr;  // of all rows of the segment
      uint32_t code_bytes = 0;
      std::array<uint32_t, index::k_list_rows_max> rows;
      std::array<uint32_t, index::k_list_rows_max> groups;
      uint32_t count = 0;
    };

    void look_at(size_t begin, size_t end);
    void find_moved();
    void wait_for(uint32_t slot, RowFinder::Place place, uint32_t group);
    void compare(uint32_t segment, uint32_t count);
    void compare_waiting();

    GroupScan& scan_;
    RowFinder finder_;
    SeenErrors errors_;
    std::vector<GroupBest> best_;
    std::vector<Waiting> waiting_;  // of each segment
  };
  // Where the scan and who takes part in it meet.
  struct Meeting;
  class Help;

  std::span<const uint32_t> slots(size_t group) const;

  const GroupQuery& query_;
  const RowFinder& finder_;
  std::vector<uint32_t> slots_;  // of one group after the other
  std::vector<size_t> ends_;     // of each group's
  std::vector<std::vector<Candidate>> known_;
  std::atomic<size_t> next_{0};  // of slots_, for whoever is done with what it has
  std::unique_ptr<Part> own_;
  std::shared_ptr<Meeting> meeting_;  // null: nobody was asked
};

}  // namespace asyncstore::engine
