#include "engine/linking.h"

#include <algorithm>
#include <cstring>
#include <thread>
#include <utility>

#include "engine/errors.h"
#include "engine/input_rows.h"
#include "engine/row_encoder.h"
#include "engine/stages.h"
#include "quantize/factory.h"
#include "segment/code_similarity.h"
#include "segment/segment_format.h"

namespace asyncstore::engine {

using base::Result;
using base::Status;
using segment::Segment;

namespace {

constexpr uint8_t k_linking_bits = 4;   // at least so many an element make good links
constexpr uint32_t k_part_rows = 1024;  // read at once

// Codes of all rows by `linking`. Rows that are deleted may be damaged, and are zeros.
Result<base::Region> linking_codes(const SegmentView& view, const quantize::Quantizer& linking,
                                   const Stages& stages) {
  const Segment& segment = *view.segment;
  const uint64_t bytes = uint64_t{view.rows} * linking.code_bytes();
  base::Region codes(bytes, true);
  if (!codes.grow(bytes)) {
    return segment::no_memory(segment.path("codes"));
  }
  RowEncoder encoder(segment.field(), linking, thread_count(segment));
  Segment::StoredRows stored;
  for (uint32_t first = 0; first < view.rows; first += k_part_rows) {
    if (!stages.show(first, view.rows, "encoding rows")) {
      return store_closed();
    }
    const uint32_t count = std::min(k_part_rows, view.rows - first);
    TRY(read_live(view, first, count, stored));
    const uint64_t stride = segment.layout().stride();
    for (uint32_t i = 0; i < count; ++i) {
      if (!view.live(first + i)) {
        std::memset(stored.vectors.data() + i * stride, 0, stride);
      }
    }
    encoder.encode(base::Bytes(stored.vectors).first(count * stride), count,
                   codes.as<uint8_t>() + uint64_t{first} * linking.code_bytes());
  }
  return codes;
}

}  // namespace

std::shared_ptr<const quantize::Quantizer> linking_quantizer(const Segment& segment) {
  const segment::Field& field = segment.field();
  const quantize::Config& codes = field.quantization;
  const bool fine = codes.kind == quantize::Kind::scalar_int8 ||
                    (codes.kind == quantize::Kind::rabitq && codes.bits >= k_linking_bits);
  if (fine) {
    return segment.quantizer();
  }
  const quantize::Metric metric = segment::metric_of(field.distance);
  const auto kind =
      metric == quantize::Metric::manhattan ? quantize::Kind::scalar_int8 : quantize::Kind::rabitq;
  return quantize::make({.kind = kind, .bits = k_linking_bits}, field.dim, metric);
}

uint32_t thread_count(const Segment& segment) {
  const uint32_t threads = segment.graph_options().threads;
  return threads > 0 ? threads : std::max(std::thread::hardware_concurrency(), 1U);
}

Status make_graph(Collection& collection, const SegmentView& view,
                  const std::function<bool()>& stopping) {
  Segment& segment = *view.segment;
  const Stages stages(collection, stopping);
  const auto linking = linking_quantizer(segment);
  base::Region own;
  const uint8_t* codes = segment.codes(0);
  if (linking != segment.quantizer()) {
    TRY_ASSIGN(own, linking_codes(view, *linking, stages));
    codes = own.as<uint8_t>();
  }
  const segment::CodeSimilarity similarity(*linking, codes);
  TRY_ASSIGN(auto graph, index::Graph::build(view.rows, similarity, segment.graph_options(),
                                             stages.stage("linking rows")));
  segment.use_graph(std::move(graph));
  return {};
}

}  // namespace asyncstore::engine
