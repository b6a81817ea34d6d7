// Product quantization: each part of 1, 2, 4, 8 or 16 elements becomes the number of one of 256
// centroids of its own.
//
//   H. Jégou, M. Douze, C. Schmid: Product Quantization for Nearest Neighbor Search. IEEE
//   Transactions on Pattern Analysis and Machine Intelligence 33(1), 2011.
//
// A query becomes a table of its products with all centroids of all parts, or of its absolute
// differences for manhattan, and an estimate is a sum of what a row's numbers find there. As in
// RaBitQ (rabitq_quantizer.h) the centroids x' of a row are stretched by s = |x|² / <x, x'>, so
// that what is left, e = x − s·x', lies at right angles to the row, and rows near the query are not
// estimated too far:
//
//   <q, x> ≈ s·<q, x'>, of deviation |e| · |part of q at right angles to x| / √dim; for euclid
//   |q|² + |x|² − 2·<q, x> of twice that; for manhattan, without s, |e|
//
// Parts are neither independent nor alike, so training keeps a fifth of its sample to measure what
// errors really are, in these deviations: their deviation, and for manhattan their mean, which
// estimates are corrected by.
//
// The code of a row: a byte for each part, then the eight bytes of rabitq_code.h, where the term is
// −|x|² and the error 16 · |e| / |x|.
#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "quantize/quantizer.h"
#include "quantize/rabitq_code.h"
#include "quantize/training.h"
#include "simd/kernels.h"

namespace asyncstore::quantize {

class ProductQuantizer final : public Quantizer {
 public:
  static constexpr uint32_t k_centroids = 256;  // of each part

  // Of the error in deviations as they are derived.
  struct Calibration {
    float mean = 0;  // manhattan
    float deviation = 1;
  };

  // `part_dim` elements to a byte, the last part having what is left of dim. `centroids` holds for
  // each part its k_centroids, one element of all of them behind the other: element j of centroid k
  // of the part that begins at element i is at (i + j) · k_centroids + k. `kernels` must outlive
  // the quantizer.
  ProductQuantizer(uint32_t dim, Metric metric, uint32_t part_dim, std::vector<float> centroids,
                   Calibration calibration, const simd::Kernels& kernels = simd::kernels());

  // As in factory.h.
  static std::shared_ptr<const Quantizer> train(uint32_t dim, Metric metric, uint32_t part_dim,
                                                const Training& training);
  static base::Result<std::shared_ptr<const Quantizer>> load(uint32_t dim, Metric metric,
                                                             uint32_t part_dim,
                                                             base::Bytes parameters);

  Kind kind() const override { return Kind::product; }
  uint32_t dim() const override { return dim_; }
  uint32_t code_bytes() const override { return parts_ + RabitqTerms::k_bytes; }

  void encode(const float* row, uint8_t* code) const override;
  std::unique_ptr<EncodedQuery> encode_query(const float* query) const override;
  void estimate(const EncodedQuery& query, const uint8_t* codes, size_t rows,
                float* similarities) const override;
  void estimate_rows(const EncodedQuery& query, const uint8_t* codes,
                     std::span<const uint32_t> rows, float* similarities) const override;
  // Keeps 256 floats per part and thread, and fills them anew for each call.
  void similarities(const uint8_t* codes, uint32_t row, std::span<const uint32_t> others,
                    float* similarities) const override;
  float deviation(const EncodedQuery& query, const uint8_t* code) const override;
  float deviation_at_most(const EncodedQuery& query, const uint8_t* code) const override;
  std::vector<std::byte> parameters() const override;

 private:
  class Query;

  uint32_t part_size(uint32_t part) const;
  const float* part_centroids(uint32_t part) const;
  void fill_tables(const float* query, float* tables) const;
  void decode(const uint8_t* code, float* row) const;
  static double residual(const RabitqTerms& terms);
  float deviation(double residual, double squared_across) const;
  float similarity_of(double sum, double residual, double squares) const;
  void estimate(const EncodedQuery& query, const simd::CodeRows& rows, size_t count,
                float* similarities) const;
  Calibration measure(std::span<const float> rows, uint64_t seed) const;

  uint32_t dim_;
  Metric metric_;
  uint32_t part_dim_;
  uint32_t parts_;
  std::vector<float> centroids_;
  Calibration calibration_;
  const simd::Kernels& kernels_;
};

}  // namespace asyncstore::quantize
