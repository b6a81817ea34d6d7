// What a query finds in an index: rows that may be among the best, with estimates of their scores.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "sparse/query.h"
#include "sparse/window.h"

namespace asyncstore::sparse {

// Whether the vector, as stored and sound, shares an index with the query; then `score` is the sum
// of the products over those that they share.
bool dot(const Query& query, base::Bytes stored, double& score);

// A score as it is returned: no sum of products of floats is infinite.
inline float score_of(double sum) {
  constexpr double largest = std::numeric_limits<float>::max();
  return static_cast<float>(std::clamp(sum, -largest, largest));
}

// Multiplies each weight by ln(1 + (N − n + 0.5) / (n + 0.5)), where n of N rows have its index.
void apply_idf(Query& query, std::span<const uint64_t> counts, uint64_t rows);

// An estimate of a score, and how far it may be wrong.
struct Estimate {
  double score = 0;
  double error = 0;
};

// Scores runs and tails. Has memory of its own for a sum of each row of a window; belongs to one
// thread, which serves many queries by it in turns.
class Scorer {
 public:
  struct Found {
    uint32_t row;  // in its window
    float score;
  };

  // Begins with a run, which both outlive. Returns how far the estimates may be wrong, at most.
  double begin_run(const Query& query, const Run& run);
  // Fills found() with those of the next rows of the run that share an index with the query, but
  // not with those whose score is below `bar`; false when there are no more rows. Rows of deleted
  // points are found as well. To be called until then.
  bool next_rows(double bar);
  // The same for the tail of a window, whose scores are off by rounding alone.
  double score_tail(const Query& query, const WindowView& window);
  std::span<const Found> found() const { return found_; }

 private:
  struct Term {
    const Piece* piece;
    double weight;
    size_t at;  // in the lists: what was not added yet
  };

  void gather(const Query& query, const Run& run);
  double begin_integers();
  double begin_signed();
  void add_integers(Term& term, uint32_t begin, uint32_t end);
  void add_floats(Term& term, uint32_t end);
  void add_codes(Term& term, uint32_t end);
  void take_listed(uint32_t least);
  void take_block(uint32_t begin, uint32_t end, uint32_t least);
  void take_signed(double bar);

  const Run* run_ = nullptr;
  uint32_t next_row_ = 0;  // in the window
  bool is_signed_ = false;
  bool is_listed_ = false;  // few rows: their sums are looked up by the lists
  double unit_ = 1;         // what a sum counts in
  double bias_ = 0;         // to be taken off a score
  double error_ = 0;
  std::vector<Term> terms_;          // of the run at hand
  std::vector<uint16_t> sums_;       // of each row of a window; zero between calls
  std::vector<double> signed_sums_;  // the same where weights are negative
  std::vector<uint64_t> touched_;    // rows with such a sum, by the bit
  std::vector<uint64_t> tail_dims_;  // a bit for some of the query's indices, by their last bits
  std::vector<Found> found_;
};

// A closer look at one row, which is of a run.
Estimate estimate(const Query& query, const WindowView& window, uint32_t row);

}  // namespace asyncstore::sparse
