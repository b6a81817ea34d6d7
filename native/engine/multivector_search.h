// The line of a search by multivectors.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "engine/batch_join.h"
#include "engine/candidates.h"
#include "engine/collection.h"
#include "engine/filtering.h"
#include "engine/multivector_request.h"
#include "engine/point_fetch.h"
#include "engine/task.h"
#include "engine/value_fetch.h"
#include "multivector/max_sim.h"

namespace asyncstore::engine {

// Answers one query, or a part of a batch: then the queries are number first_query and on. Reads
// the multivectors of all points that pass, some hundred at a time, and scores each when it is
// there; so it takes each point as it is when it is read.
class MultivectorSearchTask : public Task {
 public:
  MultivectorSearchTask(uint64_t ticket, std::shared_ptr<Collection> collection,
                        MultivectorSearchRequest request, CompletionQueue& completions,
                        std::shared_ptr<BatchJoin> join = nullptr, uint64_t first_query = 0);

  Next step(Worker& worker) override;
  void landed(const io::ReadRequest& request, base::Bytes data, const base::Error* error) override;
  void abandon(const base::Error& error) override;

 private:
  enum class Stage : uint8_t { start, filter, read, points };
  struct Query {
    std::vector<multivector::MaxSim> examples;
    uint64_t elements = 0;  // of all of them
    TopCandidates<NearerSlot> best;
  };
  // A multivector that was read and is being scored.
  struct Scored {
    uint32_t slot;
    std::vector<std::byte> rows;
    size_t query = 0;  // that it is compared with
    uint64_t row = 0;  // that is next
  };

  const segment::Field& field() const;
  void start();
  Next filter(Worker& worker);
  void begin();
  bool read_wave(Worker& worker);
  void take(size_t point);
  void score_some();
  void end_row(Scored& scored);
  Next read_points(Worker& worker);
  Rows rows_of(Query& query);
  Next answer(Worker& worker);
  void fail(base::Error error);

  uint64_t ticket_;
  std::shared_ptr<Collection> collection_;
  MultivectorSearchRequest request_;
  CompletionQueue& completions_;
  std::shared_ptr<BatchJoin> join_;
  uint64_t first_query_ = 0;

  Stage stage_ = Stage::start;
  std::shared_ptr<const View> view_;
  std::vector<uint32_t> excluded_;  // slots, ascending
  std::optional<Filtering> filtering_;
  FilterCache::Passing passing_;
  uint32_t next_slot_ = 0;  // of passing_: where to go on
  std::vector<Query> queries_;
  std::vector<float> similarities_;  // of the multivector at hand to the examples of a query
  std::vector<uint32_t> wave_;       // slots whose multivectors are read
  std::optional<ValueFetch> values_;
  std::deque<Scored> scored_;

  std::vector<Rows> results_;
  std::vector<uint32_t> slots_;  // of the last of them
  std::optional<PointFetch> fetch_;
  std::optional<base::Error> error_;
  uint64_t read_count_ = 0;
};

}  // namespace asyncstore::engine
