#include "quantize/rabitq_quantizer.h"

#include <doctest/doctest.h>

#include <cfloat>
#include <string>

#include "quantize/rabitq_grid.h"
#include "quantizer_conformance.h"

using namespace asyncstore;
using namespace asyncstore::quantize;

namespace {

constexpr unsigned k_bits[] = {1, 2, 4, 8};

Config config_of(unsigned bits) {
  return {.kind = Kind::rabitq, .bits = static_cast<uint8_t>(bits)};
}

double length(Row vector) {
  double squared = 0;
  for (const float element : vector) {
    squared += static_cast<double>(element) * element;
  }
  return std::sqrt(squared);
}

// The error is at most |q| · |e|, and |e| at most this part of |x| whatever rotation makes of a
// row; rounding the query adds at most √dim · max |q[i]| / 254 ≤ 0.02 |q| times the length of the
// code.
double error_part(unsigned bits) {
  return (bits == 1 ? 1.0 : bits == 2 ? 0.6 : bits == 4 ? 0.2 : 0.03) + 0.03;
}

// The last summands are roundings: of term and factor to 17 bits, and of numbers that are hardly
// any.
double error_max(unsigned bits, Metric metric, Row query, Row row) {
  const double dot = length(query) * length(row) * error_part(bits);
  const double squares = length(query) * length(query) + length(row) * length(row);
  return (metric == Metric::dot ? dot : 2 * dot + squares * 0x1p-14) + 1e-37;
}

std::vector<float> clustered_values(uint32_t dim, size_t rows, uint64_t seed) {
  std::vector<float> centres = normal_values(size_t{8} * dim, 0, 1, 99);
  std::vector<float> values = normal_values(rows * dim, 0, 0.5, seed);
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] += centres[i / dim % 8 * dim + i % dim];
  }
  return values;
}

std::shared_ptr<const Quantizer> trained(unsigned bits, uint32_t dim, Metric metric,
                                         uint32_t threads = 1) {
  const std::vector<float> sample = clustered_values(dim, 1000, 1);
  return train(config_of(bits), dim, metric, {.rows = sample, .seed = 5, .threads = threads});
}

}  // namespace

TEST_CASE("rabitq: conformance") {
  for (const unsigned bits : k_bits) {
    CAPTURE(bits);
    check_conformance(
        {.make = [&](uint32_t dim, Metric metric) { return make(config_of(bits), dim, metric); },
         .error_max = [&](Metric metric, Row query,
                          Row row) { return error_max(bits, metric, query, row); },
         .recall_min = bits == 1   ? 0.25
                       : bits == 2 ? 0.5
                       : bits == 4 ? 0.75
                                   : 0.9,
         .metrics = {Metric::dot, Metric::euclid}});
  }
}

TEST_CASE("rabitq: what training found comes back, and hostile bytes do no harm") {
  for (const unsigned bits : k_bits) {
    for (const Metric metric : {Metric::dot, Metric::euclid}) {
      check_parameters(config_of(bits), metric, *trained(bits, 20, metric));
      check_parameters(config_of(bits), metric, *make(config_of(bits), 20, metric));
    }
  }
}

TEST_CASE("rabitq: eight bytes beside the elements, and no Manhattan distance") {
  for (const unsigned bits : k_bits) {
    CHECK(make(config_of(bits), 384, Metric::dot)->code_bytes() == 48 * bits + 8);
    CHECK(make(config_of(bits), 384, Metric::euclid)->code_bytes() == 48 * bits + 8);
    CHECK(make(config_of(bits), 3, Metric::dot)->code_bytes() == (3 * bits + 7) / 8 + 8);
    CHECK(check(config_of(bits), 384, Metric::manhattan).error().code == base::Code::unsupported);
  }
}

TEST_CASE("rabitq: the same sample and seed train the same, on any number of threads") {
  const auto one = trained(4, 24, Metric::dot, 1)->parameters();
  CHECK(trained(4, 24, Metric::dot, 1)->parameters() == one);
  CHECK(trained(4, 24, Metric::dot, 3)->parameters() == one);
}

TEST_CASE("rabitq: training tells how far it is and stops when told to") {
  const std::vector<float> sample = clustered_values(24, 1000, 1);
  uint64_t calls = 0;
  Training training{.rows = sample, .seed = 5};
  training.progress = [&](uint64_t done, uint64_t total) {
    CHECK(done == ++calls);
    CHECK(done <= total);
    return true;
  };
  CHECK(train(config_of(1), 24, Metric::dot, training) != nullptr);
  CHECK(calls > 1);
  training.progress = [](uint64_t done, uint64_t) { return done < 2; };
  CHECK(train(config_of(1), 24, Metric::dot, training) == nullptr);
}

TEST_CASE("rabitq: centroids make errors smaller, and the deviation knows") {
  constexpr uint32_t dim = 96;
  const std::vector<float> values = clustered_values(dim, 400, 3);
  const std::vector<float> queries = clustered_values(dim, 16, 4);
  for (const Metric metric : {Metric::dot, Metric::euclid}) {
    for (const unsigned bits : k_bits) {
      CAPTURE(bits);
      double before = 0;
      for (const auto& quantizer :
           {make(config_of(bits), dim, metric), trained(bits, dim, metric)}) {
        const EncodedRows rows(*quantizer, values);
        double squares = 0;
        double in_deviations = 0;
        for (size_t q = 0; q < queries.size() / dim; ++q) {
          const Row query = Row(queries).subspan(q * dim, dim);
          const auto encoded = quantizer->encode_query(query.data());
          const auto estimates = rows.estimates(*quantizer, query);
          for (size_t r = 0; r < rows.count; ++r) {
            const double error = estimates[r] - exact_similarity(metric, query, rows.row(r));
            const double deviation = quantizer->deviation(*encoded, rows.code(r));
            squares += error * error;
            in_deviations += error * error / (deviation * deviation);
          }
        }
        const double found =
            std::sqrt(in_deviations / static_cast<double>(rows.count * (queries.size() / dim)));
        CHECK(found >= 0.7);
        CHECK(found <= 1.2);
        if (before > 0) {
          CHECK(squares < before);
        }
        before = squares;
      }
    }
  }
}

TEST_CASE("rabitq: a row is nearest to itself, and nothing is nearer than at no distance") {
  for (const unsigned bits : k_bits) {
    const auto quantizer = make(config_of(bits), 100, Metric::euclid);
    const EncodedRows rows(*quantizer, normal_values(6400, 10, 1, 1));
    for (size_t r = 0; r < rows.count; ++r) {
      CHECK(rows.estimates(*quantizer, rows.row(r))[r] <= 0);
    }
  }
}

TEST_CASE("rabitq: no finite row and no finite query make a NaN") {
  for (const Metric metric : {Metric::dot, Metric::euclid}) {
    for (const unsigned bits : k_bits) {
      for (const uint32_t dim : {1U, 2U, 384U}) {
        const auto quantizer = make(config_of(bits), dim, metric);
        for (const float low : {-FLT_MAX, -1e18F, -0x1p-149F, 0.0F, 1e18F}) {
          for (const float high : {0.0F, 0x1p-149F, FLT_MIN, 1e18F, FLT_MAX}) {
            std::vector<float> row(dim, low);
            row.back() = high;
            const std::vector<float> reversed(row.rbegin(), row.rend());
            const EncodedRows encoded(*quantizer, row);
            CAPTURE(low);
            CAPTURE(high);
            for (const auto& query : {row, reversed}) {
              CHECK_FALSE(std::isnan(encoded.estimates(*quantizer, query)[0]));
              CHECK_FALSE(std::isnan(
                  quantizer->deviation(*quantizer->encode_query(query.data()), encoded.code(0))));
            }
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

TEST_CASE("rabitq: every instruction set makes the same codes and estimates") {
  for (const Metric metric : {Metric::dot, Metric::euclid}) {
    for (const unsigned bits : k_bits) {
      for (const uint32_t dim : {1U, 33U, 100U, 384U}) {
        const std::vector<float> centroids = normal_values(size_t{5} * dim, 0, 0.5, dim);
        const RabitqQuantizer expected(dim, metric, bits, 7, centroids,
                                       *simd::supported_kernels().front());
        const EncodedRows expected_rows(expected, normal_values(size_t{70} * dim, 0.3, 1, dim));
        const std::vector<float> query = normal_values(dim, 0, 1, dim + 1);
        const std::vector<uint32_t> others = {3, 1, 69, 40};
        std::vector<float> expected_similarities(others.size());
        expected.similarities(expected_rows.codes.data(), 2, others, expected_similarities.data());
        for (const simd::Kernels* table : simd::supported_kernels()) {
          const RabitqQuantizer quantizer(dim, metric, bits, 7, centroids, *table);
          const EncodedRows rows(quantizer, expected_rows.values);
          CAPTURE(std::string(simd::name(table->isa)));
          CHECK(rows.codes == expected_rows.codes);
          CHECK(rows.estimates(quantizer, query) == expected_rows.estimates(expected, query));
          std::vector<float> similarities(others.size());
          quantizer.similarities(rows.codes.data(), 2, others, similarities.data());
          CHECK(similarities == expected_similarities);
        }
      }
    }
  }
}

TEST_CASE("rabitq: the rotation keeps products, and spreads any vector") {
  for (const uint32_t dim : {1U, 2U, 3U, 100U, 384U, 1000U, 1536U}) {
    const Rotation rotation(dim, 3);
    std::vector<float> a = normal_values(dim, 1, 1, 1);
    std::vector<float> b = normal_values(dim, 0, 1, 2);
    std::vector<float> axis(dim);
    axis[dim / 3] = 1;
    const double product = exact_similarity(Metric::dot, a, b);
    const double tolerance = 1e-5 * length(a) * length(b);
    rotation.apply(a.data(), a.data());
    rotation.apply(b.data(), b.data());
    rotation.apply(axis.data(), axis.data());
    CAPTURE(dim);
    CHECK(std::fabs(exact_similarity(Metric::dot, a, b) - product) <= tolerance);
    if (dim >= 100) {
      // Of a random unit vector the largest of 1,536 elements is above 5 / √dim once in a thousand.
      for (const float element : axis) {
        CHECK(std::fabs(element) < 5.0 / std::sqrt(dim));
      }
    }
  }
}

TEST_CASE("rabitq: a grid of more bits is nearer to the direction of a vector") {
  // For normal elements the best grids leave 0.363, 0.119, 0.0115 and 0.00004 of the square, so the
  // cosine is 0.798, 0.939, 0.9942 and 0.99998 on average, and that of 384 less by four deviations:
  constexpr double k_cosines[] = {0.77, 0.92, 0.992, 0.9999};
  for (uint64_t seed = 0; seed < 50; ++seed) {
    const std::vector<float> vector = normal_values(384, 0, 1, seed);
    for (size_t i = 0; i < std::size(k_bits); ++i) {
      std::vector<uint8_t> integers(vector.size());
      const double factor = fit_grid(vector, k_bits[i], integers.data());
      std::vector<float> point;
      for (const uint8_t integer : integers) {
        CHECK(integer < 1U << k_bits[i]);
        point.push_back(static_cast<float>(integer - ((1 << k_bits[i]) - 1) / 2.0));
      }
      const double product = exact_similarity(Metric::dot, vector, point);
      CHECK(product / length(vector) / length(point) > k_cosines[i]);
      CHECK(factor == doctest::Approx(length(vector) * length(vector) / product));
    }
  }
  std::vector<uint8_t> integers(3);
  CHECK(fit_grid(std::vector<float>(3), 4, integers.data()) == 0);
}
