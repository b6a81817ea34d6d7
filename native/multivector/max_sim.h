// How near a multivector is to another: late interaction.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "segment/field.h"
#include "segment/row_codec.h"
#include "simd/kernels.h"

namespace asyncstore::multivector {

// Of the best similarity to each row of a query; minus infinity where that is no number, which has
// no place in an order.
float sum_of_best(std::span<const float> best);

// The similarity of a multivector to the rows of a query: the sum, over these, of the similarity to
// the nearest of its rows. Similarities are those of segment::ExactScorer (Euclid: minus the square
// of the distance, so the score that a user sees is the root of a sum of squares).
//
// Takes the rows of one multivector after the other, in as many calls as one likes. Not
// thread-safe.
//
// Source: O. Khattab, M. Zaharia, "ColBERT: Efficient and Effective Passage Search via
// Contextualized Late Interaction over BERT", SIGIR 2020, section 3.3.
class MaxSim {
 public:
  // `query` holds at least one row of field.dim finite numbers.
  MaxSim(const segment::Field& field, std::span<const float> query);

  // What a row costs: products, or differences.
  uint64_t elements() const { return query_.size(); }
  // The rows of the query, of unit length with cosine.
  std::span<const float> query() const { return query_; }
  // Before the first row of a multivector.
  void begin();
  // `count` stored rows of it, one after the other, at any address.
  void add(const std::byte* rows, size_t count);
  // Of all rows since begin(), one at least. Larger is nearer; never NaN.
  float similarity() const { return sum_of_best(best_); }

 private:
  using Kernel = float (*)(const float*, const float*, size_t);

  segment::RowCodec codec_;
  Kernel kernel_;
  float sign_;  // of what the kernel says, for larger to be nearer
  size_t dim_;
  size_t row_bytes_;
  std::vector<float> query_;  // of unit length with cosine
  std::vector<float> best_;   // similarity of each of its rows to the nearest so far
};

}  // namespace asyncstore::multivector
