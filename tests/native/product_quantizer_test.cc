#include "quantize/product_quantizer.h"

#include <doctest/doctest.h>

#include <string>

#include "quantizer_conformance.h"

using namespace asyncstore;
using namespace asyncstore::quantize;

namespace {

constexpr uint8_t k_compressions[] = {4, 8, 16, 32, 64};

Config config_of(uint8_t compression) {
  return {.kind = Kind::product, .compression = compression};
}

// Of normal rows, as the suite takes.
std::shared_ptr<const Quantizer> trained(uint8_t compression, uint32_t dim, Metric metric,
                                         uint32_t threads = 1) {
  const size_t rows = dim > 1000 ? 20 : dim > 200 ? 300 : 1000;
  const std::vector<float> sample = normal_values(rows * dim, 0, 1, 77);
  return train(config_of(compression), dim, metric,
               {.rows = sample, .seed = 3, .threads = threads});
}

}  // namespace

TEST_CASE("product: conformance on rows like those of the training") {
  for (const uint8_t compression : k_compressions) {
    const QuantizerKind kind = {
        .make = [&](uint32_t dim, Metric metric) { return trained(compression, dim, metric); },
        // Whatever the code, within what both vectors and a centroid can add.
        .error_max =
            [](Metric metric, Row query, Row row) {
              double lengths = 0;
              for (size_t i = 0; i < row.size(); ++i) {
                lengths += std::fabs(query[i]) + std::fabs(row[i]) + 5;
              }
              return metric == Metric::manhattan ? lengths : lengths * lengths;
            },
        .recall_min = compression == 4   ? 0.9
                      : compression == 8 ? 0.6
                                         : 0.05};
    for (const Metric metric : kind.metrics) {
      CAPTURE(static_cast<int>(metric));
      CAPTURE(static_cast<int>(compression));
      check_blocks(kind, metric);
      check_rows(kind, metric);
      check_similarities(kind, metric);
      check_deviation(kind, metric);
      check_recall(kind, metric);
    }
  }
}

TEST_CASE("product: what training found comes back, and hostile bytes do no harm") {
  for (const uint8_t compression : k_compressions) {
    for (const Metric metric : {Metric::dot, Metric::euclid, Metric::manhattan}) {
      check_parameters(config_of(compression), metric, *trained(compression, 21, metric));
    }
  }
}

TEST_CASE("product: int8 stands in until there is a training") {
  const auto untrained = make(config_of(16), 40, Metric::dot);
  CHECK(untrained->kind() == Kind::scalar_int8);
  const auto loaded = load(config_of(16), 40, Metric::dot, untrained->parameters());
  REQUIRE(loaded.ok());
  CHECK(loaded.value()->kind() == Kind::scalar_int8);
}

TEST_CASE("product: bytes of a code") {
  CHECK(trained(4, 33, Metric::dot)->code_bytes() == 33 + 8);
  CHECK(trained(8, 33, Metric::dot)->code_bytes() == 17 + 8);
  CHECK(trained(16, 33, Metric::dot)->code_bytes() == 9 + 8);
  CHECK(trained(32, 33, Metric::dot)->code_bytes() == 5 + 8);
  CHECK(trained(64, 33, Metric::dot)->code_bytes() == 3 + 8);
}

TEST_CASE("product: the same sample and seed train the same, on any number of threads") {
  const auto one = trained(8, 24, Metric::dot, 1)->parameters();
  CHECK(trained(8, 24, Metric::dot, 1)->parameters() == one);
  CHECK(trained(8, 24, Metric::dot, 3)->parameters() == one);
}

TEST_CASE("product: training tells how far it is and stops when told to") {
  const std::vector<float> sample = normal_values(size_t{300} * 24, 0, 1, 1);
  uint64_t last = 0;
  Training training{.rows = sample, .seed = 5};
  training.progress = [&](uint64_t done, uint64_t total) {
    CHECK(done > last);
    CHECK(done <= total);
    last = done;
    return true;
  };
  CHECK(train(config_of(8), 24, Metric::dot, training) != nullptr);
  CHECK(last == 12);
  training.progress = [](uint64_t done, uint64_t) { return done < 2; };
  CHECK(train(config_of(8), 24, Metric::dot, training) == nullptr);
}

TEST_CASE("product: a sample of few rows, and of equal ones") {
  for (const size_t rows : {size_t{1}, size_t{2}, size_t{300}}) {
    const std::vector<float> sample(rows * 10, 0.5F);
    const auto quantizer = train(config_of(16), 10, Metric::euclid, {.rows = sample, .seed = 5});
    REQUIRE(quantizer != nullptr);
    const EncodedRows encoded(*quantizer, {sample.begin(), sample.begin() + 10});
    CHECK(encoded.estimates(*quantizer, encoded.row(0))[0] == 0);
  }
}

TEST_CASE("product: every instruction set makes the same codes and estimates") {
  for (const uint32_t dim : {1U, 33U, 100U, 384U}) {
    const std::vector<float> centroids = normal_values(size_t{256} * dim, 0, 1, dim);
    const ProductQuantizer expected(dim, Metric::euclid, 2, centroids, {},
                                    *simd::supported_kernels().front());
    const EncodedRows expected_rows(expected, normal_values(size_t{70} * dim, 0, 1, dim + 1));
    const std::vector<float> query = normal_values(dim, 0, 1, dim + 2);
    for (const simd::Kernels* table : simd::supported_kernels()) {
      const ProductQuantizer quantizer(dim, Metric::euclid, 2, centroids, {}, *table);
      const EncodedRows rows(quantizer, expected_rows.values);
      CAPTURE(std::string(simd::name(table->isa)));
      CHECK(rows.codes == expected_rows.codes);
      CHECK(rows.estimates(quantizer, query) == expected_rows.estimates(expected, query));
    }
  }
}
