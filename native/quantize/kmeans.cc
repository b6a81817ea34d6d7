#include "quantize/kmeans.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <random>
#include <thread>

#include "base/assert.h"
#include "base/thread.h"

namespace asyncstore::quantize {
namespace {

// Different rows in random order, chosen by a shuffle of our own: that of the library may differ.
std::vector<float> first_centroids(std::span<const float> rows, uint32_t dim, uint32_t count,
                                   uint64_t seed) {
  std::vector<uint32_t> order(rows.size() / dim);
  std::iota(order.begin(), order.end(), 0U);
  std::mt19937_64 random(seed);
  std::vector<float> centroids;
  centroids.reserve(size_t{count} * dim);
  for (uint32_t i = 0; i < count; ++i) {
    std::swap(order[i], order[i + random() % (order.size() - i)]);
    const float* row = rows.data() + size_t{order[i]} * dim;
    centroids.insert(centroids.end(), row, row + dim);
  }
  return centroids;
}

// Each row's centroid, the rows divided among threads.
void assign(std::span<const float> rows, std::span<const float> centroids,
            const KmeansOptions& options, const simd::Kernels& kernels,
            std::vector<uint32_t>& assigned) {
  const size_t part = (assigned.size() + options.threads - 1) / options.threads;
  const auto work = [&](size_t begin) {
    const size_t end = std::min(begin + part, assigned.size());
    for (size_t row = begin; row < end; ++row) {
      assigned[row] =
          nearest_centroid(rows.data() + row * options.dim, centroids, options.dim, kernels);
    }
  };
  std::vector<std::thread> threads;
  for (size_t begin = part; begin < assigned.size(); begin += part) {
    threads.emplace_back([&work, begin] {
      base::describe_thread("as-train", base::k_nice_background);
      work(begin);
    });
  }
  work(0);
  for (std::thread& thread : threads) {
    thread.join();
  }
}

// Moves each centroid to the mean of its rows; one without rows stays where it was.
void move(std::span<const float> rows, const std::vector<uint32_t>& assigned, uint32_t dim,
          std::vector<float>& centroids) {
  std::vector<double> sums(centroids.size());
  std::vector<uint32_t> counts(centroids.size() / dim);
  for (size_t row = 0; row < assigned.size(); ++row) {
    const float* from = rows.data() + row * dim;
    double* sum = sums.data() + size_t{assigned[row]} * dim;
    ++counts[assigned[row]];
    for (uint32_t i = 0; i < dim; ++i) {
      sum[i] += from[i];
    }
  }
  for (size_t i = 0; i < centroids.size(); ++i) {
    if (const uint32_t count = counts[i / dim]; count > 0) {
      centroids[i] = static_cast<float>(sums[i] / count);
    }
  }
}

}  // namespace

uint32_t nearest_centroid(const float* row, std::span<const float> centroids, uint32_t dim,
                          const simd::Kernels& kernels) {
  uint32_t nearest = 0;
  float least = std::numeric_limits<float>::infinity();
  for (uint32_t i = 0; i < centroids.size() / dim; ++i) {
    const float distance = kernels.l2_f32(row, centroids.data() + size_t{i} * dim, dim);
    if (distance < least) {
      least = distance;
      nearest = i;
    }
  }
  return nearest;
}

std::vector<float> kmeans(std::span<const float> rows, const KmeansOptions& options,
                          const simd::Kernels& kernels) {
  ASSERT(options.dim > 0 && options.centroids > 0 && options.threads > 0 && !rows.empty());
  std::vector<uint32_t> assigned(rows.size() / options.dim);
  const auto count = static_cast<uint32_t>(std::min<size_t>(options.centroids, assigned.size()));
  std::vector<float> centroids = first_centroids(rows, options.dim, count, options.seed);
  for (uint32_t iteration = 0; iteration < options.iterations; ++iteration) {
    assign(rows, centroids, options, kernels, assigned);
    move(rows, assigned, options.dim, centroids);
    if (options.progress && !options.progress(iteration + 1)) {
      return {};
    }
  }
  return centroids;
}

}  // namespace asyncstore::quantize
