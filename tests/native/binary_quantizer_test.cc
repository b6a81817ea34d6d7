#include "quantize/binary_quantizer.h"

#include <doctest/doctest.h>

#include <cfloat>
#include <string>

#include "quantizer_conformance.h"

using namespace asyncstore;
using namespace asyncstore::quantize;

namespace {

constexpr BinaryEncoding k_encodings[] = {
    BinaryEncoding::one_bit, BinaryEncoding::one_and_half_bits, BinaryEncoding::two_bits};
constexpr QueryEncoding k_query_encodings[] = {QueryEncoding::standard, QueryEncoding::binary,
                                               QueryEncoding::scalar4bits,
                                               QueryEncoding::scalar8bits};

Config config_of(BinaryEncoding encoding, QueryEncoding query_encoding = QueryEncoding::standard) {
  return {.kind = Kind::binary, .encoding = encoding, .query_encoding = query_encoding};
}

double squared(Row vector) {
  double sum = 0;
  for (const float element : vector) {
    sum += static_cast<double>(element) * element;
  }
  return sum;
}

// The error is at right angles to the row, so the code's is at most |x| / (cosine of row and bits),
// and a row all of whose length is in one element has a cosine of 1 / √dim. A query that is coded
// like a row is as far off again.
double error_max(Metric metric, Row query, Row row) {
  const double dim = static_cast<double>(row.size());
  const double stretch = 2 + 2 * std::sqrt(dim);
  const double dot = std::sqrt(squared(query) * squared(row)) * stretch * stretch;
  if (metric == Metric::dot) {
    return dot + 1e-37;
  }
  const double distance = squared(query) + squared(row) + 2 * dot;
  return (metric == Metric::euclid ? distance : std::sqrt(dim * distance) * 2) + 1e-18;
}

}  // namespace

TEST_CASE("binary: conformance") {
  for (const BinaryEncoding encoding : k_encodings) {
    for (const QueryEncoding query_encoding : k_query_encodings) {
      CAPTURE(static_cast<int>(encoding));
      CAPTURE(static_cast<int>(query_encoding));
      check_conformance({.make =
                             [&](uint32_t dim, Metric metric) {
                               return make(config_of(encoding, query_encoding), dim, metric);
                             },
                         .error_max = error_max,
                         .recall_min = query_encoding == QueryEncoding::binary ? 0.1 : 0.15});
    }
  }
}

TEST_CASE("binary: bytes of a code") {
  CHECK(make(config_of(BinaryEncoding::one_bit), 384, Metric::dot)->code_bytes() == 48 + 8);
  CHECK(make(config_of(BinaryEncoding::one_and_half_bits), 384, Metric::dot)->code_bytes() ==
        72 + 8);
  CHECK(make(config_of(BinaryEncoding::two_bits), 384, Metric::dot)->code_bytes() == 96 + 8);
  CHECK(make(config_of(BinaryEncoding::one_and_half_bits), 3, Metric::dot)->code_bytes() == 1 + 8);
}

TEST_CASE("binary: more bits find more, and so do queries of more bits") {
  const auto found = [](BinaryEncoding encoding, QueryEncoding query_encoding) {
    return recall(*make(config_of(encoding, query_encoding), 128, Metric::dot), Metric::dot, 20);
  };
  CHECK(found(BinaryEncoding::two_bits, QueryEncoding::standard) >
        found(BinaryEncoding::one_bit, QueryEncoding::standard));
  for (const BinaryEncoding encoding : k_encodings) {
    CHECK(found(encoding, QueryEncoding::scalar4bits) > found(encoding, QueryEncoding::binary));
  }
}

TEST_CASE("binary: no finite row and no finite query make a NaN") {
  for (const Metric metric : {Metric::dot, Metric::euclid, Metric::manhattan}) {
    for (const BinaryEncoding encoding : k_encodings) {
      for (const QueryEncoding query_encoding : k_query_encodings) {
        const auto quantizer = make(config_of(encoding, query_encoding), 5, metric);
        for (const float low : {-FLT_MAX, -1e18F, -0x1p-149F, 0.0F, 1e18F}) {
          for (const float high : {0.0F, 0x1p-149F, FLT_MIN, 1e18F, FLT_MAX}) {
            std::vector<float> row(5, low);
            row.back() = high;
            const EncodedRows encoded(*quantizer, row);
            CAPTURE(low);
            CAPTURE(high);
            CHECK_FALSE(std::isnan(encoded.estimates(*quantizer, row)[0]));
            CHECK_FALSE(std::isnan(
                quantizer->deviation(*quantizer->encode_query(row.data()), encoded.code(0))));
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

TEST_CASE("binary: every instruction set makes the same estimates") {
  for (const BinaryEncoding encoding : k_encodings) {
    for (const uint32_t dim : {1U, 33U, 384U}) {
      const BinaryQuantizer expected(dim, Metric::dot, encoding, QueryEncoding::standard,
                                     *simd::supported_kernels().front());
      const EncodedRows expected_rows(expected, normal_values(size_t{70} * dim, 0, 1, dim));
      const std::vector<float> query = normal_values(dim, 0, 1, dim + 1);
      for (const simd::Kernels* table : simd::supported_kernels()) {
        const BinaryQuantizer quantizer(dim, Metric::dot, encoding, QueryEncoding::standard,
                                        *table);
        const EncodedRows rows(quantizer, expected_rows.values);
        CAPTURE(std::string(simd::name(table->isa)));
        CHECK(rows.codes == expected_rows.codes);
        CHECK(rows.estimates(quantizer, query) == expected_rows.estimates(expected, query));
      }
    }
  }
}
