// The line of a search by multivectors.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "engine/candidates.h"
#include "engine/kept_search.h"
#include "engine/multivector_preselection.h"
#include "engine/multivector_request.h"
#include "engine/rescoring.h"
#include "engine/value_fetch.h"
#include "multivector/max_sim.h"

namespace asyncstore::engine {

// Answers one query, or a part of a batch: then the queries are number first_query and on. Reads
// the multivectors of those points that may be among the best by their codes, or of all that pass
// the filter, some hundred at a time, and scores each when it is there.
class MultivectorSearchTask final : public KeptSearchTask {
 public:
  MultivectorSearchTask(uint64_t ticket, std::shared_ptr<Collection> collection,
                        MultivectorSearchRequest request, CompletionQueue& completions,
                        std::shared_ptr<BatchJoin> join = nullptr, uint64_t first_query = 0);

  Next step(Worker& worker) override;

 private:
  enum class Stage : uint8_t { start, filter, prepare, preselect, read, points };
  struct Query {
    std::vector<multivector::MaxSim> examples;
    uint64_t elements = 0;  // of all of them
    std::optional<Rescoring<NearerSlot>> rescoring;
    std::vector<Candidate> results;  // Candidate::row is a slot
  };
  struct Wanted {  // to be scored
    uint32_t slot;
    uint32_t query;
  };
  // A multivector that was read and is being scored.
  struct Scored {
    size_t next;  // in wanted_, what is scored next, up to `end`
    size_t end;
    std::vector<std::byte> rows;
    uint64_t row = 0;  // that is next
  };

  const segment::Field& field() const;
  void start();
  void begin() override;
  void value_landed(const io::ReadRequest& request, base::Bytes data,
                    const base::Error* error) override;
  void prepare();
  uint64_t wanted_count() const;
  uint64_t candidates_count() const;
  bool goes_by_codes() const;
  void begin_rescoring();
  void find_wanted();
  bool read_wave(Worker& worker);
  uint64_t read(uint32_t slot);
  void take(size_t point);
  void score_some();
  void end_scoring(Scored& scored);
  void take_results();
  Rows rows_of(const Query& query);

  MultivectorSearchRequest request_;

  Stage stage_ = Stage::start;
  std::vector<Query> queries_;
  std::optional<MultivectorPreselection> preselection_;
  uint32_t next_slot_ = 0;      // of passing_: where reading all goes on
  std::vector<Wanted> wanted_;  // by slot
  size_t next_wanted_ = 0;      // to be read
  std::vector<Scored> wave_;    // that are read
  std::optional<ValueFetch> values_;
  std::deque<Scored> scored_;        // that are there
  std::vector<float> similarities_;  // of the multivector at hand to the examples of a query
};

}  // namespace asyncstore::engine
