// The best points of the best groups: what follows once a search knows the best rows in sight.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "engine/admitted_rows.h"
#include "engine/candidates.h"
#include "engine/collection.h"
#include "engine/completion_queue.h"
#include "engine/group_best.h"
#include "engine/group_candidates.h"
#include "engine/group_keys_fetch.h"
#include "engine/group_scan.h"
#include "engine/preselection.h"
#include "engine/row_finder.h"
#include "engine/task.h"
#include "payload/path.h"

namespace asyncstore::engine {

// What points are grouped by, and how many groups of how many points are wanted.
struct GroupRequest {
  payload::Path path;
  GroupCounts wanted;
};

// Belongs to one task, which holds a view and scores rows exactly. Makes groups of the rows in
// sight. Where an index of the path names the other points of the groups that have room, it
// compares their codes, and asks for the scores of those that may belong there.
class GroupSearch {
 public:
  // What a search knows of its rows; outlives this.
  struct Rows {
    const AdmittedRows& admitted;
    std::span<const uint32_t> excluded;  // slots, ascending
    const Preselection*
        codes;  // of one query, by similarity, whose candidates are rescored; or null
  };

  GroupSearch(std::shared_ptr<Collection> collection, const GroupRequest& request,
              const RowFinder& finder, const Rows& rows);

  // Of candidates by their estimates, of which there are `sight` unless those are all, leaves those
  // that may be the best of the best groups; what is below the threshold is not wanted. False where
  // no index tells their groups: then they are as they were.
  bool keep_best(std::vector<Candidate>& found, uint64_t sight, float threshold);

  // What of the rows in sight is wanted, by exact scores, the best first; `are_all`: no other rows
  // are, unless keep_best() left some out. Later the same of what candidates() asked for.
  void add(std::vector<Candidate> scored, bool are_all);
  // After add(), until it says `done`.
  Task::Next step(Task& task, Worker& worker);
  void landed(const io::ReadRequest& request, base::Bytes data, const base::Error* error) {
    keys_->landed(request, data, error);
  }
  // When done. An error: what was needed could not be read.
  const std::optional<base::Error>& error() const { return error_; }
  // What is to be scored and added next; when there is none, the groups are made.
  std::vector<Candidate> candidates() { return std::exchange(candidates_, {}); }

  // The points of all groups, each once, and where each group has them; once.
  std::pair<std::vector<Candidate>, Groups> take();

 private:
  enum class Stage : uint8_t { hits, keys, scan, scanned };
  struct Group {
    filter::Scalar key;
    size_t number;                   // as they were found
    std::vector<Candidate> members;  // by exact scores, the best first
    bool is_settled = false;         // no other point of it is wanted
  };

  void fetch_keys();
  void make_groups(const std::vector<GroupKeysFetch::Keys>& keys);
  void put(const Candidate& hit, Group& group) const;
  bool begin_scan(Worker& worker);
  void end_scan();
  void put_scanned();

  std::shared_ptr<Collection> collection_;
  const GroupRequest& request_;
  const RowFinder finder_;
  const NearerFirst nearer_;
  const Rows rows_;
  const std::shared_ptr<const fields::FieldIndex> index_;  // null: there is none
  Stage stage_ = Stage::hits;
  std::vector<Candidate> scored_;
  bool left_out_ = false;  // by keep_best()
  bool all_known_ = true;  // the groups of all that it looked at
  bool all_seen_ = false;  // no row is wanted that was not in sight
  bool are_all_ = false;   // no other group is wanted
  std::optional<GroupKeysFetch> keys_;
  std::vector<Group> groups_;
  std::vector<size_t> scanned_;  // places of groups whose points are scanned
  std::optional<GroupQuery> query_;
  std::optional<GroupScan> scan_;
  std::vector<std::vector<Candidate>> kept_;  // of each of them
  std::vector<Candidate> candidates_;         // all of these, each once
  std::optional<base::Error> error_;
};

}  // namespace asyncstore::engine
