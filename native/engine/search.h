// The search line.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "engine/batch_join.h"
#include "engine/candidates.h"
#include "engine/collection.h"
#include "engine/completion_queue.h"
#include "engine/filtering.h"
#include "engine/group_search.h"
#include "engine/original_scan.h"
#include "engine/point_fetch.h"
#include "engine/preselection.h"
#include "engine/query_score.h"
#include "engine/rescoring.h"
#include "engine/stage_clock.h"
#include "engine/task.h"
#include "segment/row_codec.h"

namespace asyncstore::engine {

struct SearchRequest {
  uint32_t field = 0;
  std::vector<float> queries;  // q · examples · dim, finite
  QueryScore score;            // of each query, which says how many examples it has
  // Points that are no results, though they may be near: those that examples were taken of.
  std::vector<points::PointId> excluded;
  uint64_t limit = 10;  // ≥ 1
  uint64_t offset = 0;
  double oversampling = 0;  // 0: as many candidates as may count by the bounds of their errors
  uint32_t hnsw_ef = 0;     // 0: as the field says
  bool rescore = true;
  bool early_stop = true;  // false: every candidate is read
  bool ignore_codes = false;
  bool exact = false;
  std::optional<float> score_threshold;
  std::shared_ptr<const filter::Filter> filter;  // null: all points
  // The best points of the best groups, which the answer is then made of: those of the best `limit`
  // points, or where an index tells the groups of candidates, of as many as a walk keeps in sight.
  // `limit` ≥ 1 says how far to look; without an offset, and with nothing else of the points.
  std::optional<GroupRequest> groups;
  With with;
};

class SearchTask : public Task {
 public:
  SearchTask(uint64_t ticket, std::shared_ptr<Collection> collection, SearchRequest request,
             CompletionQueue& completions);
  // One part of a batch: the queries of `request` are number first_query and on.
  SearchTask(uint64_t ticket, std::shared_ptr<Collection> collection, SearchRequest request,
             CompletionQueue& completions, std::shared_ptr<BatchJoin> join, uint32_t first_query);

  Next step(Worker& worker) override;
  void landed(const io::ReadRequest& request, base::Bytes data, const base::Error* error) override;
  void abandon(const base::Error& error) override;

 private:
  enum class Stage : uint8_t { start, filter, preselect, scan, rescore, groups, points };
  struct Query {
    std::vector<segment::ExactScorer> examples;
    std::optional<Rescoring<>> rescoring;
    std::vector<Candidate> results;
  };
  struct Wanted {  // a row on its way from disk
    uint32_t query;
    Candidate candidate;
  };

  const FieldView& field() const { return view_->fields[request_.field]; }
  RowFinder row_finder() const {
    return {field(), request_.field, view_->lsn, collection_->table()};
  }
  void start();
  Next filter(Worker& worker);
  bool find_rows();
  bool scans_few() const;
  void begin();
  uint64_t wanted_count() const;
  Effort effort() const;
  void begin_rescoring();
  void rescore(size_t query, std::span<const Candidate> found);
  float similarity_min() const;
  bool read_wave(Worker& worker);
  Next read_scan(Worker& worker);
  Next finish(Worker& worker);
  Next group(Worker& worker);
  void want_all(std::span<const Candidate> found);
  Next read_points(Worker& worker);
  float score(const Query& query, const std::byte* row);
  void score_candidate(uint32_t index, base::Bytes data);
  void score_part(uint32_t index, base::Bytes data);
  void take_estimates();
  void take_results();
  std::vector<Candidate> page(std::vector<Candidate> found) const;
  Next answer(Worker& worker);
  void fail(base::Error error);
  float score_of(const Candidate& candidate) const;
  Rows rows_of(const Query& query) const;

  uint64_t ticket_;
  std::shared_ptr<Collection> collection_;
  SearchRequest request_;
  CompletionQueue& completions_;
  std::shared_ptr<BatchJoin> join_;
  uint32_t first_query_ = 0;

  Stage stage_ = Stage::start;
  std::shared_ptr<const View> view_;
  std::optional<Filtering> filtering_;
  std::optional<AdmittedRows> admitted_;
  std::optional<PassingRowsBuilder> rows_builder_;
  std::vector<Query> queries_;
  std::vector<uint32_t> excluded_;   // slots, ascending
  std::vector<float> similarities_;  // of the row at hand to all examples
  uint64_t wanted_count_ = 0;        // limit and offset, of the points there are
  std::optional<Preselection> preselection_;
  std::optional<OriginalScan> scan_;
  std::optional<GroupSearch> groups_;
  std::vector<Wanted> wanted_;
  std::optional<PointFetch> fetch_;
  std::optional<base::Error> error_;
  StageClock stages_;
  uint64_t candidates_ = 0;
  uint64_t rescored_ = 0;
  uint64_t skipped_ = 0;
};

}  // namespace asyncstore::engine
