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

#include "quantize/quantizer.h"

namespace asyncstore::quantize {

using Row = std::span<const float>;

struct QuantizerKind {
  std::function<std::unique_ptr<Quantizer>(uint32_t dim, Metric metric)> make;
  // How far the estimate of `row` for `query` may be from the exact similarity; derived, not
  // observed.
  std::function<double(Metric metric, Row query, Row row)> error_max;
  // The least recall@10 of 10 rescored candidates among 2,000 normal rows of 128 dims.
  double recall_min;
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

// Rows, their codes and their terms as a segment holds them.
struct EncodedRows {
  EncodedRows(const Quantizer& quantizer, std::vector<float> row_values)
      : dim(quantizer.dim()),
        count(row_values.size() / dim),
        code_bytes(quantizer.code_bytes()),
        values(std::move(row_values)),
        codes(count * code_bytes),
        terms(count * quantizer.term_count()) {
    for (size_t r = 0; r < count; ++r) {
      quantizer.encode(row(r).data(), codes.data() + r * code_bytes, terms.data() + r, count);
    }
  }

  Row row(size_t r) const { return Row(values).subspan(r * dim, dim); }
  CodeBlock block(size_t first) const {
    return {.codes = codes.data() + first * code_bytes,
            .terms = terms.data() + first,
            .terms_stride = count};
  }
  std::vector<float> estimates(const Quantizer& quantizer, Row query,
                               size_t block_rows = k_estimate_rows_max) const {
    const auto encoded = quantizer.encode_query(query.data());
    std::vector<float> similarities(count);
    for (size_t first = 0; first < count; first += block_rows) {
      const size_t rows = std::min(block_rows, count - first);
      quantizer.estimate(*encoded, block(first), rows, similarities.data() + first);
    }
    return similarities;
  }

  size_t dim;
  size_t count;
  size_t code_bytes;
  std::vector<float> values;
  std::vector<uint8_t> codes;
  std::vector<float> terms;
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
  // Nor do its codes and terms, and a second quantizer makes the same.
  const auto second = kind.make(dim, metric);
  for (const size_t r : {size_t{0}, size_t{7}, rows.count - 1}) {
    const EncodedRows alone(*second, {rows.row(r).begin(), rows.row(r).end()});
    CHECK(std::equal(alone.codes.begin(), alone.codes.end(),
                     rows.codes.begin() + static_cast<ptrdiff_t>(r * rows.code_bytes)));
    for (uint32_t term = 0; term < quantizer->term_count(); ++term) {
      CHECK(alone.terms[term] == rows.terms[term * rows.count + r]);
    }
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

inline void check_conformance(const QuantizerKind& kind) {
  for (const Metric metric : {Metric::dot, Metric::euclid, Metric::manhattan}) {
    CAPTURE(static_cast<int>(metric));
    CHECK(kind.make(7, metric)->dim() == 7);
    check_errors(kind, metric);
    check_blocks(kind, metric);
    check_recall(kind, metric);
  }
}

}  // namespace asyncstore::quantize
