#include "quantize/scalar_quantizer.h"

#include <doctest/doctest.h>

#include <cfloat>
#include <string>

#include "quantizer_conformance.h"

using namespace asyncstore;
using namespace asyncstore::quantize;

namespace {

std::shared_ptr<const ScalarQuantizer> make(uint32_t dim, Metric metric, float quantile) {
  return std::make_shared<ScalarQuantizer>(dim, metric, quantile);
}

// Of a row whose whole range is coded. Each element is off by at most half a scale; each element of
// the query by half of its scale, which meets a code at most 127.5 from the middle.
double error_max(Metric metric, Row query, Row row) {
  const auto [low, high] = std::minmax_element(row.begin(), row.end());
  const double dim = static_cast<double>(row.size());
  double scale = (static_cast<double>(*high) - *low) / 255;
  scale = scale > 0 ? std::max(scale, double{FLT_MIN}) : 0;
  double query_sum = 0;
  double query_max = 0;
  double row_max = 0;
  double row_squared = 0;
  double query_squared = 0;
  for (size_t i = 0; i < row.size(); ++i) {
    query_sum += std::fabs(query[i]);
    query_max = std::max(query_max, double{std::fabs(query[i])});
    row_max = std::max(row_max, double{std::fabs(row[i])});
    row_squared += static_cast<double>(row[i]) * row[i];
    query_squared += static_cast<double>(query[i]) * query[i];
  }
  // Roundings: of scale, code and result in float32, in the worst case all the same way, and as
  // many additions as a lane takes. The last summand is the smallest step of a float32 result.
  const double roundings = (dim / 32 + 20) * 0x1p-24;
  if (metric == Metric::manhattan) {
    return dim * scale / 2 + roundings * (query_sum + 4 * dim * row_max) + dim * 0x1p-148;
  }
  const double dot = query_sum * scale / 2 + scale * 127.5 * dim * query_max / 254 +
                     roundings * 4 * row_max * (query_sum + dim * query_max / 254) + 0x1p-149;
  return metric == Metric::dot
             ? dot
             : 2 * dot + roundings * (row_squared + query_squared) + dim * 0x1p-148;
}

}  // namespace

TEST_CASE("scalar quantizer: conformance") {
  check_conformance({.make = [](uint32_t dim, Metric metric) { return make(dim, metric, 1.0F); },
                     .error_max = error_max,
                     .recall_min = 0.93});
}

TEST_CASE("scalar quantizer: shape") {
  const auto dot = make(384, Metric::dot, 1.0F);
  CHECK(dot->kind() == Kind::scalar_int8);
  CHECK(dot->code_bytes() == 384 + 16);
  CHECK(dot->parameters().empty());
  CHECK(make(384, Metric::manhattan, 1.0F)->code_bytes() == 384 + 12);
  CHECK(make(384, Metric::euclid, 1.0F)->code_bytes() == 384 + 20);
}

TEST_CASE("scalar quantizer: every element is within half a scale") {
  for (const double magnitude : {1e-42, 1e-38, 1.0, 1e18, 1e38}) {
    const uint32_t dim = 384;
    const auto quantizer = make(dim, Metric::dot, 1.0F);
    std::vector<float> row = normal_values(dim, 0, 1, 1);
    for (float& value : row) {
      value = static_cast<float>(std::clamp<double>(value, -1.5, 1.5) * magnitude);
    }
    const EncodedRows encoded(*quantizer, row);
    const double offset = quantizer->terms(encoded.code(0)).offset;
    const double scale = quantizer->terms(encoded.code(0)).scale;
    CAPTURE(magnitude);
    for (uint32_t i = 0; i < dim; ++i) {
      // Above the half: the rounding of (x - offset) / scale, below 256, in float32.
      CHECK(std::fabs(offset + scale * encoded.codes[i] - row[i]) <= scale * (0.5 + 256 * 0x1p-22));
    }
  }
}

TEST_CASE("scalar quantizer: a quantile below one clips that share of the elements") {
  constexpr uint32_t dim = 1000;
  std::vector<float> row(dim);
  std::iota(row.begin(), row.end(), 0.0F);
  std::shuffle(row.begin(), row.end(), std::mt19937_64(1));
  const ScalarQuantizer quantizer(dim, Metric::dot, 0.9F);
  const EncodedRows encoded(quantizer, row);
  const ScalarQuantizer::Terms terms = quantizer.terms(encoded.code(0));
  CHECK(terms.offset == 50.0F);
  CHECK(terms.scale == doctest::Approx((949.0 - 50.0) / 255));
  CHECK(terms.code_sum == std::accumulate(encoded.codes.begin(), encoded.codes.begin() + dim, 0U));
  for (uint32_t i = 0; i < dim; ++i) {
    if (row[i] <= 50) {
      CHECK(encoded.codes[i] == 0);
    } else if (row[i] >= 949) {
      CHECK(encoded.codes[i] == 255);
    }
  }
  // The quantiles of few elements are the smallest and the largest, and nothing clips.
  const ScalarQuantizer of_few(3, Metric::dot, 0.9F);
  const EncodedRows few(of_few, {3, 1, 1.5F});
  CHECK(of_few.terms(few.code(0)).offset == 1.0F);
  CHECK(std::vector<uint8_t>(few.code(0), few.code(0) + 3) == std::vector<uint8_t>{255, 0, 64});
  // Even the least quantile leaves the middle.
  const ScalarQuantizer of_middle(5, Metric::dot, FLT_MIN);
  const EncodedRows middle(of_middle, {5, 1, 4, 2, 3});
  CHECK(of_middle.terms(middle.code(0)).offset == 3.0F);
  CHECK(of_middle.terms(middle.code(0)).scale == 0.0F);
}

TEST_CASE("scalar quantizer: no finite row and no finite query make a NaN") {
  for (const Metric metric : {Metric::dot, Metric::euclid, Metric::manhattan}) {
    for (const uint32_t dim : {1U, 2U, 384U}) {
      const auto quantizer = make(dim, metric, 1.0F);
      for (const float low : {-FLT_MAX, -1e18F, -0x1p-149F, 0.0F, 1e18F}) {
        for (const float high : {0.0F, 0x1p-149F, FLT_MIN, 1e18F, FLT_MAX}) {
          std::vector<float> row(dim, low);
          row.back() = high;
          std::vector<float> reversed(row.rbegin(), row.rend());
          const EncodedRows encoded(*quantizer, row);
          for (const auto& query : {row, reversed}) {
            CAPTURE(low);
            CAPTURE(high);
            CHECK_FALSE(std::isnan(encoded.estimates(*quantizer, query)[0]));
            CHECK_FALSE(std::isnan(
                quantizer->deviation(*quantizer->encode_query(query.data()), encoded.code(0))));
            const uint32_t itself = 0;
            float similarity = 0;
            quantizer->similarities(encoded.codes.data(), 0, {&itself, 1}, &similarity);
            CHECK_FALSE(std::isnan(similarity));
          }
        }
      }
    }
  }
}

TEST_CASE("scalar quantizer: a row that overflows float32 is infinitely far, not near") {
  const auto quantizer = make(384, Metric::euclid, 1.0F);
  const EncodedRows rows(*quantizer, normal_values(384, 1e30, 1e29, 1));
  CHECK(rows.estimates(*quantizer, rows.row(0))[0] == -std::numeric_limits<float>::infinity());
}

TEST_CASE("scalar quantizer: a squared distance is never negative") {
  const auto quantizer = make(100, Metric::euclid, 1.0F);
  const EncodedRows rows(*quantizer, normal_values(6400, 10, 1, 1));
  for (size_t r = 0; r < rows.count; ++r) {
    CHECK(rows.estimates(*quantizer, rows.row(r))[r] <= 0);
  }
}

TEST_CASE("scalar quantizer: every instruction set makes the same codes and estimates") {
  for (const Metric metric : {Metric::dot, Metric::euclid, Metric::manhattan}) {
    for (const uint32_t dim : {1U, 33U, 100U, 384U}) {
      const ScalarQuantizer expected(dim, metric, 0.99F, *simd::supported_kernels().front());
      const EncodedRows expected_rows(expected, normal_values(size_t{70} * dim, 0.3, 1, dim));
      const std::vector<float> query = normal_values(dim, 0, 1, dim + 1);
      for (const simd::Kernels* table : simd::supported_kernels()) {
        const ScalarQuantizer quantizer(dim, metric, 0.99F, *table);
        const EncodedRows rows(quantizer, expected_rows.values);
        CAPTURE(std::string(simd::name(table->isa)));
        CHECK(rows.codes == expected_rows.codes);
        CHECK(rows.estimates(quantizer, query) == expected_rows.estimates(expected, query));
      }
    }
  }
}
