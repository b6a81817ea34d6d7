// Binary codes: the sign of each element, and with more than one bit also which elements are small.
//
//   one_bit            1 bit an element, above zero or not; it stands for −1/2 or 1/2
//   two_bits           2 bits, above −t and above t; they stand for −1, 0 or 1, and t is 0.612
//   one_and_half_bits  2 bits, above −0.3 and above 1, but two neighbours share the second, which
//   is
//                      set where one of them is above; they stand for 5 and 2, less 11/3
//
// Thresholds are in root mean squares of the row, and made for normal elements. A row is
// s · v, v being what the bits stand for and s = |x|² / <x, v>, so that the estimate is right on
// average over the directions of a query, and its error is at right angles to the row. Queries keep
// 8 bits an element (default, scalar8bits), 4, or are coded like rows (binary).
//
// Elements are coded as they are: this fits embeddings of many dimensions around zero and not much
// else. RaBitQ takes as few bits and any data.
//
// The bits of the first kind stand in front, those of the second behind them, and together they are
// one row of the 1-bit kernel: a query is multiplied with them after itself, once more whole, or as
// sums of two neighbours. The Manhattan distance is that of normal differences with the squared
// Euclidean distance D: √(2·dim·D / π).
#pragma once

#include "quantize/integer_vector.h"
#include "quantize/quantizer.h"
#include "quantize/rabitq_code.h"
#include "simd/kernels.h"

namespace asyncstore::quantize {

class BinaryQuantizer final : public Quantizer {
 public:
  // `kernels` must outlive the quantizer.
  BinaryQuantizer(uint32_t dim, Metric metric, BinaryEncoding encoding,
                  QueryEncoding query_encoding, const simd::Kernels& kernels = simd::kernels());

  Kind kind() const override { return Kind::binary; }
  uint32_t dim() const override { return dim_; }
  uint32_t code_bytes() const override;

  // These keep a few bytes per dimension and calling thread.
  void encode(const float* row, uint8_t* code) const override;
  void similarities(const uint8_t* codes, uint32_t row, std::span<const uint32_t> others,
                    float* similarities) const override;

  std::unique_ptr<EncodedQuery> encode_query(const float* query) const override;
  void estimate(const EncodedQuery& query, const uint8_t* codes, size_t rows,
                float* similarities) const override;
  void estimate_rows(const EncodedQuery& query, const uint8_t* codes,
                     std::span<const uint32_t> rows, float* similarities) const override;
  float deviation(const EncodedQuery& query, const uint8_t* code) const override;
  float deviation_at_most(const EncodedQuery& query, const uint8_t* code) const override;
  std::vector<std::byte> parameters() const override { return {}; }

 private:
  class Query;
  struct Traits {
    float first_above, second_above;
    int first_weight, second_weight;
    double middle;  // an element stands for the weights of its bits, less this
    int unit;       // so many times that is a whole number
    double square;  // of what normal elements stand for, on average
  };
  static Traits traits_of(BinaryEncoding encoding);

  uint32_t extended_dim() const;
  uint32_t second_bit(uint32_t element) const;
  float root_mean_square(const float* row) const;
  void to_bits(const float* row, uint8_t* bits) const;
  int weight(const uint8_t* bits, uint32_t element) const;
  int8_t units(const uint8_t* bits, uint32_t element) const;
  template <class Element>
  void extend(std::vector<Element>& vector) const;
  IntegerVector binary_query(const float* query) const;
  void estimate(const EncodedQuery& query, const simd::CodeRows& rows, size_t count,
                float* similarities) const;
  double product(const Query& query, const uint8_t* code) const;
  double variance(const Query& query, const RabitqTerms& terms, double along) const;
  double of_squared_distance(double squared) const;

  uint32_t dim_;
  Metric metric_;
  BinaryEncoding encoding_;
  QueryEncoding query_encoding_;
  uint32_t packed_bytes_;
  Traits traits_;
  const simd::Kernels& kernels_;
};

}  // namespace asyncstore::quantize
