#include "segment/field.h"

#include "base/limits.h"
#include "index/graph_layout.h"
#include "quantize/factory.h"

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

bool is_possible(const GraphSettings& graph) {
  return (graph.m == 0 || (graph.m >= index::k_m_min && graph.m <= index::k_m_max)) &&
         graph.ef_construct >= 4 && graph.ef_construct <= base::k_candidates_max;
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

std::shared_ptr<const quantize::Quantizer> make_quantizer(const Field& field) {
  return quantize::make(field.quantization, field.dim, metric_of(field.distance));
}

}  // namespace asyncstore::segment
