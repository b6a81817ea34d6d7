// The point of a grid that lies in the direction of a vector, as nearly as a short search finds it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace asyncstore::quantize {

// Of the grid {±1/2, ±3/2, …, ±(2^bits − 1)/2}^dim, of which a point is kept as the integers
// element + (2^bits − 1)/2, finds one whose cosine with `vector` is large, writes its integers to
// `integers`, and returns the factor that takes it to the vector without bias: |vector|² / (its
// product with the vector); 0 for a vector without length. `bits` is 1, 2, 4 or 8.
double fit_grid(std::span<const float> vector, unsigned bits, uint8_t* integers);

}  // namespace asyncstore::quantize
