// The end of a computation in double.
#pragma once

#include <cfloat>
#include <cmath>
#include <limits>

namespace asyncstore::quantize {

// Sums and products of float32 of any magnitude are finite in double: with up to 2^16 elements
// below 2^128 a squared norm is below 2^272. Only here, at the end, may a value leave the range.
inline float to_float(double value) {
  if (std::fabs(value) > FLT_MAX) {
    return value > 0 ? std::numeric_limits<float>::infinity()
                     : -std::numeric_limits<float>::infinity();
  }
  return static_cast<float>(value);
}

}  // namespace asyncstore::quantize
