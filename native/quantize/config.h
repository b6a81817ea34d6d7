// What a collection asks of its codes.
#pragma once

#include <cstdint>

namespace asyncstore::quantize {

// The numbers of these are on disk.
enum class Kind : uint8_t { none = 0, scalar_int8 = 1, product = 2, binary = 3, rabitq = 4 };
enum class BinaryEncoding : uint8_t { one_bit = 0, one_and_half_bits = 1, two_bits = 2 };
enum class QueryEncoding : uint8_t { standard = 0, binary = 1, scalar4bits = 2, scalar8bits = 3 };

enum class Metric : uint8_t {
  dot = 0,
  euclid = 1,
  manhattan = 2
};  // cosine is dot of unit vectors

// Members that the kind has no use for keep their defaults.
struct Config {
  Kind kind = Kind::none;
  float quantile = 1.0F;                                   // scalar_int8: 0.5 … 1
  uint8_t bits = 4;                                        // rabitq: 1, 2, 4 or 8 an element
  uint8_t compression = 16;                                // product: 4, 8, 16, 32 or 64 times
  BinaryEncoding encoding = BinaryEncoding::one_bit;       // binary
  QueryEncoding query_encoding = QueryEncoding::standard;  // binary

  friend bool operator==(const Config&, const Config&) = default;
};

}  // namespace asyncstore::quantize
