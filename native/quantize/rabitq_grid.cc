#include "quantize/rabitq_grid.h"

#include <algorithm>
#include <cmath>

namespace asyncstore::quantize {
namespace {

// Sums in eight lanes, which compilers turn into vectors and which give the same bits everywhere.
constexpr size_t k_lanes = 8;

double total(const float (&lanes)[k_lanes]) {
  double sum = 0;
  for (const float lane : lanes) {
    sum += lane;
  }
  return sum;
}

// A grid point's product with the vector, and its own with itself.
struct Fit {
  double product = 0;
  double squared = 0;

  // The square of its cosine, but for the length of the vector.
  double quality() const { return squared > 0 ? product * product / squared : 0; }
};

// The integer of the grid element that is nearest, of 2 · limit of them, as a float.
float nearest_integer(float scaled, float limit) {
  const float inside = std::min(std::max(scaled + limit, 0.0F), 2 * limit - 1);
  return static_cast<float>(static_cast<int32_t>(inside));
}

Fit fit_at(std::span<const float> vector, float factor, float limit) {
  float products[k_lanes] = {};
  float squares[k_lanes] = {};
  size_t i = 0;
  for (; i + k_lanes <= vector.size(); i += k_lanes) {
    for (size_t lane = 0; lane < k_lanes; ++lane) {
      const float element = vector[i + lane];
      const float point = nearest_integer(element * factor, limit) + 0.5F - limit;
      products[lane] += point * element;
      squares[lane] += point * point;
    }
  }
  for (size_t lane = 0; i < vector.size(); ++i, ++lane) {
    const float point = nearest_integer(vector[i] * factor, limit) + 0.5F - limit;
    products[lane] += point * vector[i];
    squares[lane] += point * point;
  }
  return {total(products), total(squares)};
}

// How much further than to the vector's largest element a grid may have to be stretched: with few
// bits the best one clips. Found for normal elements: with 2 bits the step is 0.996 of their
// standard deviation, with 4 bits 0.335, and the largest of a thousand is 3.3 of it.
struct Search {
  float first, last;
  int steps;
};

Search search_for(unsigned bits) {
  switch (bits) {
    case 2:
      return {0.95F, 2.6F, 12};
    case 4:
      return {0.98F, 1.6F, 10};
    default:
      return {0.99F, 1.16F, 6};
  }
}

// Moves single elements by a step wherever that brings the point nearer to the vector's direction.
// Its product with the vector is positive and stays so.
void improve(std::span<const float> vector, unsigned bits, uint8_t* integers, Fit& fit) {
  const int last = (1 << bits) - 1;
  for (size_t i = 0; i < vector.size(); ++i) {
    // Only a step towards the vector, as the point is now scaled, can help.
    const double element = vector[i];
    const double point = integers[i] - last / 2.0;
    const int step = element * fit.squared > point * fit.product ? 1 : -1;
    if (integers[i] + step < 0 || integers[i] + step > last) {
      continue;
    }
    const Fit moved{fit.product + step * element, fit.squared + 2 * step * point + 1};
    if (moved.product * moved.product * fit.squared > fit.product * fit.product * moved.squared) {
      integers[i] = static_cast<uint8_t>(integers[i] + step);
      fit = moved;
    }
  }
}

}  // namespace

double fit_grid(std::span<const float> vector, unsigned bits, uint8_t* integers) {
  float largest = 0;
  double squared_length = 0;
  for (const float element : vector) {
    largest = std::max(largest, std::fabs(element));
    squared_length += static_cast<double>(element) * element;
  }
  const auto limit = static_cast<float>(1 << (bits - 1));
  const float widest = limit / largest;
  if (!(largest > 0) || !std::isfinite(widest) || !std::isfinite(largest)) {
    std::fill_n(integers, vector.size(), static_cast<uint8_t>(limit));
    return 0;
  }
  float factor = widest;
  if (bits > 1) {
    const auto [first, last, steps] = search_for(bits);
    double best = 0;
    for (int step = 0; step <= steps; ++step) {
      const float candidate =
          widest * (first + (last - first) * static_cast<float>(step) / static_cast<float>(steps));
      const double quality = fit_at(vector, candidate, limit).quality();
      if (quality > best) {
        best = quality;
        factor = candidate;
      }
    }
  }
  Fit fit;
  for (size_t i = 0; i < vector.size(); ++i) {
    const float integer = nearest_integer(vector[i] * factor, limit);
    const float point = integer + 0.5F - limit;
    integers[i] = static_cast<uint8_t>(integer);
    fit.product += static_cast<double>(point) * vector[i];
    fit.squared += static_cast<double>(point) * point;
  }
  if (bits > 1 && fit.product > 0) {
    improve(vector, bits, integers, fit);
  }
  return fit.product > 0 ? squared_length / fit.product : 0;
}

}  // namespace asyncstore::quantize
