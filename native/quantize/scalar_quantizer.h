// Scalar quantization to one byte per element, with a range for each row.
//
//   x[i] ≈ offset + scale · code[i],  code[i] in 0..255
//
// Each row carries its own offset and scale, so there is nothing to train, rows are encoded as they
// come, and a row of another magnitude costs the others nothing. Measured as recall@10 after
// rescoring 10 candidates: one range for all rows at the quantile 0.99 gives 0.950, one full range
// 0.992, a range per row 0.996.
//
// Terms of a row: 0 the offset, 1 the scale, and for euclid alone 2 the squared norm of the row
// before it was quantized (infinite where float32 overflows).
#pragma once

#include "quantize/quantizer.h"
#include "simd/kernels.h"

namespace asyncstore::quantize {

class ScalarQuantizer final : public Quantizer {
 public:
  // `dim` is 1..k_dim_max. With `quantile` 1 the range of a row is its smallest to its largest
  // element, and no element is off by more than scale / 2. With less, in (0, 1), the range leaves
  // out the (1 - quantile) / 2 of the elements at either end, and these clip. `kernels` must
  // outlive the quantizer; tests give others than the fastest.
  ScalarQuantizer(uint32_t dim, Metric metric, float quantile,
                  const simd::Kernels& kernels = simd::kernels());

  Kind kind() const override { return Kind::scalar_int8; }
  uint32_t dim() const override { return dim_; }
  uint32_t code_bytes() const override { return dim_; }
  uint32_t term_count() const override { return metric_ == Metric::euclid ? 3 : 2; }

  // With a quantile below 1, keeps dim floats per calling thread for selecting it.
  void encode(const float* row, uint8_t* code, float* terms, size_t terms_stride) const override;
  std::unique_ptr<EncodedQuery> encode_query(const float* query) const override;
  void estimate(const EncodedQuery& query, const CodeBlock& block, size_t rows,
                float* similarities) const override;

 private:
  struct Range {
    float smallest;
    float largest;
  };
  Range range_of(const float* row) const;

  uint32_t dim_;
  Metric metric_;
  size_t clipped_;  // elements that the range leaves out at either end
  const simd::Kernels& kernels_;
};

std::unique_ptr<Quantizer> make_scalar_quantizer(uint32_t dim, Metric metric, float quantile);

}  // namespace asyncstore::quantize
