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

// Of the graphs over its codes.
struct GraphSettings {
  uint32_t m = 16;  // 0: none
  uint32_t ef_construct = 100;
  uint32_t threads = 0;  // that make one, no more than CPUs; 0: one for each
  uint64_t full_scan_threshold_bytes = uint64_t{10000} << 10;  // fewer originals are scanned

  friend bool operator==(const GraphSettings&, const GraphSettings&) = default;
};

struct Field {
  std::string name;
  uint32_t dim = 0;
  Distance distance = Distance::cosine;
  Datatype datatype = Datatype::float32;
  quantize::Config quantization;
  GraphSettings graph = {};

  friend bool operator==(const Field&, const Field&) = default;
};

uint32_t element_bytes(Datatype datatype);
inline uint32_t row_bytes(const Field& field) {
  return field.dim * element_bytes(field.datatype);
}

// m is 0 or what graphs can have, ef_construct at least 4.
bool is_possible(const GraphSettings& graph);

// Cosine is the dot product of unit vectors; all but uint8 rows are stored with unit length.
quantize::Metric metric_of(Distance distance);
// One that needs no training; null for Kind::none.
std::shared_ptr<const quantize::Quantizer> make_quantizer(const Field& field);

}  // namespace asyncstore::segment
