#include "segment/row_codec.h"

#include <cmath>
#include <cstring>
#include <limits>

namespace asyncstore::segment {
namespace {

// Scales to unit length. Elements beyond 1e18 would overflow when squared, hence the second way.
void normalize(const simd::Kernels& kernels, float* vector, size_t dim) {
  float squared = kernels.dot_f32(vector, vector, dim);
  if (std::abs(squared - 1.0F) < 1e-6F) {
    return;
  }
  float scale = 1.0F;
  if (!std::isfinite(squared) || squared < 1e-30F) {
    float smallest;
    float largest;
    kernels.min_max_f32(vector, dim, &smallest, &largest);
    const float most = std::max(std::abs(smallest), std::abs(largest));
    if (most == 0.0F) {
      return;
    }
    for (size_t i = 0; i < dim; ++i) {
      vector[i] /= most;
    }
    squared = kernels.dot_f32(vector, vector, dim);
  }
  scale = std::sqrt(squared);
  for (size_t i = 0; i < dim; ++i) {
    vector[i] /= scale;
  }
}

}  // namespace

RowCodec::RowCodec(const Field& field)
    : field_(field), kernels_(simd::kernels()), scratch_(field.dim) {}

void RowCodec::encode(const float* vector, std::byte* row) {
  if (field_.distance == Distance::cosine && field_.datatype != Datatype::uint8) {
    std::memcpy(scratch_.data(), vector, field_.dim * sizeof(float));
    normalize(kernels_, scratch_.data(), field_.dim);
    vector = scratch_.data();
  }
  switch (field_.datatype) {
    case Datatype::float32:
      std::memcpy(row, vector, field_.dim * sizeof(float));
      break;
    case Datatype::float16:
      kernels_.f32_to_f16(vector, field_.dim, reinterpret_cast<uint16_t*>(row));
      break;
    case Datatype::uint8:
      kernels_.f32_to_u8(vector, field_.dim, reinterpret_cast<uint8_t*>(row));
      break;
  }
}

void RowCodec::decode(const std::byte* row, float* vector) const {
  switch (field_.datatype) {
    case Datatype::float32:
      std::memcpy(vector, row, field_.dim * sizeof(float));
      break;
    case Datatype::float16:
      kernels_.f16_to_f32(reinterpret_cast<const uint16_t*>(row), field_.dim, vector);
      break;
    case Datatype::uint8:
      kernels_.u8_to_f32(reinterpret_cast<const uint8_t*>(row), field_.dim, vector);
      break;
  }
}

const float* RowCodec::search_vector(const std::byte* row) {
  decode(row, scratch_.data());
  if (field_.distance == Distance::cosine && field_.datatype == Datatype::uint8) {
    normalize(kernels_, scratch_.data(), field_.dim);
  }
  return scratch_.data();
}

ExactScorer::ExactScorer(const Field& field, const float* query)
    : field_(field), kernels_(simd::kernels()), query_(query, query + field.dim) {
  if (field_.distance == Distance::cosine) {
    normalize(kernels_, query_.data(), field_.dim);
  }
}

float ExactScorer::similarity(const std::byte* row) const {
  const float similarity = computed(row);
  return std::isnan(similarity) ? -std::numeric_limits<float>::infinity() : similarity;
}

float ExactScorer::computed(const std::byte* row) const {
  const auto* f32 = reinterpret_cast<const float*>(row);
  const auto* f16 = reinterpret_cast<const uint16_t*>(row);
  const auto* u8 = reinterpret_cast<const uint8_t*>(row);
  const float* query = query_.data();
  const size_t dim = field_.dim;
  switch (field_.distance) {
    case Distance::cosine:
      if (field_.datatype == Datatype::uint8) {
        uint64_t squared = 0;
        for (size_t i = 0; i < dim; ++i) {
          squared += uint64_t{u8[i]} * u8[i];
        }
        const float length = std::sqrt(static_cast<float>(squared));
        return squared == 0 ? 0.0F : kernels_.dot_u8(query, u8, dim) / length;
      }
      [[fallthrough]];
    case Distance::dot:
      return field_.datatype == Datatype::float32   ? kernels_.dot_f32(query, f32, dim)
             : field_.datatype == Datatype::float16 ? kernels_.dot_f16(query, f16, dim)
                                                    : kernels_.dot_u8(query, u8, dim);
    case Distance::euclid:
      return -(field_.datatype == Datatype::float32   ? kernels_.l2_f32(query, f32, dim)
               : field_.datatype == Datatype::float16 ? kernels_.l2_f16(query, f16, dim)
                                                      : kernels_.l2_u8(query, u8, dim));
    case Distance::manhattan:
      return -(field_.datatype == Datatype::float32   ? kernels_.l1_f32(query, f32, dim)
               : field_.datatype == Datatype::float16 ? kernels_.l1_f16(query, f16, dim)
                                                      : kernels_.l1_u8(query, u8, dim));
  }
  return 0.0F;
}

float score_of(Distance distance, float similarity) {
  switch (distance) {
    case Distance::cosine:
    case Distance::dot:
      return similarity;
    case Distance::euclid:
      return std::sqrt(-similarity);
    case Distance::manhattan:
      return -similarity;
  }
  return similarity;
}

float similarity_floor(Distance distance, float threshold) {
  switch (distance) {
    case Distance::cosine:
    case Distance::dot:
      return threshold;
    case Distance::euclid:
      // The square and the root are rounded.
      return threshold < 0 ? std::numeric_limits<float>::infinity()
                           : -threshold * threshold * 1.00001F;
    case Distance::manhattan:
      return -threshold;
  }
  return threshold;
}

bool passes(Distance distance, float score, float threshold) {
  const bool smaller_is_nearer = distance == Distance::euclid || distance == Distance::manhattan;
  return smaller_is_nearer ? score <= threshold : score >= threshold;
}

}  // namespace asyncstore::segment
