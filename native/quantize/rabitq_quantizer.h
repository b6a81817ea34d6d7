// RaBitQ: codes of 1, 2, 4 or 8 bits an element whose estimates are unbiased and know their error.
//
//   J. Gao, C. Long: RaBitQ: Quantizing High-Dimensional Vectors with a Theoretical Error Bound for
//   Approximate Nearest Neighbor Search. SIGMOD 2024.
//   J. Gao, Y. Gou, Y. Xu, Y. Yang, C. Long, R. C.-W. Wong: Practical and Asymptotically Optimal
//   Quantization of High-Dimensional Vectors in Euclidean Space for Approximate Nearest Neighbor
//   Search. SIGMOD 2025 (more than one bit).
//
// All vectors are rotated first; below, x, q and c stand for the rotated ones. A row is the
// centroid c that is nearest to it, plus a residual r = x − c, of which v is the nearest direction
// on a grid of 2^bits values an element (rabitq_grid.h). With s = |r|² / <r, v> the code's residual
// s·v is r plus an error e at right angles to r, and at random to all else:
//
//   <q, x> = <q, c> + <q, r>  ≈  <q, c> + s·<q, v> + <c, r − s·v>
//   −|q − x|² = −|q − c|² + 2·<q − c, r> − |r|²  ≈  −|q − c|² + 2s·<q, v> − 2s·<c, v> − |r|²
//
// What is added behind s·<q, v> does not depend on the query and is one number of the row. So is
// what a query knows of each centroid; left is the product of the query, rounded to 8 bits an
// element, with the integers of the code. What the estimate misses is <q − c, e>, whose deviation
// is |e| · |part of q − c at right angles to r| / √(dim − 1), and what rounding the query has cost.
#pragma once

#include <memory>

#include "base/bytes.h"
#include "base/result.h"
#include "quantize/integer_vector.h"
#include "quantize/quantizer.h"
#include "quantize/rabitq_code.h"
#include "quantize/rotation.h"
#include "quantize/training.h"
#include "simd/kernels.h"

namespace asyncstore::quantize {

class RabitqQuantizer final : public Quantizer {
 public:
  static constexpr uint32_t k_centroids_max = 256;
  static constexpr uint32_t k_centroids_trained = 256;  // docs/decisions/0013-rabitq.md

  // `metric` is dot or euclid, `bits` 1, 2, 4 or 8. `centroids`, at most k_centroids_max of dim
  // finite floats each, are rotated already; without any there is one, the origin. `kernels` must
  // outlive the quantizer.
  RabitqQuantizer(uint32_t dim, Metric metric, unsigned bits, uint64_t seed,
                  std::vector<float> centroids, const simd::Kernels& kernels = simd::kernels());

  // As in factory.h. At most `centroids_max` centroids, and no more than the sample bears.
  static std::shared_ptr<const Quantizer> train(uint32_t dim, Metric metric, unsigned bits,
                                                const Training& training,
                                                uint32_t centroids_max = k_centroids_trained);
  static base::Result<std::shared_ptr<const Quantizer>> load(uint32_t dim, Metric metric,
                                                             unsigned bits, base::Bytes parameters);

  Kind kind() const override { return Kind::rabitq; }
  uint32_t dim() const override { return dim_; }
  uint32_t code_bytes() const override { return packed_bytes_ + RabitqTerms::k_bytes; }

  // Keeps a few times dim floats per calling thread.
  void encode(const float* row, uint8_t* code) const override;
  std::unique_ptr<EncodedQuery> encode_query(const float* query) const override;
  void estimate(const EncodedQuery& query, const uint8_t* codes, size_t rows,
                float* similarities) const override;
  void estimate_rows(const EncodedQuery& query, const uint8_t* codes,
                     std::span<const uint32_t> rows, float* similarities) const override;
  // These keep 2 · dim bytes per calling thread.
  void similarities(const uint8_t* codes, uint32_t row, std::span<const uint32_t> others,
                    float* similarities) const override;
  float deviation(const EncodedQuery& query, const uint8_t* code) const override;
  float deviation_at_most(const EncodedQuery& query, const uint8_t* code) const override;
  std::vector<std::byte> parameters() const override;

 private:
  class Query;

  IntegerVector round(const float* vector) const;
  const float* centroid(size_t k) const { return centroids_.data() + k * dim_; }
  float of_centroid(const Query& query, uint8_t centroid) const;
  float squared_from_centroid(const Query& query, uint8_t centroid) const;
  void estimate(const EncodedQuery& query, const simd::CodeRows& rows, size_t count,
                float* similarities) const;
  void dot(const int8_t* query, const simd::CodeRows& rows, size_t count, int32_t* sums) const;
  double dot(const IntegerVector& vector, const uint8_t* code) const;
  void multiply_codes(const uint8_t* code, const simd::CodeRows& rows, size_t count,
                      double* products) const;
  double squared_length(const uint8_t* code) const;

  uint32_t dim_;
  Metric metric_;
  unsigned bits_;
  uint64_t seed_;
  uint32_t packed_bytes_;
  double middle_;  // of the integers of a code
  bool trained_;
  const simd::Kernels& kernels_;
  Rotation rotation_;
  std::vector<float> centroids_;
  std::vector<IntegerVector> rounded_centroids_;
  std::vector<float> between_centroids_;  // the similarity of each two
  std::vector<int8_t> ones_;              // for 8 bits: a product with them is a sum
};

}  // namespace asyncstore::quantize
