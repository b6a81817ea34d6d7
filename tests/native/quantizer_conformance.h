// What every quantizer must do, whatever its codes are. A test of one kind describes the kind as a
// QuantizerKind and calls `check_conformance`.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <memory>
#include <numeric>
#include <random>
#include <span>
#include <vector>

#include "quantize/factory.h"
#include "quantize/quantizer.h"

namespace asyncstore::quantize {

using Row = std::span<const float>;

struct QuantizerKind {
  std::function<std::shared_ptr<const Quantizer>(uint32_t dim, Metric metric)> make;
  // How far the estimate of `row` for `query` may be from the exact similarity; derived, not
  // observed.
  std::function<double(Metric metric, Row query, Row row)> error_max;
  // The least recall@10 of 10 rescored candidates among 2,000 normal rows of 128 dims.
  double recall_min;
  std::vector<Metric> metrics = {Metric::dot, Metric::euclid, Metric::manhattan};
};

inline double exact_similarity(Metric metric, Row query, Row row) {
  double sum = 0;
  for (size_t i = 0; i < row.size(); ++i) {
    const double difference = static_cast<double>(query[i]) - row[i];
    sum += metric == Metric::dot      ? static_cast<double>(query[i]) * row[i]
           : metric == Metric::euclid ? -difference * difference
                                      : -std::fabs(difference);
  }
  return sum;
}

// Rows and their codes as a segment holds them.
struct EncodedRows {
  EncodedRows(const Quantizer& quantizer, std::vector<float> row_values)
      : dim(quantizer.dim()),
        count(row_values.size() / dim),
        code_bytes(quantizer.code_bytes()),
        values(std::move(row_values)),
        codes(count * code_bytes) {
    for (size_t r = 0; r < count; ++r) {
      quantizer.encode(row(r).data(), codes.data() + r * code_bytes);
    }
  }

  Row row(size_t r) const { return Row(values).subspan(r * dim, dim); }
  const uint8_t* code(size_t r) const { return codes.data() + r * code_bytes; }
  std::vector<float> estimates(const Quantizer& quantizer, Row query,
                               size_t block_rows = k_estimate_rows_max) const {
    const auto encoded = quantizer.encode_query(query.data());
    std::vector<float> similarities(count);
    for (size_t first = 0; first < count; first += block_rows) {
      const size_t rows = std::min(block_rows, count - first);
      quantizer.estimate(*encoded, code(first), rows, similarities.data() + first);
    }
    return similarities;
  }

  size_t dim;
  size_t count;
  size_t code_bytes;
  std::vector<float> values;
  std::vector<uint8_t> codes;
};

inline std::vector<float> normal_values(size_t count, double mean, double deviation,
                                        uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal(mean, deviation);
  std::vector<float> values(count);
  for (float& value : values) {
    value = static_cast<float>(normal(random));
  }
  return values;
}

inline std::vector<size_t> nearest(const std::vector<double>& similarities, size_t limit) {
  std::vector<size_t> order(similarities.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return similarities[a] > similarities[b]; });
  order.resize(limit);
  return order;
}

inline void check_errors(const QuantizerKind& kind, Metric metric) {
  struct Shape {
    double mean, deviation;
  };
  for (const uint32_t dim : {1U, 2U, 31U, 64U, 100U, 384U, 65536U}) {
    const auto quantizer = kind.make(dim, metric);
    for (const Shape shape : {Shape{0, 1}, Shape{5, 0.1}, Shape{0, 1e18}, Shape{0, 1e-30},
                              Shape{0, 1e-42}, Shape{-1e18, 0}, Shape{0, 0}}) {
      const size_t count = dim > 1000 ? 3 : 20;
      const EncodedRows rows(*quantizer,
                             normal_values(count * dim, shape.mean, shape.deviation, dim));
      std::vector<float> query = normal_values(dim, 0, shape.mean + shape.deviation, dim + 1);
      for (int zero = 0; zero < 2; ++zero) {
        const std::vector<float> estimates = rows.estimates(*quantizer, query);
        for (size_t r = 0; r < count; ++r) {
          const double exact = exact_similarity(metric, query, rows.row(r));
          CAPTURE(dim);
          CAPTURE(shape.mean);
          CAPTURE(shape.deviation);
          CAPTURE(exact);
          CAPTURE(estimates[r]);
          if (std::isinf(static_cast<float>(std::clamp(exact, -1e39, 1e39)))) {
            CHECK_FALSE(std::isnan(estimates[r]));
          } else if (!std::isinf(estimates[r]) || std::fabs(exact) < 1e37) {
            CHECK(std::fabs(estimates[r] - exact) <= kind.error_max(metric, query, rows.row(r)));
          }
        }
        std::fill(query.begin(), query.end(), 0.0F);
      }
    }
  }
}

inline void check_blocks(const QuantizerKind& kind, Metric metric) {
  constexpr uint32_t dim = 100;
  const auto quantizer = kind.make(dim, metric);
  const EncodedRows rows(*quantizer, normal_values(size_t{150} * dim, 0, 1, 3));
  const std::vector<float> query = normal_values(dim, 0, 1, 4);
  const std::vector<float> whole = rows.estimates(*quantizer, query);
  // The estimate of a row does not depend on the rows beside it.
  for (const size_t block_rows : {1, 2, 3, 5, 63}) {
    CAPTURE(block_rows);
    CHECK(rows.estimates(*quantizer, query, block_rows) == whole);
  }
  // Nor does its code, and a second quantizer makes the same.
  const auto second = kind.make(dim, metric);
  for (const size_t r : {size_t{0}, size_t{7}, rows.count - 1}) {
    const EncodedRows alone(*second, {rows.row(r).begin(), rows.row(r).end()});
    CHECK(std::equal(alone.codes.begin(), alone.codes.end(),
                     rows.codes.begin() + static_cast<ptrdiff_t>(r * rows.code_bytes)));
  }
}

// Rows asked for by number, some of them twice and in no order, have the very same estimates.
inline void check_rows(const QuantizerKind& kind, Metric metric) {
  for (const uint32_t dim : {1U, 24U, 100U, 384U}) {
    const auto quantizer = kind.make(dim, metric);
    const EncodedRows rows(*quantizer, normal_values(size_t{150} * dim, 0, 1, 7));
    const std::vector<float> query = normal_values(dim, 0, 1, 8);
    const std::vector<float> whole = rows.estimates(*quantizer, query);
    const auto encoded = quantizer->encode_query(query.data());
    std::mt19937_64 random(9);
    for (const size_t count : {size_t{0}, size_t{1}, size_t{15}, size_t{17}, k_estimate_rows_max}) {
      std::vector<uint32_t> numbers(count);
      for (uint32_t& number : numbers) {
        number = static_cast<uint32_t>(random() % rows.count);
      }
      std::vector<float> similarities(count);
      quantizer->estimate_rows(*encoded, rows.codes.data(), numbers, similarities.data());
      CAPTURE(dim);
      for (size_t i = 0; i < count; ++i) {
        CHECK(similarities[i] == whole[numbers[i]]);
      }
    }
  }
}

// Between rows, codes alone are off by what they are off for a query, once for each of the two.
inline void check_similarities(const QuantizerKind& kind, Metric metric) {
  for (const uint32_t dim : {1U, 24U, 100U, 384U}) {
    const auto quantizer = kind.make(dim, metric);
    const EncodedRows rows(*quantizer, normal_values(size_t{40} * dim, 0.2, 1, 10));
    std::vector<uint32_t> numbers(rows.count);
    std::iota(numbers.begin(), numbers.end(), 0U);
    std::vector<std::vector<float>> similarities(rows.count, std::vector<float>(rows.count));
    for (uint32_t r = 0; r < rows.count; ++r) {
      quantizer->similarities(rows.codes.data(), r, numbers, similarities[r].data());
    }
    CAPTURE(dim);
    for (size_t a = 0; a < rows.count; ++a) {
      for (size_t b = 0; b < a; ++b) {
        const double exact = exact_similarity(metric, rows.row(a), rows.row(b));
        const double error_max = kind.error_max(metric, rows.row(a), rows.row(b)) +
                                 kind.error_max(metric, rows.row(b), rows.row(a));
        CHECK(std::fabs(similarities[a][b] - exact) <= error_max);
        CHECK(std::fabs(similarities[a][b] - similarities[b][a]) <=
              1e-4 * (dim + std::fabs(exact)));
      }
    }
  }
}

// The errors of many estimates, each in its own standard deviation.
inline void check_deviation(const QuantizerKind& kind, Metric metric) {
  for (const uint32_t dim : {64U, 100U, 384U}) {
    const auto quantizer = kind.make(dim, metric);
    const EncodedRows rows(*quantizer, normal_values(size_t{300} * dim, 0, 1, 11));
    double squares = 0;
    size_t count = 0;
    for (size_t q = 0; q < 20; ++q) {
      const std::vector<float> query = normal_values(dim, 0, 1, 200 + q);
      const auto encoded = quantizer->encode_query(query.data());
      const std::vector<float> estimates = rows.estimates(*quantizer, query);
      for (size_t r = 0; r < rows.count; ++r) {
        const double deviation = quantizer->deviation(*encoded, rows.code(r));
        CHECK(quantizer->deviation_at_most(*encoded, rows.code(r)) >=
              static_cast<float>(deviation));
        REQUIRE(deviation > 0);
        const double error = estimates[r] - exact_similarity(metric, query, rows.row(r));
        squares += error / deviation * (error / deviation);
        ++count;
      }
    }
    CAPTURE(dim);
    const double found = std::sqrt(squares / static_cast<double>(count));
    CHECK(found >= 0.7);
    CHECK(found <= 1.2);
  }
}

inline double recall(const Quantizer& quantizer, Metric metric, size_t candidates) {
  constexpr size_t limit = 10;
  constexpr size_t queries = 20;
  const size_t dim = quantizer.dim();
  const EncodedRows rows(quantizer, normal_values(2000 * dim, 0, 1, 5));
  size_t found = 0;
  for (size_t q = 0; q < queries; ++q) {
    const std::vector<float> query = normal_values(dim, 0, 1, 100 + q);
    std::vector<double> exact(rows.count);
    for (size_t r = 0; r < rows.count; ++r) {
      exact[r] = exact_similarity(metric, query, rows.row(r));
    }
    const std::vector<float> estimates = rows.estimates(quantizer, query);
    const auto preselected = nearest({estimates.begin(), estimates.end()}, candidates);
    for (const size_t r : nearest(exact, limit)) {
      found += static_cast<size_t>(std::count(preselected.begin(), preselected.end(), r));
    }
  }
  return static_cast<double>(found) / (limit * queries);
}

inline void check_recall(const QuantizerKind& kind, Metric metric) {
  const auto quantizer = kind.make(128, metric);
  double before = 0;
  for (const size_t candidates : {10, 20, 40, 2000}) {
    const double found = recall(*quantizer, metric, candidates);
    CAPTURE(candidates);
    CHECK(found >= kind.recall_min);
    CHECK(found >= before);
    before = found;
  }
  CHECK(before == 1.0);
}

// What training found comes back from its bytes to the last bit, and no bytes do harm.
inline void check_parameters(const Config& config, Metric metric, const Quantizer& quantizer) {
  const uint32_t dim = quantizer.dim();
  const std::vector<std::byte> bytes = quantizer.parameters();
  const auto loaded = load(config, dim, metric, bytes);
  REQUIRE(loaded.ok());
  CHECK(loaded.value()->parameters() == bytes);
  CHECK(loaded.value()->kind() == quantizer.kind());
  const EncodedRows rows(quantizer, normal_values(size_t{50} * dim, 0.1, 1, 12));
  const EncodedRows again(*loaded.value(), rows.values);
  CHECK(again.codes == rows.codes);
  const std::vector<float> query = normal_values(dim, 0, 1, 13);
  CHECK(again.estimates(*loaded.value(), query) == rows.estimates(quantizer, query));
  std::mt19937_64 random(14);
  for (int i = 0; i < 300 && !bytes.empty(); ++i) {
    std::vector<std::byte> hostile = bytes;
    switch (i % 3) {
      case 0:
        hostile.resize(1 + random() % bytes.size());
        break;
      case 1:
        hostile[random() % std::min<size_t>(bytes.size(), 32)] = std::byte(random());
        break;
      default:
        hostile.push_back(std::byte{0});
    }
    const auto result = load(config, dim, metric, hostile);
    CAPTURE(i);
    if (hostile.size() != bytes.size()) {
      REQUIRE(!result.ok());
    }
    if (!result.ok()) {
      CHECK((result.error().code == base::Code::corruption ||
             result.error().code == base::Code::unsupported));
    }
  }
}

inline void check_conformance(const QuantizerKind& kind) {
  for (const Metric metric : kind.metrics) {
    CAPTURE(static_cast<int>(metric));
    CHECK(kind.make(7, metric)->dim() == 7);
    check_errors(kind, metric);
    check_blocks(kind, metric);
    check_rows(kind, metric);
    check_similarities(kind, metric);
    check_deviation(kind, metric);
    check_recall(kind, metric);
  }
}

}  // namespace asyncstore::quantize
