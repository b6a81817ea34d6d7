#include "quantize/binary_quantizer.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "base/assert.h"
#include "base/limits.h"
#include "quantize/rabitq_code.h"
#include "quantize/to_float.h"

namespace asyncstore::quantize {
namespace {

constexpr double k_across_min = 0.05;  // as in rabitq_quantizer.cc

int integer_max(QueryEncoding encoding) {
  return encoding == QueryEncoding::scalar4bits ? 7 : 127;
}

}  // namespace

BinaryQuantizer::Traits BinaryQuantizer::traits_of(BinaryEncoding encoding) {
  switch (encoding) {
    case BinaryEncoding::one_bit:
      return {.first_above = 0,
              .second_above = 0,
              .first_weight = 1,
              .second_weight = 0,
              .middle = 0.5,
              .unit = 2,
              .square = 0.25};
    case BinaryEncoding::one_and_half_bits:
      // By least squares on normal elements, rounded: this keeps 0.69 of the square, where one bit
      // keeps 0.64 and two keep 0.81.
      return {.first_above = -0.3F,
              .second_above = 1,
              .first_weight = 5,
              .second_weight = 2,
              .middle = 11 / 3.0,
              .unit = 3,
              .square = 7.8};
    case BinaryEncoding::two_bits:
      break;
  }
  // The quantizer of three values that Lloyd and Max found for normal elements.
  return {.first_above = -0.612F,
          .second_above = 0.612F,
          .first_weight = 1,
          .second_weight = 1,
          .middle = 1,
          .unit = 1,
          .square = 0.54};
}

class BinaryQuantizer::Query final : public EncodedQuery {
 public:
  IntegerVector integers;  // extended
  double sum = 0;          // of what the integers of the query itself stand for
  double squared_norm = 0;
  bool known = true;  // false where float32 overflowed
};

BinaryQuantizer::BinaryQuantizer(uint32_t dim, Metric metric, BinaryEncoding encoding,
                                 QueryEncoding query_encoding, const simd::Kernels& kernels)
    : dim_(dim),
      metric_(metric),
      encoding_(encoding),
      query_encoding_(query_encoding),
      packed_bytes_(packed_bytes(extended_dim(), 1)),
      traits_(traits_of(encoding)),
      kernels_(kernels) {
  ASSERT(dim >= 1 && dim <= base::k_dim_max);
}

uint32_t BinaryQuantizer::extended_dim() const {
  switch (encoding_) {
    case BinaryEncoding::one_bit:
      return dim_;
    case BinaryEncoding::one_and_half_bits:
      return dim_ + (dim_ + 1) / 2;
    case BinaryEncoding::two_bits:
      break;
  }
  return 2 * dim_;
}

uint32_t BinaryQuantizer::code_bytes() const {
  return packed_bytes_ + RabitqTerms::k_bytes;
}

uint32_t BinaryQuantizer::second_bit(uint32_t element) const {
  return dim_ + (encoding_ == BinaryEncoding::two_bits ? element : element / 2);
}

// One bit to a byte, extended_dim() of them.
void BinaryQuantizer::to_bits(const float* row, uint8_t* bits) const {
  const float unit = root_mean_square(row);
  const float first = traits_.first_above * unit;
  const float second = traits_.second_above * unit;
  std::fill(bits + dim_, bits + extended_dim(), uint8_t{0});
  for (uint32_t i = 0; i < dim_; ++i) {
    bits[i] = row[i] > first ? 1 : 0;
    if (traits_.second_weight != 0) {
      bits[second_bit(i)] |= row[i] > second ? 1 : 0;
    }
  }
}

float BinaryQuantizer::root_mean_square(const float* row) const {
  double squared = 0;
  for (uint32_t i = 0; i < dim_; ++i) {
    squared += static_cast<double>(row[i]) * row[i];
  }
  return static_cast<float>(std::sqrt(squared / dim_));
}

// What the bits of an element count, from 0 up.
int BinaryQuantizer::weight(const uint8_t* bits, uint32_t element) const {
  const int first = traits_.first_weight * bits[element];
  return traits_.second_weight == 0 ? first
                                    : first + traits_.second_weight * bits[second_bit(element)];
}

int8_t BinaryQuantizer::units(const uint8_t* bits, uint32_t element) const {
  return static_cast<int8_t>(std::lround(traits_.unit * (weight(bits, element) - traits_.middle)));
}

// What each bit is multiplied with to multiply the row with the vector.
template <class Element>
void BinaryQuantizer::extend(std::vector<Element>& vector) const {
  vector.resize(extended_dim());
  for (uint32_t i = 0; i < dim_; ++i) {
    const Element element = vector[i];
    vector[i] = static_cast<Element>(static_cast<Element>(traits_.first_weight) * element);
    if (traits_.second_weight != 0) {
      Element& second = vector[second_bit(i)];
      second = static_cast<Element>(second + static_cast<Element>(traits_.second_weight) * element);
    }
  }
}

void BinaryQuantizer::encode(const float* row, uint8_t* code) const {
  thread_local std::vector<uint8_t> bits;
  bits.resize(extended_dim());
  to_bits(row, bits.data());
  double product = 0;
  double coded = 0;
  double squared = 0;
  for (uint32_t i = 0; i < dim_; ++i) {
    const double value = weight(bits.data(), i) - traits_.middle;
    product += value * row[i];
    coded += value * value;
    squared += static_cast<double>(row[i]) * row[i];
  }
  const auto finite = [](double value) {
    return RabitqTerms::rounded(static_cast<float>(std::clamp(value, -1e38, 1e38)));
  };
  RabitqTerms terms;
  terms.factor = product > 0 ? finite(squared / product) : 0;
  terms.term = metric_ == Metric::dot ? 0 : finite(-squared);
  if (squared > 1e38) {
    terms.error = std::numeric_limits<float>::infinity();
  } else if (terms.factor > 0) {
    // |x − s·v|² = |x|² − 2s·<x, v> + s²·|v|², in units of s²·dim
    const double factor = terms.factor;
    const double error = squared / (factor * factor) - 2 * product / factor + coded;
    terms.error = static_cast<float>(std::sqrt(std::max(error, 0.0) / dim_));
  }
  pack(bits, 1, code);
  terms.write(code + packed_bytes_);
}

IntegerVector BinaryQuantizer::binary_query(const float* query) const {
  std::vector<uint8_t> bits(extended_dim());
  to_bits(query, bits.data());
  std::vector<int8_t> integers(dim_);
  double product = 0;
  double squared = 0;
  double coded = 0;
  IntegerVector rounded;
  for (uint32_t i = 0; i < dim_; ++i) {
    integers[i] = units(bits.data(), i);
    product += static_cast<double>(query[i]) * integers[i];
    squared += static_cast<double>(query[i]) * query[i];
    coded += integers[i] * integers[i];
  }
  rounded.step = product > 0 ? squared / product : 0;
  rounded.squared_residual =
      std::max(squared - 2 * rounded.step * product + rounded.step * rounded.step * coded, 0.0);
  extend(integers);
  rounded.integers = std::move(integers);
  return rounded;
}

std::unique_ptr<EncodedQuery> BinaryQuantizer::encode_query(const float* query) const {
  auto encoded = std::make_unique<Query>();
  for (uint32_t i = 0; i < dim_; ++i) {
    encoded->squared_norm += static_cast<double>(query[i]) * query[i];
  }
  std::vector<float> both(query, query + dim_);
  extend(both);
  encoded->known = kernels_.all_finite(both.data(), both.size());
  if (query_encoding_ == QueryEncoding::binary) {
    encoded->integers = binary_query(query);
  } else if (encoded->known) {
    encoded->integers = to_integers(both, integer_max(query_encoding_), both.size());
    encoded->integers.squared_residual /= traits_.first_weight * traits_.first_weight;
  }
  encoded->integers.integers.resize(size_t{packed_bytes_} * 8);
  for (uint32_t i = 0; i < dim_; ++i) {
    encoded->sum += encoded->integers.step * encoded->integers.integers[i] / traits_.first_weight;
  }
  return encoded;
}

void BinaryQuantizer::estimate(const EncodedQuery& query, const uint8_t* codes, size_t rows,
                               float* similarities) const {
  estimate(query, simd::CodeRows{codes, code_bytes()}, rows, similarities);
}

void BinaryQuantizer::estimate_rows(const EncodedQuery& query, const uint8_t* codes,
                                    std::span<const uint32_t> rows, float* similarities) const {
  estimate(query, simd::CodeRows{codes, code_bytes(), rows.data()}, rows.size(), similarities);
}

void BinaryQuantizer::estimate(const EncodedQuery& query, const simd::CodeRows& rows, size_t count,
                               float* similarities) const {
  ASSERT(count <= k_estimate_rows_max);
  const auto& encoded = static_cast<const Query&>(query);
  int32_t sums[k_estimate_rows_max];
  kernels_.dot_1bit(encoded.integers.integers.data(), rows, packed_bytes_, count, sums);
  for (size_t row = 0; row < count; ++row) {
    const auto terms = RabitqTerms::read(rows.row(row) + packed_bytes_);
    const double dot =
        terms.factor * (encoded.integers.step * sums[row] - traits_.middle * encoded.sum);
    similarities[row] = to_float(
        metric_ == Metric::dot
            ? dot
            : of_squared_distance(std::max(encoded.squared_norm - terms.term - 2 * dot, 0.0)));
  }
}

// The similarity for a squared Euclidean distance.
double BinaryQuantizer::of_squared_distance(double squared) const {
  return metric_ == Metric::euclid ? -squared
                                   : -std::sqrt(2 * dim_ * squared * std::numbers::inv_pi);
}

void BinaryQuantizer::similarities(const uint8_t* codes, uint32_t row,
                                   std::span<const uint32_t> others, float* similarities) const {
  ASSERT(others.size() <= k_estimate_rows_max);
  thread_local std::vector<uint8_t> bits;
  thread_local std::vector<int8_t> integers;
  const uint8_t* code = codes + size_t{row} * code_bytes();
  bits.resize(size_t{packed_bytes_} * 8);
  unpack(code, 1, bits);
  integers.resize(dim_);
  int32_t integer_sum = 0;
  for (uint32_t i = 0; i < dim_; ++i) {
    integers[i] = units(bits.data(), i);
    integer_sum += integers[i];
  }
  extend(integers);
  integers.resize(bits.size(), 0);
  const simd::CodeRows rows{codes, code_bytes(), others.data()};
  int32_t sums[k_estimate_rows_max];
  kernels_.dot_1bit(integers.data(), rows, packed_bytes_, others.size(), sums);
  const auto a = RabitqTerms::read(code + packed_bytes_);
  for (size_t i = 0; i < others.size(); ++i) {
    const auto b = RabitqTerms::read(rows.row(i) + packed_bytes_);
    const double dot = static_cast<double>(a.factor) * b.factor *
                       (sums[i] - traits_.middle * integer_sum) / traits_.unit;
    similarities[i] = to_float(
        metric_ == Metric::dot
            ? dot
            : of_squared_distance(std::max(-static_cast<double>(a.term) - b.term - 2 * dot, 0.0)));
  }
}

// <q, s·v>
double BinaryQuantizer::product(const Query& query, const uint8_t* code) const {
  int32_t sum = 0;
  kernels_.dot_1bit(query.integers.integers.data(), simd::CodeRows{code, code_bytes()},
                    packed_bytes_, 1, &sum);
  return RabitqTerms::read(code + packed_bytes_).factor *
         (query.integers.step * sum - traits_.middle * query.sum);
}

float BinaryQuantizer::deviation(const EncodedQuery& query, const uint8_t* code) const {
  const auto& encoded = static_cast<const Query&>(query);
  const auto terms = RabitqTerms::read(code + packed_bytes_);
  if (!encoded.known || std::isinf(terms.error)) {
    return std::numeric_limits<float>::infinity();
  }
  const double along = product(encoded, code);
  const double variance = this->variance(encoded, terms, along);
  if (metric_ != Metric::manhattan) {
    return to_float((metric_ == Metric::dot ? 1 : 2) * std::sqrt(variance));
  }
  // √(2·dim·D / π) has the slope √(dim / (2π·D)), and given D the sum of normal absolute
  // differences varies by D · (1 − 3/π) itself.
  const double squared =
      std::max(encoded.squared_norm - terms.term - 2 * along, 2 * std::sqrt(variance));
  const double of_distance =
      squared > 0 ? 4 * variance * dim_ * std::numbers::inv_pi / 2 / squared : 0;
  return to_float(std::sqrt(of_distance + squared * (1 - 3 * std::numbers::inv_pi)));
}

// As if nothing of the query lay along the row.
float BinaryQuantizer::deviation_at_most(const EncodedQuery& query, const uint8_t* code) const {
  const auto& encoded = static_cast<const Query&>(query);
  const auto terms = RabitqTerms::read(code + packed_bytes_);
  if (metric_ == Metric::manhattan || !encoded.known || std::isinf(terms.error)) {
    return deviation(query, code);
  }
  return to_float((metric_ == Metric::dot ? 1 : 2) * std::sqrt(variance(encoded, terms, 0)));
}

// Of the estimate's product, where `along` is that of the query and the coded row.
double BinaryQuantizer::variance(const Query& query, const RabitqTerms& terms, double along) const {
  const double dim = dim_;
  const double squared_factor = static_cast<double>(terms.factor) * terms.factor;
  const double squared_coded = squared_factor * dim * traits_.square;
  const double squared_error = squared_factor * dim * terms.error * terms.error;
  const double squared_row = std::max(squared_coded - squared_error, 0.0);
  const double squared_along = squared_row > 0 ? along * along / squared_row : 0;
  const double squared_across =
      std::max(query.squared_norm - squared_along, k_across_min * query.squared_norm);
  return squared_error * squared_across / std::max(dim - 1, 1.0) +
         query.integers.squared_residual * squared_coded / dim;
}

}  // namespace asyncstore::quantize
