// The line of a search by sparse vectors.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "engine/batch_join.h"
#include "engine/collection.h"
#include "engine/filtering.h"
#include "engine/point_fetch.h"
#include "engine/rescoring.h"
#include "engine/sparse_candidates.h"
#include "engine/sparse_request.h"
#include "engine/task.h"
#include "engine/value_fetch.h"
#include "sparse/scorer.h"

namespace asyncstore::engine {

// Answers one query, or a part of a batch: then the queries are number first_query and on.
class SparseSearchTask : public Task {
 public:
  SparseSearchTask(uint64_t ticket, std::shared_ptr<Collection> collection,
                   SparseSearchRequest request, CompletionQueue& completions,
                   std::shared_ptr<BatchJoin> join = nullptr, uint64_t first_query = 0);

  Next step(Worker& worker) override;
  void landed(const io::ReadRequest& request, base::Bytes data, const base::Error* error) override;
  void abandon(const base::Error& error) override;

 private:
  enum class Stage : uint8_t { start, filter, count, score, look, rescore, points };

  void start();
  uint64_t wanted() const;
  Next filter(Worker& worker);
  void begin_query();
  void count();
  void score(sparse::Scorer& scorer);
  void consider(const sparse::Scorer& scorer, uint32_t window);
  void look_closer();
  bool read_wave(Worker& worker);
  void score_wave();
  bool must_repeat();
  void take_results();
  Next read_points(Worker& worker);
  Next answer(Worker& worker);
  void fail(base::Error error);

  uint64_t ticket_;
  std::shared_ptr<Collection> collection_;
  SparseSearchRequest request_;
  CompletionQueue& completions_;
  std::shared_ptr<BatchJoin> join_;
  uint64_t first_query_ = 0;

  Stage stage_ = Stage::start;
  std::shared_ptr<const View> view_;
  std::shared_ptr<const sparse::Snapshot> snapshot_;
  std::vector<uint32_t> excluded_;  // slots, ascending
  std::optional<Filtering> filtering_;
  FilterCache::Passing passing_;  // null: all

  // Of the query at hand.
  size_t at_ = 0;  // its number in the request
  sparse::Query query_;
  std::vector<uint64_t> counts_;  // of rows that have its indices
  uint32_t window_ = 0;           // to count or score next
  uint32_t part_ = 0;             // of the window: a run, or the tail behind them
  std::optional<SparseCandidates> found_;
  std::vector<Candidate> candidates_;  // that were found
  std::vector<float> reaches_;         // of those that were looked at closer
  std::optional<Rescoring<BetterSparse>> rescoring_;
  std::vector<Candidate> wave_;  // to be read, the last first
  std::vector<Candidate> read_;  // whose vectors are under way
  std::optional<ValueFetch> vectors_;
  bool has_changed_ = false;  // a vector that was read is not the one that was found
  uint32_t repeats_ = 0;

  std::vector<Rows> results_;    // of the queries before
  std::vector<uint32_t> slots_;  // of the last of them
  std::optional<PointFetch> fetch_;
  std::optional<base::Error> error_;
  uint64_t found_count_ = 0;
  uint64_t rescored_ = 0;
  uint64_t skipped_ = 0;
};

}  // namespace asyncstore::engine
