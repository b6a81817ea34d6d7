#include "quantize/rabitq_quantizer.h"

#include <algorithm>
#include <atomic>
#include <cfloat>
#include <cmath>
#include <limits>

#include "base/assert.h"
#include "base/limits.h"
#include "quantize/kmeans.h"
#include "quantize/rabitq_grid.h"
#include "quantize/to_float.h"

namespace asyncstore::quantize {

namespace {

constexpr int k_query_integer_max = 127;
constexpr double k_across_min = 0.05;

float finite_float(double value) {
  return static_cast<float>(std::clamp(value, -double{FLT_MAX}, double{FLT_MAX}));
}

// Of the integers of a code.
struct Moments {
  uint32_t sum = 0;
  uint32_t squares = 0;  // at most 65,536 · 255², below 2^32
};

template <unsigned bits>
Moments moments_of(const uint8_t* code, uint32_t packed_bytes) {
  Moments moments;
  for (uint32_t i = 0; i < packed_bytes; ++i) {
    for (unsigned field = 0; field < 8 / bits; ++field) {
      const uint32_t element = code[i] >> (field * bits) & ((1U << bits) - 1);
      moments.sum += element;
      moments.squares += element * element;
    }
  }
  return moments;
}

// How many times the product of query and residual an estimate has.
double product_weight(Metric metric) {
  return metric == Metric::euclid ? 2 : 1;
}

}  // namespace

class RabitqQuantizer::Query final : public EncodedQuery {
 public:
  IntegerVector rounded;
  bool known = true;  // false where float32 overflowed
  std::vector<float> rotated;
  float squared_norm = 0;
  // <q, c> or −|q − c|², NaN until it is asked for: a walk meets the rows of few centroids, and all
  // of them are more than the caches keep. Threads that find out the same write the same.
  mutable std::vector<std::atomic<float>> of_centroids;
};

RabitqQuantizer::RabitqQuantizer(uint32_t dim, Metric metric, unsigned bits, uint64_t seed,
                                 std::vector<float> centroids, const simd::Kernels& kernels)
    : dim_(dim),
      metric_(metric),
      bits_(bits),
      seed_(seed),
      packed_bytes_(quantize::packed_bytes(dim, bits)),
      middle_(((1U << bits) - 1) / 2.0),
      trained_(!centroids.empty()),
      kernels_(kernels),
      rotation_(dim, seed, kernels),
      centroids_(std::move(centroids)) {
  ASSERT(dim >= 1 && dim <= base::k_dim_max);
  if (bits == 8) {
    ones_.assign(dim, 1);
  }
  ASSERT(metric != Metric::manhattan && (bits == 1 || bits == 2 || bits == 4 || bits == 8));
  if (!trained_) {
    centroids_.assign(dim, 0.0F);
  }
  const size_t count = centroids_.size() / dim;
  ASSERT(centroids_.size() % dim == 0 && count <= k_centroids_max);
  between_centroids_.reserve(count * count);
  for (size_t k = 0; k < count; ++k) {
    rounded_centroids_.push_back(round(centroid(k)));
    for (size_t other = 0; other < count; ++other) {
      between_centroids_.push_back(metric == Metric::dot
                                       ? kernels.dot_f32(centroid(k), centroid(other), dim)
                                       : -kernels.l2_f32(centroid(k), centroid(other), dim));
    }
  }
}

IntegerVector RabitqQuantizer::round(const float* vector) const {
  return to_integers({vector, dim_}, k_query_integer_max, size_t{packed_bytes_} * 8 / bits_);
}

void RabitqQuantizer::encode(const float* row, uint8_t* code) const {
  thread_local std::vector<float> kept_rotated;
  thread_local std::vector<uint8_t> kept_integers;
  // Finding a thread's own takes time.
  std::vector<float>& rotated = kept_rotated;
  std::vector<uint8_t>& integers = kept_integers;
  rotated.resize(dim_);
  integers.assign(dim_, 0);
  rotation_.apply(row, rotated.data());
  RabitqTerms terms;
  if (!kernels_.all_finite(rotated.data(), dim_)) {
    // Beyond float32: the centroid stands for the row, and nothing is said of the error.
    terms.error = std::numeric_limits<float>::infinity();
    pack(integers, bits_, code);
    terms.write(code + packed_bytes_);
    return;
  }
  terms.centroid =
      static_cast<uint8_t>(nearest_centroid(rotated.data(), centroids_, dim_, kernels_));
  const float* nearest = centroid(terms.centroid);
  for (uint32_t i = 0; i < dim_; ++i) {
    rotated[i] -= nearest[i];  // the residual
  }
  terms.factor = RabitqTerms::rounded(finite_float(fit_grid(rotated, bits_, integers.data())));
  double squared_error = 0;
  double of_centroid = 0;  // <c, r − s·v>
  double squared = 0;      // |r|² + 2s·<c, v>
  for (uint32_t i = 0; i < dim_; ++i) {
    const double coded = terms.factor * (integers[i] - middle_);
    const double error = rotated[i] - coded;
    squared_error += error * error;
    of_centroid += error * nearest[i];
    squared += static_cast<double>(rotated[i]) * rotated[i] + 2 * coded * nearest[i];
  }
  terms.term = RabitqTerms::rounded(finite_float(metric_ == Metric::dot ? of_centroid : -squared));
  const double unit = terms.factor * std::sqrt(static_cast<double>(dim_));
  terms.error = unit > 0 ? finite_float(std::sqrt(squared_error) / unit) : 0;
  pack(integers, bits_, code);
  terms.write(code + packed_bytes_);
}

std::unique_ptr<EncodedQuery> RabitqQuantizer::encode_query(const float* query) const {
  auto encoded = std::make_unique<Query>();
  std::vector<float>& rotated = encoded->rotated;
  rotated.resize(dim_);
  rotation_.apply(query, rotated.data());
  encoded->known = kernels_.all_finite(rotated.data(), dim_);
  if (!encoded->known) {
    std::fill(rotated.begin(), rotated.end(), 0.0F);
  }
  encoded->rounded = round(rotated.data());
  encoded->squared_norm = kernels_.dot_f32(rotated.data(), rotated.data(), dim_);
  encoded->of_centroids = std::vector<std::atomic<float>>(rounded_centroids_.size());
  for (std::atomic<float>& unknown : encoded->of_centroids) {
    unknown.store(std::numeric_limits<float>::quiet_NaN(), std::memory_order_relaxed);
  }
  return encoded;
}

float RabitqQuantizer::of_centroid(const Query& query, uint8_t centroid) const {
  std::atomic<float>& kept = query.of_centroids[centroid];
  float known = kept.load(std::memory_order_relaxed);
  if (std::isnan(known)) {
    const float* row = this->centroid(centroid);
    known = metric_ == Metric::dot ? kernels_.dot_f32(query.rotated.data(), row, dim_)
                                   : -kernels_.l2_f32(query.rotated.data(), row, dim_);
    kept.store(known, std::memory_order_relaxed);
  }
  return known;
}

// |q − c|²
float RabitqQuantizer::squared_from_centroid(const Query& query, uint8_t centroid) const {
  const float known = of_centroid(query, centroid);
  if (metric_ != Metric::dot) {
    return -known;
  }
  const float squared_centroid =
      between_centroids_[centroid * rounded_centroids_.size() + centroid];
  return std::max(query.squared_norm - 2 * known + squared_centroid, 0.0F);
}

void RabitqQuantizer::estimate(const EncodedQuery& query, const uint8_t* codes, size_t rows,
                               float* similarities) const {
  estimate(query, simd::CodeRows{codes, code_bytes()}, rows, similarities);
}

void RabitqQuantizer::estimate_rows(const EncodedQuery& query, const uint8_t* codes,
                                    std::span<const uint32_t> rows, float* similarities) const {
  estimate(query, simd::CodeRows{codes, code_bytes(), rows.data()}, rows.size(), similarities);
}

void RabitqQuantizer::estimate(const EncodedQuery& query, const simd::CodeRows& rows, size_t count,
                               float* similarities) const {
  ASSERT(count <= k_estimate_rows_max);
  const auto& encoded = static_cast<const Query&>(query);
  int32_t sums[k_estimate_rows_max];
  dot(encoded.rounded.integers.data(), rows, count, sums);
  // Σ q[i] · (integer[i] − middle), of which the kernel gave the first part.
  const double of_middle = middle_ * encoded.rounded.sum;
  const double weight = product_weight(metric_) * encoded.rounded.step;
  for (size_t row = 0; row < count; ++row) {
    const auto terms = RabitqTerms::read(rows.row(row) + packed_bytes_);
    const double similarity = static_cast<double>(of_centroid(encoded, terms.centroid)) +
                              terms.term + terms.factor * weight * (sums[row] - of_middle);
    similarities[row] = to_float(metric_ == Metric::dot ? similarity : std::min(similarity, 0.0));
  }
}

void RabitqQuantizer::dot(const int8_t* query, const simd::CodeRows& rows, size_t count,
                          int32_t* sums) const {
  switch (bits_) {
    case 1:
      return kernels_.dot_1bit(query, rows, packed_bytes_, count, sums);
    case 2:
      return kernels_.dot_2bit(query, rows, packed_bytes_, count, sums);
    case 4:
      return kernels_.dot_4bit(query, rows, packed_bytes_, count, sums);
    default:
      return kernels_.dot_codes(query, rows, dim_, count, sums);
  }
}

double RabitqQuantizer::dot(const IntegerVector& vector, const uint8_t* code) const {
  int32_t sum = 0;
  dot(vector.integers.data(), simd::CodeRows{code, code_bytes()}, 1, &sum);
  return vector.step * (sum - middle_ * vector.sum);
}

// Both rows' residuals stand for themselves, and each one's error is known against its own
// centroid:
//
//   <c + r, c' + r'>  ≈  <c, c'> + s'·<c, v'> + term' + s·<c', v> + term + s·s'·<v, v'>
//
// and the same with twice the products for −|x − x'|².
void RabitqQuantizer::similarities(const uint8_t* codes, uint32_t row,
                                   std::span<const uint32_t> others, float* similarities) const {
  ASSERT(others.size() <= k_estimate_rows_max);
  const simd::CodeRows rows{codes, code_bytes(), others.data()};
  const uint8_t* code = codes + size_t{row} * code_bytes();
  const auto a = RabitqTerms::read(code + packed_bytes_);
  double products[k_estimate_rows_max] = {};
  multiply_codes(code, rows, others.size(), products);
  int32_t sums[k_estimate_rows_max];
  const IntegerVector& own = rounded_centroids_[a.centroid];
  dot(own.integers.data(), rows, others.size(), sums);
  const double weight = product_weight(metric_);
  const size_t centroids = rounded_centroids_.size();
  uint32_t known = std::numeric_limits<uint32_t>::max();  // the centroid of the last product
  double of_other_centroid = 0;
  for (size_t i = 0; i < others.size(); ++i) {
    const auto b = RabitqTerms::read(rows.row(i) + packed_bytes_);
    if (b.centroid != known) {
      known = b.centroid;
      of_other_centroid = a.factor * dot(rounded_centroids_[known], code);
    }
    const double of_own_centroid = b.factor * own.step * (sums[i] - middle_ * own.sum);
    const double similarity =
        static_cast<double>(between_centroids_[a.centroid * centroids + b.centroid]) + a.term +
        b.term +
        weight * (of_own_centroid + of_other_centroid +
                  static_cast<double>(a.factor) * b.factor * products[i]);
    similarities[i] = to_float(metric_ == Metric::dot ? similarity : std::min(similarity, 0.0));
  }
}

// <v, v'> of one code and others.
void RabitqQuantizer::multiply_codes(const uint8_t* code, const simd::CodeRows& rows, size_t count,
                                     double* products) const {
  int32_t sums[k_estimate_rows_max];
  if (bits_ < 8) {
    // Twice the element from the middle is an integer: 2u − (2^bits − 1) = 2·(u − middle).
    thread_local std::vector<int8_t> kept;
    std::vector<int8_t>& doubled = kept;  // finding a thread's own takes time
    doubled.resize(size_t{packed_bytes_} * 8 / bits_);
    const int32_t doubled_sum = unpack_doubled(code, bits_, dim_, doubled);
    dot(doubled.data(), rows, count, sums);
    for (size_t row = 0; row < count; ++row) {
      products[row] = (sums[row] - middle_ * doubled_sum) / 2;
    }
    return;
  }
  // Σ (u − 127.5)·(u' − 127.5) = Σ (u − 128)·u' + Σ u' / 2 − 127.5 · Σ (u − 127.5)
  int32_t other_sums[k_estimate_rows_max];
  kernels_.dot_code_pairs(code, rows, dim_, count, sums);
  dot(ones_.data(), rows, count, other_sums);
  int32_t own_sum = 0;
  dot(ones_.data(), simd::CodeRows{code, code_bytes()}, 1, &own_sum);
  const double from_middle = own_sum - middle_ * dim_;
  for (size_t row = 0; row < count; ++row) {
    products[row] = sums[row] + other_sums[row] / 2.0 - middle_ * from_middle;
  }
}

float RabitqQuantizer::deviation(const EncodedQuery& query, const uint8_t* code) const {
  const auto& encoded = static_cast<const Query&>(query);
  const auto terms = RabitqTerms::read(code + packed_bytes_);
  if (!encoded.known || std::isinf(terms.error)) {
    return std::numeric_limits<float>::infinity();
  }
  const double factor = terms.factor;
  const double squared_coded = factor * factor * squared_length(code);  // |s·v|²
  const double squared_error = factor * factor * terms.error * terms.error * dim_;
  const double squared_distance = squared_from_centroid(encoded, terms.centroid);
  // What of q − c lies along the residual meets no error. It is itself an estimate; where it would
  // leave nothing, a little is left.
  const double along =
      factor * (dot(encoded.rounded, code) - dot(rounded_centroids_[terms.centroid], code));
  const double squared_residual = squared_coded - squared_error;
  const double squared_along = squared_residual > 0 ? along * along / squared_residual : 0;
  const double squared_across =
      std::max(squared_distance - squared_along, k_across_min * squared_distance);
  const double variance = squared_error * squared_across / std::max(dim_ - 1, 1U) +
                          encoded.rounded.squared_residual * squared_coded / dim_;
  return to_float(product_weight(metric_) * std::sqrt(variance));
}

// As if nothing of q − c lay along the residual, and all elements were the outermost.
float RabitqQuantizer::deviation_at_most(const EncodedQuery& query, const uint8_t* code) const {
  const auto& encoded = static_cast<const Query&>(query);
  const auto terms = RabitqTerms::read(code + packed_bytes_);
  if (!encoded.known || std::isinf(terms.error)) {
    return std::numeric_limits<float>::infinity();
  }
  const double squared_factor = static_cast<double>(terms.factor) * terms.factor;
  const double squared_error = squared_factor * terms.error * terms.error * dim_;
  const double variance =
      squared_error * squared_from_centroid(encoded, terms.centroid) / std::max(dim_ - 1, 1U) +
      encoded.rounded.squared_residual * squared_factor * middle_ * middle_;
  // A little more for what rounding may take from the one or the other.
  return to_float(1.0001 * product_weight(metric_) * std::sqrt(variance));
}

// |v|²
double RabitqQuantizer::squared_length(const uint8_t* code) const {
  Moments moments;
  switch (bits_) {
    case 1:
      return dim_ / 4.0;
    case 2:
      moments = moments_of<2>(code, packed_bytes_);
      break;
    case 4:
      moments = moments_of<4>(code, packed_bytes_);
      break;
    default:
      moments = moments_of<8>(code, packed_bytes_);
  }
  return moments.squares - 2 * middle_ * moments.sum + middle_ * middle_ * dim_;
}

}  // namespace asyncstore::quantize
