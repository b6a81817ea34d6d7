// A named vector of a collection: what its values mean and how they are kept.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "quantize/quantizer.h"

namespace asyncstore::segment {

// The numbers are on disk.
enum class Distance : uint8_t { cosine = 0, dot = 1, euclid = 2, manhattan = 3 };
enum class Datatype : uint8_t { float32 = 0, float16 = 1, uint8 = 2 };

struct Field {
  std::string name;
  uint32_t dim = 0;
  Distance distance = Distance::cosine;
  Datatype datatype = Datatype::float32;
  quantize::Config quantization;

  friend bool operator==(const Field&, const Field&) = default;
};

uint32_t element_bytes(Datatype datatype);
inline uint32_t row_bytes(const Field& field) {
  return field.dim * element_bytes(field.datatype);
}

// Cosine is the dot product of unit vectors; all but uint8 rows are stored with unit length.
quantize::Metric metric_of(Distance distance);
// One that needs no training; null for Kind::none.
std::shared_ptr<const quantize::Quantizer> make_quantizer(const Field& field);

}  // namespace asyncstore::segment
