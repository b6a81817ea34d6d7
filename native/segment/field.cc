#include "segment/field.h"

#include "quantize/scalar_quantizer.h"

namespace asyncstore::segment {

uint32_t element_bytes(Datatype datatype) {
  switch (datatype) {
    case Datatype::float32:
      return 4;
    case Datatype::float16:
      return 2;
    case Datatype::uint8:
      return 1;
  }
  return 0;
}

quantize::Metric metric_of(Distance distance) {
  switch (distance) {
    case Distance::cosine:
    case Distance::dot:
      return quantize::Metric::dot;
    case Distance::euclid:
      return quantize::Metric::euclid;
    case Distance::manhattan:
      return quantize::Metric::manhattan;
  }
  return quantize::Metric::dot;
}

std::unique_ptr<quantize::Quantizer> make_quantizer(const Field& field) {
  switch (field.quantization) {
    case quantize::Kind::none:
      return nullptr;
    case quantize::Kind::scalar_int8:
      return quantize::make_scalar_quantizer(field.dim, metric_of(field.distance), field.quantile);
  }
  return nullptr;
}

}  // namespace asyncstore::segment
