#include "quantize/scalar_quantizer.h"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <limits>
#include <vector>

#include "base/assert.h"
#include "base/limits.h"

namespace asyncstore::quantize {
namespace {

constexpr uint32_t k_offset_term = 0;
constexpr uint32_t k_scale_term = 1;
constexpr uint32_t k_squared_norm_term = 2;

constexpr double k_code_max = 255;
constexpr double k_query_code_max = 127;
constexpr double k_code_middle = k_code_max / 2;

// Sums and products of float32 of any magnitude are finite in double: with up to 2^16 elements
// below 2^128 a squared norm is below 2^272. Only here, at the end, may a value leave the range.
float to_float(double value) {
  if (std::fabs(value) > FLT_MAX) {
    return value > 0 ? std::numeric_limits<float>::infinity()
                     : -std::numeric_limits<float>::infinity();
  }
  return static_cast<float>(value);
}

// The query for dot and euclid in the first three, for manhattan in the last: query[i] is about
// scale · codes[i] with codes in -127..127.
class ScalarQuery final : public EncodedQuery {
 public:
  std::vector<int8_t> codes;
  double scale = 0;
  double sum = 0;           // of the query itself, not of its codes
  double bias = 0;          // see estimate_dot
  double squared_norm = 0;  // of the query itself
  std::vector<float> exact;
};

// Dot product of the query with offset + scale · code:
//
//   Σ q[i] · (offset + scale · code[i]) = offset · Σ q[i] + scale · Σ q[i] · code[i]
//
// The second sum has q[i] = q_scale · q_code[i] + e[i]. Codes lie around 127.5, so most of what the
// errors e add is 127.5 · Σ e[i], and that is known: it is the bias, and with it only the distance
// of each code from 127.5 is left to multiply an error.
double estimate_dot(const ScalarQuery& query, float offset, float scale, int32_t code_sum) {
  return offset * query.sum + scale * (query.scale * code_sum + query.bias);
}

// Starts the reads of the terms before those of the codes, which take longer than they do: without
// it a scan waits for the first of them after every block.
void prefetch_terms(const CodeBlock& block, uint32_t term_count, size_t rows) {
  constexpr size_t k_floats_per_line = 64 / sizeof(float);
  for (uint32_t term = 0; term < term_count; ++term) {
    for (size_t row = 0; row < rows; row += k_floats_per_line) {
      __builtin_prefetch(block.terms + term * block.terms_stride + row);
    }
  }
}

}  // namespace

ScalarQuantizer::ScalarQuantizer(uint32_t dim, Metric metric, float quantile,
                                 const simd::Kernels& kernels)
    : dim_(dim), metric_(metric), kernels_(kernels) {
  ASSERT(dim >= 1 && dim <= base::k_dim_max);
  ASSERT(quantile > 0 && quantile <= 1);
  const double clipped = std::floor((1.0 - static_cast<double>(quantile)) / 2 * dim);
  clipped_ = std::min(static_cast<size_t>(clipped), size_t{(dim - 1) / 2});
}

void ScalarQuantizer::encode(const float* row, uint8_t* code, float* terms,
                             size_t terms_stride) const {
  const auto [smallest, largest] = range_of(row);
  const double range = static_cast<double>(largest) - smallest;  // may be above FLT_MAX
  float scale = 0;
  float inverse_scale = 0;
  if (range > 0) {
    // A scale below the normal numbers has lost digits and its inverse may be infinite; the
    // smallest normal one is fine enough for such a row.
    scale = std::max(static_cast<float>(range / k_code_max), FLT_MIN);
    inverse_scale = 1 / scale;
  }
  kernels_.encode_f32(row, dim_, smallest, inverse_scale, code);
  terms[k_offset_term * terms_stride] = smallest;
  terms[k_scale_term * terms_stride] = scale;
  if (metric_ == Metric::euclid) {
    terms[k_squared_norm_term * terms_stride] = kernels_.dot_f32(row, row, dim_);
  }
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
      encoded->codes[i] = static_cast<int8_t>(code);
      code_sum += encoded->codes[i];
    }
    encoded->bias = k_code_middle * (encoded->sum - encoded->scale * static_cast<double>(code_sum));
  }
  return encoded;
}

void ScalarQuantizer::estimate(const EncodedQuery& query, const CodeBlock& block, size_t rows,
                               float* similarities) const {
  ASSERT(rows <= k_estimate_rows_max);
  prefetch_terms(block, term_count(), rows);
  const auto& scalar_query = static_cast<const ScalarQuery&>(query);
  const float* offsets = block.terms + k_offset_term * block.terms_stride;
  const float* scales = block.terms + k_scale_term * block.terms_stride;
  if (metric_ == Metric::manhattan) {
    ASSERT(scalar_query.exact.size() == dim_);
    kernels_.l1_codes(scalar_query.exact.data(), block.codes, offsets, scales, dim_, rows,
                      similarities);
    for (size_t row = 0; row < rows; ++row) {
      similarities[row] = -similarities[row];
    }
    return;
  }
  ASSERT(scalar_query.codes.size() == dim_);
  int32_t code_sums[k_estimate_rows_max];
  kernels_.dot_codes(scalar_query.codes.data(), block.codes, dim_, rows, code_sums);
  if (metric_ == Metric::dot) {
    for (size_t row = 0; row < rows; ++row) {
      similarities[row] =
          to_float(estimate_dot(scalar_query, offsets[row], scales[row], code_sums[row]));
    }
    return;
  }
  const float* squared_norms = block.terms + k_squared_norm_term * block.terms_stride;
  for (size_t row = 0; row < rows; ++row) {
    const double dot = estimate_dot(scalar_query, offsets[row], scales[row], code_sums[row]);
    // |x - q|² with the estimate in place of the dot product, whose error can make it negative.
    const double squared = squared_norms[row] + scalar_query.squared_norm - 2 * dot;
    similarities[row] = to_float(std::min(-squared, 0.0));
  }
}

std::unique_ptr<Quantizer> make_scalar_quantizer(uint32_t dim, Metric metric, float quantile) {
  return std::make_unique<ScalarQuantizer>(dim, metric, quantile);
}

}  // namespace asyncstore::quantize
