// Finding candidates by the codes of multivectors.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "engine/candidates.h"
#include "engine/query_score.h"
#include "filter/slot_set.h"
#include "multivector/code_index.h"
#include "multivector/code_max_sim.h"

namespace asyncstore::engine {

// One or several queries over the points of a snapshot: first the estimates of all that pass, then,
// of the best by these, how near they may be.
class MultivectorPreselection {
 public:
  // What is given outlives this; `excluded` are slots, ascending.
  MultivectorPreselection(const multivector::CodeSnapshot& snapshot, const filter::SlotSet& passing,
                          std::span<const uint32_t> excluded, const points::PointTable& table,
                          const QueryScore& score)
      : snapshot_(snapshot),
        passing_(passing),
        excluded_(excluded),
        table_(table),
        score_(score),
        low_(score.examples()),
        high_(score.examples()) {}

  // A query keeps so many candidates; not after the first step().
  void add(std::vector<multivector::CodeMaxSim> examples, uint64_t candidates);
  // About a tenth of a millisecond of work; true when all is done.
  bool step(bool with_reach);

  // Of a query; once. Candidate::row is a slot; `reaches` are what the score of each is not above,
  // if they were asked for.
  struct Found {
    std::vector<Candidate> candidates;
    std::vector<float> reaches;
  };
  Found take(size_t query);

 private:
  using Nearer = NearerInWindows<multivector::CodeSnapshot>;
  struct Query {
    std::vector<multivector::CodeMaxSim> examples;
    uint64_t row_bytes = 0;  // that are compared for a row
    TopCandidates<Nearer> kept;
    Found found = {};  // Candidate::segment is a window, row a point of it
  };

  bool scan(uint64_t& budget_bytes);
  bool scan_point(uint64_t& budget_bytes);
  bool look_closer(Query& query, uint64_t& budget_bytes);
  bool is_admitted(const multivector::CodeWindow& window, uint32_t point) const;
  template <typename Add>
  bool compare(Query& query, const Candidate& place, uint64_t& budget_bytes, const Add& add);

  const multivector::CodeSnapshot& snapshot_;
  const filter::SlotSet& passing_;
  std::span<const uint32_t> excluded_;
  const points::PointTable& table_;
  const QueryScore& score_;
  std::vector<Query> queries_;
  // Where the work goes on.
  uint32_t window_ = 0;
  uint32_t point_ = 0;
  size_t query_ = 0;
  uint32_t row_ = 0;
  // Of the point at hand to the examples.
  std::vector<float> low_;
  std::vector<float> high_;
};

}  // namespace asyncstore::engine
