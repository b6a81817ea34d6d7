// From float32 vectors to stored rows and back, and the exact score of a stored row.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "segment/field.h"
#include "simd/kernels.h"

namespace asyncstore::segment {

// Stores vectors: unit length for cosine (but for uint8, which cannot hold it), then the field's
// datatype. Not thread-safe: owns a scratch row.
class RowCodec {
 public:
  explicit RowCodec(const Field& field);

  // `row` gets row_bytes(field) bytes. The vector is finite. A vector whose length is 1 within a
  // millionth, or 0, keeps its bits.
  void encode(const float* vector, std::byte* row);
  // What the user gets back: the stored values as float32.
  void decode(const std::byte* row, float* vector) const;
  // What quantizers see: as decode(), with unit length for cosine in every datatype.
  const float* search_vector(const std::byte* row);

 private:
  Field field_;
  const simd::Kernels& kernels_;
  std::vector<float> scratch_;
};

// Scores stored rows against one query. Immutable; any thread.
class ExactScorer {
 public:
  ExactScorer(const Field& field, const float* query);

  // Larger is nearer: cosine and dot: the score; Euclid: minus the squared distance; Manhattan:
  // minus the distance. Never NaN, which has no place in an order: where sums of both signs
  // overflow (elements beyond 1e18, or float16 rows that hold infinity), minus infinity.
  float similarity(const std::byte* row) const;
  // The vector that quantizers get: the query, with unit length for cosine.
  const float* query() const { return query_.data(); }

 private:
  float computed(const std::byte* row) const;

  Field field_;
  const simd::Kernels& kernels_;
  std::vector<float> query_;
};

// The score that a user sees for a similarity, and whether it passes a threshold.
float score_of(Distance distance, float similarity);
// What no row is below that passes the threshold; a few that do not pass are above it.
float similarity_floor(Distance distance, float threshold);
bool passes(Distance distance, float score, float threshold);

}  // namespace asyncstore::segment
