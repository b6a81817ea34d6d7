#include "quantize/part_centroids.h"

#include <random>
#include <vector>

namespace asyncstore::quantize {
namespace {

constexpr int k_iterations = 8;

}  // namespace

uint8_t nearest_of_part(std::span<const float> vector, const float* centroids) {
  float distances[k_part_centroids] = {};
  for (size_t j = 0; j < vector.size(); ++j) {
    const float element = vector[j];
    const float* of_element = centroids + j * k_part_centroids;
    for (uint32_t k = 0; k < k_part_centroids; ++k) {
      const float difference = element - of_element[k];
      distances[k] += difference * difference;
    }
  }
  // The least in eight lanes first, which compilers turn into vectors, then where it is.
  float least[8];
  for (size_t lane = 0; lane < 8; ++lane) {
    least[lane] = distances[lane];
  }
  for (uint32_t k = 8; k < k_part_centroids; k += 8) {
    for (size_t lane = 0; lane < 8; ++lane) {
      least[lane] = distances[k + lane] < least[lane] ? distances[k + lane] : least[lane];
    }
  }
  float smallest = least[0];
  for (const float lane : least) {
    smallest = lane < smallest ? lane : smallest;
  }
  uint32_t nearest = 0;
  while (nearest + 1 < k_part_centroids && !(distances[nearest] <= smallest)) {
    ++nearest;
  }
  return static_cast<uint8_t>(nearest);
}

void train_part(const float* vectors, size_t count, size_t stride, uint32_t size, uint64_t seed,
                float* centroids) {
  std::mt19937_64 random(seed);
  // Rows in equal steps from a random one: different ones, where there are enough.
  const size_t begin = random() % count;
  for (uint32_t k = 0; k < k_part_centroids; ++k) {
    const float* vector = vectors + (begin + k * count / k_part_centroids) % count * stride;
    for (uint32_t j = 0; j < size; ++j) {
      centroids[j * k_part_centroids + k] = vector[j];
    }
  }
  std::vector<double> sums(size_t{size} * k_part_centroids);
  std::vector<uint32_t> counts(k_part_centroids);
  for (int iteration = 0; iteration < k_iterations; ++iteration) {
    sums.assign(sums.size(), 0);
    counts.assign(counts.size(), 0);
    for (size_t i = 0; i < count; ++i) {
      const float* vector = vectors + i * stride;
      const uint8_t nearest = nearest_of_part({vector, size}, centroids);
      ++counts[nearest];
      for (uint32_t j = 0; j < size; ++j) {
        sums[j * k_part_centroids + nearest] += vector[j];
      }
    }
    for (size_t i = 0; i < sums.size(); ++i) {
      if (const uint32_t rows = counts[i % k_part_centroids]; rows > 0) {
        centroids[i] = static_cast<float>(sums[i] / rows);
      }
    }
  }
}

}  // namespace asyncstore::quantize
