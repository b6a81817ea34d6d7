// Scalar quantization to one byte per element, with a range for each row.
//
//   x[i] ≈ offset + scale · code[i],  code[i] in 0..255
//
// Each row carries its own offset and scale, so there is nothing to train, rows are encoded as they
// come, and a row of another magnitude costs the others nothing. Measured as recall@10 after
// rescoring 10 candidates: one range for all rows at the quantile 0.99 gives 0.950, one full range
// 0.992, a range per row 0.996.
//
// The code of a row: dim bytes, then of the Terms below as many as the metric needs.
#pragma once

#include "quantize/quantizer.h"
#include "simd/kernels.h"

namespace asyncstore::quantize {

class ScalarQuantizer final : public Quantizer {
 public:
  // What is known of a row beside its elements.
  struct Terms {
    float offset;
    float scale;
    float residual;      // length of what the code leaves of the row
    uint32_t code_sum;   // dot and euclid
    float squared_norm;  // euclid: of the row itself; infinite where float32 overflows
  };
  static_assert(sizeof(Terms) == 20);

  // `dim` is 1..k_dim_max. With `quantile` 1 the range of a row is its smallest to its largest
  // element, and no element is off by more than scale / 2. With less, in (0, 1), the range leaves
  // out the (1 - quantile) / 2 of the elements at either end, and these clip. `kernels` must
  // outlive the quantizer; tests give others than the fastest.
  ScalarQuantizer(uint32_t dim, Metric metric, float quantile,
                  const simd::Kernels& kernels = simd::kernels());

  Kind kind() const override { return Kind::scalar_int8; }
  uint32_t dim() const override { return dim_; }
  uint32_t code_bytes() const override { return dim_ + term_bytes_; }

  // With a quantile below 1, keeps dim floats per calling thread for selecting it.
  void encode(const float* row, uint8_t* code) const override;
  std::unique_ptr<EncodedQuery> encode_query(const float* query) const override;
  void estimate(const EncodedQuery& query, const uint8_t* codes, size_t rows,
                float* similarities) const override;
  void estimate_rows(const EncodedQuery& query, const uint8_t* codes,
                     std::span<const uint32_t> rows, float* similarities) const override;
  void similarities(const uint8_t* codes, uint32_t row, std::span<const uint32_t> others,
                    float* similarities) const override;
  float deviation(const EncodedQuery& query, const uint8_t* code) const override;
  float deviation_at_most(const EncodedQuery& query, const uint8_t* code) const override;
  std::vector<std::byte> parameters() const override { return {}; }

  Terms terms(const uint8_t* code) const;

 private:
  struct Range {
    float smallest;
    float largest;
  };
  Range range_of(const float* row) const;
  float deviation(const EncodedQuery& query, const Terms& terms, double spread) const;
  void estimate(const EncodedQuery& query, const simd::CodeRows& rows, size_t count,
                float* similarities) const;

  uint32_t dim_;
  Metric metric_;
  uint32_t term_bytes_;
  size_t clipped_;  // elements that the range leaves out at either end
  const simd::Kernels& kernels_;
  std::vector<int8_t> ones_;  // dim of them: a dot product with them is the sum of the codes
};

}  // namespace asyncstore::quantize
