#include "engine/rewrite.h"

#include <algorithm>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "engine/collection.h"
#include "engine/errors.h"
#include "engine/input_rows.h"
#include "engine/linking.h"
#include "engine/row_encoder.h"
#include "engine/stages.h"
#include "index/row_order.h"
#include "quantize/factory.h"
#include "segment/code_similarity.h"
#include "segment/segment_format.h"

namespace asyncstore::engine {

using base::Result;
using base::Status;
using segment::Segment;

namespace {

constexpr size_t k_gather_rows = 1024;  // read at once where rows are put in order

bool fewer_rows(const SegmentView& a, const SegmentView& b) {
  return std::pair(a.live_count(), a.segment->id()) < std::pair(b.live_count(), b.segment->id());
}

// As many from the front as fit into one output; at least `least`, which fit by choice.
void keep_what_fits(std::vector<SegmentView>& inputs, uint64_t bytes_max, size_t least) {
  uint64_t bytes = 0;
  size_t count = 0;
  while (count < inputs.size() &&
         (bytes_max == 0 || count < least || bytes + inputs[count].bytes() <= bytes_max)) {
    bytes += inputs[count++].bytes();
  }
  inputs.resize(count);
}

// Adds rows to the output with their codes, made here if it has codes and `encoder` is not null.
Status append_part(Segment& output, const RowPart& part, RowEncoder* encoder,
                   std::vector<uint8_t>& codes) {
  const auto count = static_cast<uint32_t>(part.entries.size());
  TRY(output.reserve(count));
  if (encoder != nullptr) {
    codes.resize(uint64_t{count} * encoder->code_bytes());
    encoder->encode(part.vectors, count, codes.data());
  }
  return output.append(part.vectors, part.entries, codes.empty() ? nullptr : codes.data());
}

// Rows in the order in which they come.
Status copy_in_turn(Rewrite& work, uint64_t live, const Stages& stages) {
  InputRows rows(work.inputs);
  std::optional<RowEncoder> encoder;
  if (work.output->quantizer()) {
    encoder.emplace(work.output->field(), *work.output->quantizer(), thread_count(*work.output));
  }
  std::vector<uint8_t> codes;
  const auto copy = [&](const RowPart& part) -> Status {
    if (!stages.show(work.output->rows(), live, "copying rows")) {
      return store_closed();
    }
    return append_part(*work.output, part, encoder ? &*encoder : nullptr, codes);
  };
  TRY(rows.read_all(copy));
  work.origins.assign(rows.places().begin(), rows.places().end());
  return {};
}

// Rows that are to have a graph, in an order of nearness: those that are candidates together then
// often lie in one block of the disk. The graph is made of codes in the order in which rows come,
// it gives the new order, and its rows are renumbered by it. Needs these codes besides: the
// output's own, or where these tell rows apart too coarsely (or slowly) for good links, half a byte
// an element.
class OrderedCopy {
 public:
  OrderedCopy(Rewrite& work, uint64_t live, const Stages& stages)
      : work_(work),
        live_(live),
        stages_(stages),
        rows_(work.inputs),
        linking_(linking_quantizer(*work.output)) {}

  Status run() {
    TRY(encode());
    const segment::CodeSimilarity similarity(*linking_, codes_.as<uint8_t>());
    const auto rows = static_cast<uint32_t>(live_);
    TRY_ASSIGN(const auto graph,
               index::Graph::build(rows, similarity, work_.output->graph_options(),
                                   stages_.stage("linking rows")));
    std::vector<uint32_t> order(live_);
    TRY(index::order_by_nearness(*graph, similarity, stages_.stage("ordering rows"), order));
    TRY(copy(order));
    TRY_ASSIGN(auto renumbered, graph->renumbered(order));
    work_.output->use_graph(std::move(renumbered));
    return {};
  }

 private:
  Status encode() {
    const uint64_t bytes = live_ * linking_->code_bytes();
    codes_ = base::Region(bytes, true);
    if (!codes_.grow(bytes)) {
      return segment::no_memory(work_.output->path("codes"));
    }
    RowEncoder encoder(work_.output->field(), *linking_, thread_count(*work_.output));
    uint8_t* next = codes_.as<uint8_t>();
    return rows_.read_all([&](const RowPart& part) -> Status {
      const auto count = static_cast<uint32_t>(part.entries.size());
      encoder.encode(part.vectors, count, next);
      next += uint64_t{count} * encoder.code_bytes();
      const bool go_on = stages_.show(rows_.places().size(), live_, "encoding rows");
      return go_on ? Status() : Status(store_closed());
    });
  }

  Status copy(std::span<const uint32_t> order) {
    Segment& output = *work_.output;
    std::optional<RowEncoder> encoder;
    if (linking_ != output.quantizer()) {
      encoder.emplace(output.field(), *output.quantizer(), thread_count(output));
    }
    const uint64_t code_bytes = linking_->code_bytes();
    std::vector<uint8_t> codes;
    RowPart part;
    for (size_t begin = 0; begin < order.size(); begin += k_gather_rows) {
      const auto numbers = order.subspan(begin, std::min(k_gather_rows, order.size() - begin));
      TRY(rows_.gather(numbers, part));
      codes.clear();
      for (const uint32_t number : numbers) {
        const uint8_t* code = codes_.as<uint8_t>() + number * code_bytes;
        if (!encoder) {
          codes.insert(codes.end(), code, code + code_bytes);
        }
        work_.origins.push_back(rows_.places()[number]);
      }
      TRY(append_part(output, part, encoder ? &*encoder : nullptr, codes));
      if (!stages_.show(begin, live_, "copying rows")) {
        return store_closed();
      }
    }
    return {};
  }

  Rewrite& work_;
  const uint64_t live_;
  const Stages& stages_;
  InputRows rows_;
  std::shared_ptr<const quantize::Quantizer> linking_;
  base::Region codes_;  // by it, in the order in which rows come
};

}  // namespace

std::vector<SegmentView> choose_inputs(const FieldView& field, const RewriteBounds& bounds) {
  std::vector<SegmentView> inputs;
  std::vector<SegmentView> sealed;
  for (const SegmentView& view : field.segments) {
    const Segment& segment = *view.segment;
    if (segment.damaged()) {
      continue;
    }
    if (!segment.sealed()) {
      if (segment.id() < bounds.open_id_end && view.rows > 0) {
        inputs.push_back(view);
      }
    } else if (view.rows >= bounds.vacuum_rows_min &&
               view.deleted_count() > bounds.deleted_threshold * view.rows) {
      return {view};
    } else if (bounds.segment_bytes_max == 0 || view.bytes() < bounds.segment_bytes_max / 2) {
      sealed.push_back(view);
    }
  }
  std::sort(sealed.begin(), sealed.end(), fewer_rows);
  const size_t after = sealed.size() + (inputs.empty() ? 0 : 1);
  // To lose n segments, n of them join the output, or n + 1 make one.
  const size_t surplus = after > bounds.segments ? after - bounds.segments : 0;
  const size_t joining = surplus == 0 ? 0 : surplus + (inputs.empty() ? 1 : 0);
  const size_t least = inputs.empty() ? 2 : 1;
  inputs.insert(inputs.end(), sealed.begin(), sealed.begin() + static_cast<ptrdiff_t>(joining));
  keep_what_fits(inputs, bounds.segment_bytes_max, least);
  return inputs;
}

Result<std::shared_ptr<const quantize::Quantizer>> train_quantizer(
    Collection& collection, const Rewrite& work, const std::function<bool()>& stopping) {
  const segment::Field& field = collection.fields()[work.field];
  const uint64_t live = live_count(work.inputs);
  if (!quantize::needs_training(field.quantization) || live == 0) {
    return std::shared_ptr<const quantize::Quantizer>();
  }
  const uint64_t rows_max = quantize::sample_rows_max(field.dim);
  const uint64_t step = (live + rows_max - 1) / rows_max;
  segment::RowCodec codec(field);
  Segment::StoredRows stored;
  std::vector<float> sample;
  uint64_t next = 0;  // of the live rows, the number of the one that is taken next
  uint64_t number = 0;
  for (const SegmentView& input : work.inputs) {
    for (uint32_t row = 0; row < input.rows; ++row) {
      if (!input.live(row) || number++ != next) {
        continue;
      }
      if (stopping() || collection.dropped()) {
        return store_closed();
      }
      next += step;
      TRY(read_live(input, row, 1, stored));
      const float* vector = codec.search_vector(stored.row(input.segment->layout(), 0));
      sample.insert(sample.end(), vector, vector + field.dim);
    }
  }
  const Stages stages(collection, stopping);
  const quantize::Training training{.rows = sample,
                                    .seed = work.inputs[0].segment->id(),
                                    .threads = std::thread::hardware_concurrency(),
                                    .progress = stages.stage("training codes")};
  auto trained =
      quantize::train(field.quantization, field.dim, segment::metric_of(field.distance), training);
  if (!trained) {
    return store_closed();
  }
  return trained;
}

Status fill_output(Collection& collection, Rewrite& work, const std::function<bool()>& stopping) {
  const Stages stages(collection, stopping);
  const uint64_t live = live_count(work.inputs);
  work.origins.reserve(live);
  return work.output->wants_graph(static_cast<uint32_t>(live))
             ? OrderedCopy(work, live, stages).run()
             : copy_in_turn(work, live, stages);
}

}  // namespace asyncstore::engine
