// What RaBitQ learns of a sample, and how it is kept.
#include <algorithm>

#include "quantize/kmeans.h"
#include "quantize/parameters.h"
#include "quantize/rabitq_quantizer.h"

namespace asyncstore::quantize {

using base::Result;

namespace {

constexpr uint64_t k_rows_per_centroid_min = 32;
constexpr uint64_t k_centroid_floats_max = 2 << 20;  // 8 MiB
constexpr uint32_t k_kmeans_iterations = 10;

}  // namespace

std::vector<std::byte> RabitqQuantizer::parameters() const {
  if (!trained_) {
    return {};
  }
  ParameterWriter writer(kind(), dim_);
  writer.put(seed_);
  writer.put_floats(centroids_);
  return writer.bytes();
}

Result<std::shared_ptr<const Quantizer>> RabitqQuantizer::load(uint32_t dim, Metric metric,
                                                               unsigned bits,
                                                               base::Bytes parameters) {
  TRY_ASSIGN(ParameterReader reader, ParameterReader::open(parameters, Kind::rabitq, dim));
  const auto seed = reader.take<uint64_t>();
  TRY_ASSIGN(std::vector<float> centroids, reader.take_floats());
  TRY(reader.finish());
  if (centroids.empty() || centroids.size() % dim != 0 ||
      centroids.size() / dim > k_centroids_max) {
    return ParameterReader::impossible();
  }
  return std::shared_ptr<const Quantizer>(
      std::make_shared<RabitqQuantizer>(dim, metric, bits, seed, std::move(centroids)));
}

std::shared_ptr<const Quantizer> RabitqQuantizer::train(uint32_t dim, Metric metric, unsigned bits,
                                                        const Training& training,
                                                        uint32_t centroids_max) {
  const Rotation rotation(dim, training.seed);
  std::vector<float> rotated(training.rows.size());
  for (size_t begin = 0; begin < rotated.size(); begin += dim) {
    rotation.apply(training.rows.data() + begin, rotated.data() + begin);
  }
  const uint64_t rows = rotated.size() / dim;
  const uint64_t centroids = std::clamp<uint64_t>(
      std::min<uint64_t>(rows / k_rows_per_centroid_min, k_centroid_floats_max / dim), 1,
      centroids_max);
  if (!simd::kernels().all_finite(rotated.data(), rotated.size())) {
    return std::make_shared<RabitqQuantizer>(dim, metric, bits, training.seed,
                                             std::vector<float>(dim));
  }
  KmeansOptions options{.dim = dim,
                        .centroids = static_cast<uint32_t>(centroids),
                        .iterations = k_kmeans_iterations,
                        .seed = training.seed,
                        .threads = training.threads};
  if (training.progress) {
    options.progress = [&](uint32_t iteration) {
      return training.progress(iteration, k_kmeans_iterations);
    };
  }
  std::vector<float> found = kmeans(rotated, options);
  if (found.empty()) {
    return nullptr;
  }
  return std::make_shared<RabitqQuantizer>(dim, metric, bits, training.seed, std::move(found));
}

}  // namespace asyncstore::quantize
