// What a graph is made by: how near rows are by their codes.
#pragma once

#include <cstdint>
#include <span>

#include "index/similarity.h"
#include "quantize/quantizer.h"

namespace asyncstore::segment {

// Refers to both; `codes` are those of row 0 and on.
class CodeSimilarity final : public index::RowSimilarity {
 public:
  CodeSimilarity(const quantize::Quantizer& quantizer, const uint8_t* codes)
      : quantizer_(quantizer), codes_(codes) {}

  void similarities(uint32_t row, std::span<const uint32_t> others, float* out) const override {
    quantizer_.similarities(codes_, row, others, out);
  }

 private:
  const quantize::Quantizer& quantizer_;
  const uint8_t* codes_;
};

}  // namespace asyncstore::segment
