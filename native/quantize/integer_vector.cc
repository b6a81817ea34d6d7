#include "quantize/integer_vector.h"

#include <algorithm>
#include <cmath>

namespace asyncstore::quantize {

IntegerVector to_integers(std::span<const float> vector, int integer_max, size_t size) {
  IntegerVector rounded;
  rounded.integers.resize(size);
  double largest = 0;
  for (const float element : vector) {
    largest = std::max(largest, std::fabs(static_cast<double>(element)));
  }
  rounded.step = largest / integer_max;
  for (size_t i = 0; i < vector.size() && largest > 0; ++i) {
    // |element / largest| is at most 1, also after rounding.
    const double integer = std::nearbyint(vector[i] / largest * integer_max);
    const double left = vector[i] - rounded.step * integer;
    rounded.integers[i] = static_cast<int8_t>(integer);
    rounded.sum += integer;
    rounded.squared_residual += left * left;
  }
  return rounded;
}

}  // namespace asyncstore::quantize
