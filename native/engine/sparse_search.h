// The line of a search by sparse vectors.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "engine/kept_search.h"
#include "engine/rescoring.h"
#include "engine/sparse_candidates.h"
#include "engine/sparse_request.h"
#include "engine/value_fetch.h"
#include "sparse/scorer.h"

namespace asyncstore::engine {

// Answers one query, or a part of a batch: then the queries are number first_query and on.
class SparseSearchTask final : public KeptSearchTask {
 public:
  SparseSearchTask(uint64_t ticket, std::shared_ptr<Collection> collection,
                   SparseSearchRequest request, CompletionQueue& completions,
                   std::shared_ptr<BatchJoin> join = nullptr, uint64_t first_query = 0);

  Next step(Worker& worker) override;

 private:
  enum class Stage : uint8_t { start, filter, count, score, look, rescore, points };

  void start();
  uint64_t wanted() const;
  void begin() override;
  void value_landed(const io::ReadRequest& request, base::Bytes data,
                    const base::Error* error) override;
  void begin_query();
  void count();
  void score(sparse::Scorer& scorer);
  void consider(const sparse::Scorer& scorer, uint32_t window);
  void look_closer();
  bool read_wave(Worker& worker);
  void score_wave();
  void take_results();

  SparseSearchRequest request_;

  Stage stage_ = Stage::start;
  std::shared_ptr<const sparse::Snapshot> snapshot_;

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
};

}  // namespace asyncstore::engine
