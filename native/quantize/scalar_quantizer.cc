#include "quantize/scalar_quantizer.h"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <limits>
#include <vector>

#include "base/assert.h"
#include "base/limits.h"
#include "quantize/to_float.h"

namespace asyncstore::quantize {
namespace {

constexpr double k_code_max = 255;
constexpr double k_query_code_max = 127;
constexpr double k_code_middle = k_code_max / 2;

// The query for dot and euclid, where query[i] is about scale · codes[i] with codes in -127..127;
// `exact` is the one for manhattan.
class ScalarQuery final : public EncodedQuery {
 public:
  std::vector<int8_t> codes;
  double scale = 0;
  double sum = 0;               // of the query itself, not of its codes
  double bias = 0;              // see estimate_dot
  double squared_norm = 0;      // of the query itself
  double squared_residual = 0;  // of what its codes leave of it
  std::vector<float> exact;
};

// Dot product of the query with offset + scale · code:
//
//   Σ q[i] · (offset + scale · code[i]) = offset · Σ q[i] + scale · Σ q[i] · code[i]
//
// The second sum has q[i] = q_scale · q_code[i] + e[i]. Codes lie around 127.5, so most of what the
// errors e add is 127.5 · Σ e[i], and that is known: it is the bias, and with it only the distance
// of each code from 127.5 is left to multiply an error.
double estimate_dot(const ScalarQuery& query, const ScalarQuantizer::Terms& row, int32_t code_sum) {
  return row.offset * query.sum + row.scale * (query.scale * code_sum + query.bias);
}

// As many of the terms as a metric needs, from the first on.
uint32_t term_bytes(Metric metric) {
  using Terms = ScalarQuantizer::Terms;
  switch (metric) {
    case Metric::dot:
      return offsetof(Terms, squared_norm);
    case Metric::euclid:
      return sizeof(Terms);
    case Metric::manhattan:
      break;
  }
  return offsetof(Terms, code_sum);
}

}  // namespace

ScalarQuantizer::ScalarQuantizer(uint32_t dim, Metric metric, float quantile,
                                 const simd::Kernels& kernels)
    : dim_(dim),
      metric_(metric),
      term_bytes_(term_bytes(metric)),
      kernels_(kernels),
      ones_(dim, 1) {
  ASSERT(dim >= 1 && dim <= base::k_dim_max);
  ASSERT(quantile > 0 && quantile <= 1);
  const double clipped = std::floor((1.0 - static_cast<double>(quantile)) / 2 * dim);
  clipped_ = std::min(static_cast<size_t>(clipped), size_t{(dim - 1) / 2});
}

ScalarQuantizer::Terms ScalarQuantizer::terms(const uint8_t* code) const {
  Terms terms{};
  std::memcpy(&terms, code + dim_, term_bytes_);
  return terms;
}

void ScalarQuantizer::encode(const float* row, uint8_t* code) const {
  const auto [smallest, largest] = range_of(row);
  const double range = static_cast<double>(largest) - smallest;  // may be above FLT_MAX
  Terms terms{};
  terms.offset = smallest;
  float inverse_scale = 0;
  if (range > 0) {
    // A scale below the normal numbers has lost digits and its inverse may be infinite; the
    // smallest normal one is fine enough for such a row.
    terms.scale = std::max(static_cast<float>(range / k_code_max), FLT_MIN);
    inverse_scale = 1 / terms.scale;
  }
  kernels_.encode_f32(row, dim_, smallest, inverse_scale, code);
  std::memcpy(code + dim_, &terms, 2 * sizeof(float));  // which the next kernel reads
  const simd::CodeRows rows{code, code_bytes()};
  float squared_residual = 0;
  kernels_.l2_codes(row, rows, dim_, 1, &squared_residual);
  // Where the squares leave the range of float32, a uniform error of a step stands for them.
  terms.residual = squared_residual >= FLT_MIN && squared_residual <= FLT_MAX
                       ? std::sqrt(squared_residual)
                       : to_float(terms.scale * std::sqrt(dim_ / 12.0));
  if (metric_ != Metric::manhattan) {
    int32_t code_sum = 0;
    kernels_.dot_codes(ones_.data(), rows, dim_, 1, &code_sum);
    terms.code_sum = static_cast<uint32_t>(code_sum);
  }
  if (metric_ == Metric::euclid) {
    terms.squared_norm = kernels_.dot_f32(row, row, dim_);
  }
  std::memcpy(code + dim_, &terms, term_bytes_);
}

ScalarQuantizer::Range ScalarQuantizer::range_of(const float* row) const {
  Range range{};
  if (clipped_ == 0) {
    kernels_.min_max_f32(row, dim_, &range.smallest, &range.largest);
    return range;
  }
  // The elements of these ranks themselves, not interpolated between neighbours: a range is only a
  // choice, and an element of the row is one that codes represent well.
  thread_local std::vector<float> scratch;
  scratch.assign(row, row + dim_);
  const auto low = scratch.begin() + static_cast<ptrdiff_t>(clipped_);
  const auto high = scratch.end() - 1 - static_cast<ptrdiff_t>(clipped_);
  // Zeros of either sign are equal, and which is found depends on the library; + 0 makes both +0.
  std::nth_element(scratch.begin(), low, scratch.end());
  range.smallest = *low + 0.0F;
  std::nth_element(low, high, scratch.end());  // moves *low
  range.largest = *high + 0.0F;
  return range;
}

std::unique_ptr<EncodedQuery> ScalarQuantizer::encode_query(const float* query) const {
  auto encoded = std::make_unique<ScalarQuery>();
  if (metric_ == Metric::manhattan) {
    encoded->exact.assign(query, query + dim_);
    return encoded;
  }
  double largest = 0;
  for (uint32_t i = 0; i < dim_; ++i) {
    const double element = query[i];
    largest = std::max(largest, std::fabs(element));
    encoded->sum += element;
    encoded->squared_norm += element * element;
  }
  encoded->codes.resize(dim_);
  encoded->scale = largest / k_query_code_max;
  if (largest > 0) {
    int64_t code_sum = 0;
    for (uint32_t i = 0; i < dim_; ++i) {
      // |query[i] / largest| is at most 1, also after rounding, so this is within ±127.
      const double code = std::nearbyint(query[i] / largest * k_query_code_max);
      const double left = query[i] - encoded->scale * code;
      encoded->codes[i] = static_cast<int8_t>(code);
      encoded->squared_residual += left * left;
      code_sum += encoded->codes[i];
    }
    encoded->bias = k_code_middle * (encoded->sum - encoded->scale * static_cast<double>(code_sum));
  }
  return encoded;
}

void ScalarQuantizer::estimate(const EncodedQuery& query, const uint8_t* codes, size_t rows,
                               float* similarities) const {
  estimate(query, simd::CodeRows{codes, code_bytes()}, rows, similarities);
}

void ScalarQuantizer::estimate_rows(const EncodedQuery& query, const uint8_t* codes,
                                    std::span<const uint32_t> rows, float* similarities) const {
  estimate(query, simd::CodeRows{codes, code_bytes(), rows.data()}, rows.size(), similarities);
}

void ScalarQuantizer::estimate(const EncodedQuery& query, const simd::CodeRows& rows, size_t count,
                               float* similarities) const {
  ASSERT(count <= k_estimate_rows_max);
  const auto& scalar_query = static_cast<const ScalarQuery&>(query);
  if (metric_ == Metric::manhattan) {
    ASSERT(scalar_query.exact.size() == dim_);
    kernels_.l1_codes(scalar_query.exact.data(), rows, dim_, count, similarities);
    for (size_t row = 0; row < count; ++row) {
      similarities[row] = -similarities[row];
    }
    return;
  }
  ASSERT(scalar_query.codes.size() == dim_);
  int32_t code_sums[k_estimate_rows_max];
  kernels_.dot_codes(scalar_query.codes.data(), rows, dim_, count, code_sums);
  for (size_t row = 0; row < count; ++row) {
    const Terms found = terms(rows.row(row));
    const double dot = estimate_dot(scalar_query, found, code_sums[row]);
    // |x - q|² with the estimate in place of the dot product, whose error can make it negative.
    similarities[row] =
        metric_ == Metric::dot
            ? to_float(dot)
            : to_float(std::min(2 * dot - found.squared_norm - scalar_query.squared_norm, 0.0));
  }
}

void ScalarQuantizer::similarities(const uint8_t* codes, uint32_t row,
                                   std::span<const uint32_t> others, float* similarities) const {
  ASSERT(others.size() <= k_estimate_rows_max);
  const simd::CodeRows rows{codes, code_bytes(), others.data()};
  const uint8_t* code = codes + size_t{row} * code_bytes();
  if (metric_ == Metric::manhattan) {
    kernels_.l1_code_pairs(code, rows, dim_, others.size(), similarities);
    for (size_t i = 0; i < others.size(); ++i) {
      // Elements of both rows that overflow as decoded have no difference.
      similarities[i] =
          std::isnan(similarities[i]) ? -std::numeric_limits<float>::infinity() : -similarities[i];
    }
    return;
  }
  int32_t code_sums[k_estimate_rows_max];
  kernels_.dot_code_pairs(code, rows, dim_, others.size(), code_sums);
  const Terms a = terms(code);
  for (size_t i = 0; i < others.size(); ++i) {
    const Terms b = terms(rows.row(i));
    // Σ (a.offset + a.scale · code[i]) · (b.offset + b.scale · other[i]), and the kernel took 128
    // from each code[i].
    const double products = code_sums[i] + 128.0 * b.code_sum;
    const double dot = static_cast<double>(a.offset) * b.offset * dim_ +
                       static_cast<double>(a.offset) * b.scale * b.code_sum +
                       static_cast<double>(b.offset) * a.scale * a.code_sum +
                       static_cast<double>(a.scale) * b.scale * products;
    similarities[i] = metric_ == Metric::dot
                          ? to_float(dot)
                          : to_float(std::min(2 * dot - a.squared_norm - b.squared_norm, 0.0));
  }
}

float ScalarQuantizer::deviation(const EncodedQuery& query, const uint8_t* code) const {
  const Terms found = terms(code);
  if (metric_ == Metric::manhattan) {
    return found.residual;
  }
  int32_t products = 0;  // Σ (code[i] − 128) · code[i]
  kernels_.dot_code_pairs(code, simd::CodeRows{code, code_bytes()}, dim_, 1, &products);
  // Σ (code[i] − 127.5)² = Σ (code[i] − 128) · code[i] − 127 · Σ code[i] + 127.5² · dim
  return deviation(query, found,
                   products - 127.0 * found.code_sum + k_code_middle * k_code_middle * dim_);
}

// As if all codes were the outermost: some twice as much, without a look at them.
float ScalarQuantizer::deviation_at_most(const EncodedQuery& query, const uint8_t* code) const {
  const Terms found = terms(code);
  return metric_ == Metric::manhattan
             ? found.residual
             : deviation(query, found, k_code_middle * k_code_middle * dim_);
}

// The row's error is its residual, of known length and of no known direction: times the query it
// has a standard deviation of |residual| · |query| / √dim. So has the query's error times what the
// codes are away from their middle, whose squares add up to `spread`. Of absolute differences each
// takes an element of the residual with one sign or the other, which makes |residual|.
float ScalarQuantizer::deviation(const EncodedQuery& query, const Terms& terms,
                                 double spread) const {
  const auto& scalar_query = static_cast<const ScalarQuery&>(query);
  const double of_row = scalar_query.squared_norm * terms.residual * terms.residual;
  const double of_query = scalar_query.squared_residual * terms.scale * terms.scale * spread;
  const double deviation = std::sqrt((of_row + of_query) / dim_);
  return to_float(metric_ == Metric::dot ? deviation : 2 * deviation);
}

}  // namespace asyncstore::quantize
