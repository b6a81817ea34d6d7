#include "multivector/max_sim.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/assert.h"

namespace asyncstore::multivector {

using segment::Distance;

namespace {
constexpr float k_farthest = -std::numeric_limits<float>::infinity();
}  // namespace

float sum_of_best(std::span<const float> best) {
  double sum = -0.0;  // so that a distance of 0 is not -0
  for (const float one : best) {
    sum += one;
  }
  return std::isnan(sum) ? k_farthest : static_cast<float>(sum);
}

MaxSim::MaxSim(const segment::Field& field, std::span<const float> query)
    : codec_(field), dim_(field.dim), row_bytes_(segment::row_bytes(field)) {
  ASSERT(!query.empty() && query.size() % dim_ == 0);
  const simd::Kernels& kernels = simd::kernels();
  const bool is_distance =
      field.distance == Distance::euclid || field.distance == Distance::manhattan;
  kernel_ = field.distance == Distance::euclid      ? kernels.l2_f32
            : field.distance == Distance::manhattan ? kernels.l1_f32
                                                    : kernels.dot_f32;
  sign_ = is_distance ? -1.0F : 1.0F;
  segment::Field as_float32 = field;
  as_float32.datatype = segment::Datatype::float32;
  segment::RowCodec scaling(as_float32);
  query_.resize(query.size());
  for (size_t at = 0; at < query.size(); at += dim_) {
    scaling.encode(query.data() + at, reinterpret_cast<std::byte*>(query_.data() + at));
  }
  best_.resize(query.size() / dim_);
  begin();
}

void MaxSim::begin() {
  std::fill(best_.begin(), best_.end(), k_farthest);
}

// A row is made float32 once; the query, of some kilobytes mostly, stays in the nearest cache.
void MaxSim::add(const std::byte* rows, size_t count) {
  for (size_t row = 0; row < count; ++row) {
    const float* vector = codec_.search_vector(rows + row * row_bytes_);
    const float* query = query_.data();
    for (float& best : best_) {
      const float similarity = sign_ * kernel_(query, vector, dim_);
      best = similarity > best ? similarity : best;  // NaN is not nearer
      query += dim_;
    }
  }
}

}  // namespace asyncstore::multivector
