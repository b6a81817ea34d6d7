#include "quantize/product_quantizer.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <thread>

#include "base/assert.h"
#include "base/limits.h"
#include "base/thread.h"
#include "quantize/parameters.h"
#include "quantize/part_centroids.h"
#include "quantize/to_float.h"

namespace asyncstore::quantize {

using base::Result;

namespace {

// More of a sample than this makes training slower and centroids no better.
constexpr size_t k_sample_rows_max = 10'000;
constexpr double k_across_min = 0.05;  // as in rabitq_quantizer.cc
// The error of a row is kept in units of its length, times this: what may be told of it is then
// from 2^-8 on.
constexpr double k_error_unit = 16;
constexpr int k_calibration_queries = 100;
constexpr int k_calibration_rows = 20;  // of each query
constexpr size_t k_calibration_rows_min = 50;

}  // namespace

class ProductQuantizer::Query final : public EncodedQuery {
 public:
  std::vector<float> tables;
  double squared_norm = 0;
};

ProductQuantizer::ProductQuantizer(uint32_t dim, Metric metric, uint32_t part_dim,
                                   std::vector<float> centroids, Calibration calibration,
                                   const simd::Kernels& kernels)
    : dim_(dim),
      metric_(metric),
      part_dim_(part_dim),
      parts_((dim + part_dim - 1) / part_dim),
      centroids_(std::move(centroids)),
      calibration_(calibration),
      kernels_(kernels) {
  ASSERT(dim >= 1 && dim <= base::k_dim_max && part_dim >= 1);
  ASSERT(centroids_.size() == size_t{dim} * k_centroids);
}

uint32_t ProductQuantizer::part_size(uint32_t part) const {
  return std::min(part_dim_, dim_ - part * part_dim_);
}

const float* ProductQuantizer::part_centroids(uint32_t part) const {
  return centroids_.data() + size_t{part} * part_dim_ * k_centroids;
}

void ProductQuantizer::encode(const float* row, uint8_t* code) const {
  double squared = 0;
  double product = 0;  // of the row and its centroids
  double coded = 0;
  for (uint32_t part = 0; part < parts_; ++part) {
    const float* elements = row + size_t{part} * part_dim_;
    const uint32_t size = part_size(part);
    const float* centroids = part_centroids(part);
    code[part] = nearest_of_part({elements, size}, centroids);
    for (uint32_t j = 0; j < size; ++j) {
      const double element = elements[j];
      const double centroid = centroids[j * k_centroids + code[part]];
      squared += element * element;
      product += element * centroid;
      coded += centroid * centroid;
    }
  }
  const auto finite = [](double value) {
    return RabitqTerms::rounded(static_cast<float>(std::clamp(value, -1e38, 1e38)));
  };
  RabitqTerms terms;
  terms.factor = metric_ != Metric::manhattan && product > 0 ? finite(squared / product) : 1;
  terms.term = finite(-squared);
  const double factor = terms.factor;
  const double left = std::max(squared - 2 * factor * product + factor * factor * coded, 0.0);
  terms.error = squared > 1e38 ? std::numeric_limits<float>::infinity()
                : squared > 0  ? static_cast<float>(k_error_unit * std::sqrt(left / squared))
                               : 0;
  terms.write(code + parts_);
}

// Where nothing is left of a row's square, neither is of what its code leaves.
double ProductQuantizer::residual(const RabitqTerms& terms) {
  return terms.error / k_error_unit * std::sqrt(-static_cast<double>(terms.term));
}

void ProductQuantizer::decode(const uint8_t* code, float* row) const {
  for (uint32_t part = 0; part < parts_; ++part) {
    const float* centroids = part_centroids(part);
    for (uint32_t j = 0; j < part_size(part); ++j) {
      row[part * part_dim_ + j] = centroids[j * k_centroids + code[part]];
    }
  }
}

// What each part adds to a similarity, for each centroid.
void ProductQuantizer::fill_tables(const float* query, float* tables) const {
  for (uint32_t part = 0; part < parts_; ++part) {
    float* table = tables + size_t{part} * k_centroids;
    std::fill_n(table, k_centroids, 0.0F);
    for (uint32_t j = 0; j < part_size(part); ++j) {
      const float element = query[part * part_dim_ + j];
      const float* centroids = part_centroids(part) + size_t{j} * k_centroids;
      for (uint32_t k = 0; k < k_centroids; ++k) {
        const float difference = element - centroids[k];
        table[k] += metric_ == Metric::manhattan ? -std::fabs(difference) : element * centroids[k];
      }
    }
  }
}

std::unique_ptr<EncodedQuery> ProductQuantizer::encode_query(const float* query) const {
  auto encoded = std::make_unique<Query>();
  encoded->tables.resize(size_t{parts_} * k_centroids);
  fill_tables(query, encoded->tables.data());
  for (uint32_t i = 0; i < dim_; ++i) {
    encoded->squared_norm += static_cast<double>(query[i]) * query[i];
  }
  return encoded;
}

void ProductQuantizer::estimate(const EncodedQuery& query, const uint8_t* codes, size_t rows,
                                float* similarities) const {
  estimate(query, simd::CodeRows{codes, code_bytes()}, rows, similarities);
}

void ProductQuantizer::estimate_rows(const EncodedQuery& query, const uint8_t* codes,
                                     std::span<const uint32_t> rows, float* similarities) const {
  estimate(query, simd::CodeRows{codes, code_bytes(), rows.data()}, rows.size(), similarities);
}

void ProductQuantizer::estimate(const EncodedQuery& query, const simd::CodeRows& rows, size_t count,
                                float* similarities) const {
  ASSERT(count <= k_estimate_rows_max);
  const auto& encoded = static_cast<const Query&>(query);
  kernels_.lookup_codes(encoded.tables.data(), rows, parts_, count, similarities);
  for (size_t row = 0; row < count; ++row) {
    const auto terms = RabitqTerms::read(rows.row(row) + parts_);
    similarities[row] = similarity_of(similarities[row] * double{terms.factor}, residual(terms),
                                      encoded.squared_norm - terms.term);
  }
}

// The similarity, from what the tables gave, the residual and the sum of both squared lengths.
// Where sums overflow with both signs there is none.
float ProductQuantizer::similarity_of(double sum, double residual, double squares) const {
  double similarity = sum;
  if (metric_ == Metric::euclid) {
    similarity = std::min(2 * sum - squares, 0.0);
  } else if (metric_ == Metric::manhattan) {
    similarity = std::min(sum - calibration_.mean * residual, 0.0);
  }
  return std::isnan(similarity) ? -std::numeric_limits<float>::infinity() : to_float(similarity);
}

void ProductQuantizer::similarities(const uint8_t* codes, uint32_t row,
                                    std::span<const uint32_t> others, float* similarities) const {
  ASSERT(others.size() <= k_estimate_rows_max);
  thread_local std::vector<float> decoded;
  thread_local std::vector<float> tables;
  decoded.resize(dim_);
  tables.resize(size_t{parts_} * k_centroids);
  const uint8_t* code = codes + size_t{row} * code_bytes();
  decode(code, decoded.data());
  fill_tables(decoded.data(), tables.data());
  const simd::CodeRows rows{codes, code_bytes(), others.data()};
  kernels_.lookup_codes(tables.data(), rows, parts_, others.size(), similarities);
  const auto own = RabitqTerms::read(code + parts_);
  for (size_t i = 0; i < others.size(); ++i) {
    const auto other = RabitqTerms::read(rows.row(i) + parts_);
    const double sum = similarities[i] * static_cast<double>(own.factor) * other.factor;
    similarities[i] = similarity_of(sum, std::hypot(residual(own), residual(other)),
                                    -static_cast<double>(own.term) - other.term);
  }
}

float ProductQuantizer::deviation(const EncodedQuery& query, const uint8_t* code) const {
  const auto& encoded = static_cast<const Query&>(query);
  const auto terms = RabitqTerms::read(code + parts_);
  if (metric_ == Metric::manhattan) {
    return deviation(residual(terms), 0);
  }
  float sum = 0;
  kernels_.lookup_codes(encoded.tables.data(), simd::CodeRows{code, code_bytes()}, parts_, 1, &sum);
  const double along = sum * static_cast<double>(terms.factor);
  const double squared_row = -static_cast<double>(terms.term);
  const double squared_along = squared_row > 0 ? along * along / squared_row : 0;
  return deviation(residual(terms), std::max(encoded.squared_norm - squared_along,
                                             k_across_min * encoded.squared_norm));
}

// As if nothing of the query lay along the row.
float ProductQuantizer::deviation_at_most(const EncodedQuery& query, const uint8_t* code) const {
  return deviation(residual(RabitqTerms::read(code + parts_)),
                   static_cast<const Query&>(query).squared_norm);
}

float ProductQuantizer::deviation(double residual, double squared_across) const {
  double deviation = residual;
  if (metric_ != Metric::manhattan) {
    deviation *= std::sqrt(squared_across / std::max(dim_ - 1, 1U));
  }
  deviation *= calibration_.deviation * (metric_ == Metric::euclid ? 2 : 1);
  return std::isnan(deviation) ? std::numeric_limits<float>::infinity() : to_float(deviation);
}

std::vector<std::byte> ProductQuantizer::parameters() const {
  ParameterWriter writer(kind(), dim_);
  writer.put(part_dim_);
  writer.put(calibration_.mean);
  writer.put(calibration_.deviation);
  writer.put(uint32_t{0});
  writer.put_floats(centroids_);
  return writer.bytes();
}

Result<std::shared_ptr<const Quantizer>> ProductQuantizer::load(uint32_t dim, Metric metric,
                                                                uint32_t part_dim,
                                                                base::Bytes parameters) {
  TRY_ASSIGN(ParameterReader reader, ParameterReader::open(parameters, Kind::product, dim));
  const auto found_part_dim = reader.take<uint32_t>();
  Calibration calibration;
  calibration.mean = reader.take<float>();
  calibration.deviation = reader.take<float>();
  const auto zero = reader.take<uint32_t>();
  TRY_ASSIGN(std::vector<float> centroids, reader.take_floats());
  TRY(reader.finish());
  if (found_part_dim != part_dim || zero != 0 || !std::isfinite(calibration.mean) ||
      !(calibration.deviation > 0) || !std::isfinite(calibration.deviation) ||
      centroids.size() != size_t{dim} * k_centroids) {
    return ParameterReader::impossible();
  }
  return std::shared_ptr<const Quantizer>(
      std::make_shared<ProductQuantizer>(dim, metric, part_dim, std::move(centroids), calibration));
}

std::shared_ptr<const Quantizer> ProductQuantizer::train(uint32_t dim, Metric metric,
                                                         uint32_t part_dim,
                                                         const Training& training) {
  const uint32_t parts = (dim + part_dim - 1) / part_dim;
  const size_t sampled = training.rows.size() / dim;
  const size_t kept = sampled / 5;  // for the calibration
  const size_t rows = std::min(sampled - kept, k_sample_rows_max);
  std::vector<float> centroids(size_t{dim} * k_centroids);
  std::atomic<uint32_t> next{0};
  std::atomic<bool> cancelled{false};
  const auto train_one = [&](uint32_t part) {
    const uint32_t begin = part * part_dim;
    train_part(training.rows.data() + begin, rows, dim, std::min(part_dim, dim - begin),
               training.seed + part, centroids.data() + size_t{begin} * k_centroids);
  };
  std::vector<std::thread> threads;
  for (uint32_t i = 1; i < training.threads; ++i) {
    threads.emplace_back([&] {
      base::describe_thread("as-train", base::k_nice_background);
      for (uint32_t part = next++; part < parts && !cancelled; part = next++) {
        train_one(part);
      }
    });
  }
  for (uint32_t part = next++; part < parts && !cancelled; part = next++) {
    train_one(part);
    // Those of the other threads may be under way yet.
    if (training.progress && !training.progress(part + 1, parts)) {
      cancelled = true;
    }
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  if (cancelled) {
    return nullptr;
  }
  const ProductQuantizer raw(dim, metric, part_dim, centroids, Calibration{});
  return std::make_shared<ProductQuantizer>(
      dim, metric, part_dim, std::move(centroids),
      raw.measure(training.rows.last(kept * dim), training.seed));
}

// Of pairs of rows that did not take part in the training.
ProductQuantizer::Calibration ProductQuantizer::measure(std::span<const float> rows,
                                                        uint64_t seed) const {
  const size_t count = rows.size() / dim_;
  if (count < k_calibration_rows_min) {
    return {};
  }
  std::mt19937_64 random(seed);
  std::vector<uint8_t> code(code_bytes());
  double sum = 0;
  double squares = 0;
  double pairs = 0;
  for (int q = 0; q < k_calibration_queries; ++q) {
    const float* query = rows.data() + random() % count * dim_;
    const auto encoded = encode_query(query);
    for (int i = 0; i < k_calibration_rows; ++i) {
      const float* row = rows.data() + random() % count * dim_;
      encode(row, code.data());
      float estimated = 0;
      ProductQuantizer::estimate(*encoded, code.data(), 1, &estimated);
      const double exact = metric_ == Metric::dot      ? kernels_.dot_f32(query, row, dim_)
                           : metric_ == Metric::euclid ? -kernels_.l2_f32(query, row, dim_)
                                                       : -kernels_.l1_f32(query, row, dim_);
      const double unit = ProductQuantizer::deviation(*encoded, code.data());
      const double error = (estimated - exact) / unit;
      if (row != query && unit > 0 && std::isfinite(error)) {
        sum += error;
        squares += error * error;
        ++pairs;
      }
    }
  }
  if (pairs < k_calibration_rows_min) {
    return {};  // a sample may be all the same
  }
  const double mean = metric_ == Metric::manhattan ? sum / pairs : 0;
  const double deviation = std::sqrt(std::max(squares / pairs - mean * mean, 0.0));
  return {static_cast<float>(std::clamp(mean, -4.0, 4.0)),
          static_cast<float>(std::clamp(deviation, 0.25, 4.0))};
}

}  // namespace asyncstore::quantize
