// A vector rounded to small integers, for kernels that multiply bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace asyncstore::quantize {

struct IntegerVector {
  std::vector<int8_t> integers;
  double step = 0;              // element i is about step · integers[i]
  double sum = 0;               // of the integers
  double squared_residual = 0;  // of what the integers leave
};

// To −integer_max … integer_max, of at most 127; `size` integers, those behind the vector zero.
IntegerVector to_integers(std::span<const float> vector, int integer_max, size_t size);

}  // namespace asyncstore::quantize
