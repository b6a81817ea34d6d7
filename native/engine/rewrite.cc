#include "engine/rewrite.h"

#include <algorithm>
#include <string>
#include <thread>
#include <utility>

#include "engine/collection.h"
#include "engine/errors.h"
#include "quantize/factory.h"
#include "segment/row_codec.h"

namespace asyncstore::engine {

using base::Result;
using base::Status;
using segment::Segment;

namespace {

constexpr uint64_t k_part_bytes = 1 << 20;  // of an input, read and copied at once
// What codes are trained on: some hundred rows for each of 256 centroids, unless they are long.
constexpr uint64_t k_sample_rows = 32768;
constexpr uint64_t k_sample_bytes = 64 << 20;

uint64_t bytes_of(const SegmentView& view) {
  return uint64_t{view.rows} * view.segment->layout().stride();
}

bool fewer_rows(const SegmentView& a, const SegmentView& b) {
  return std::pair(a.live_count(), a.segment->id()) < std::pair(b.live_count(), b.segment->id());
}

// As many from the front as fit into one output; at least `least`, which fit by choice.
void keep_what_fits(std::vector<SegmentView>& inputs, uint64_t bytes_max, size_t least) {
  uint64_t bytes = 0;
  size_t count = 0;
  while (count < inputs.size() &&
         (bytes_max == 0 || count < least || bytes + bytes_of(inputs[count]) <= bytes_max)) {
    bytes += bytes_of(inputs[count++]);
  }
  inputs.resize(count);
}

uint64_t live_rows(const std::vector<SegmentView>& views) {
  uint64_t live = 0;
  for (const SegmentView& view : views) {
    live += view.live_count();
  }
  return live;
}

// A damaged row that belongs to no point shall not keep the others from moving.
Status read_live(const SegmentView& view, uint32_t first, uint32_t count,
                 Segment::StoredRows& stored) {
  Status read =
      view.segment->read_rows(first, count, stored, [&](uint32_t row) { return view.live(row); });
  if (!read.ok() && read.error().code == base::Code::corruption) {
    view.segment->set_damaged();
  }
  return read;
}

// One pass over the live rows of an input, in parts.
class LiveRows {
 public:
  LiveRows(const SegmentView& input)
      : input_(input),
        part_rows_(static_cast<uint32_t>(
            std::max<uint64_t>(1, k_part_bytes / input.segment->layout().stride()))) {}

  bool at_end() const { return next_ >= input_.rows; }

  // The next part: what is live in it, with its row numbers.
  Status read() {
    const uint32_t first = next_;
    const uint32_t count = std::min(part_rows_, input_.rows - first);
    next_ += count;
    TRY(read_live(input_, first, count, stored_));
    vectors.clear();
    entries.clear();
    rows.clear();
    const auto& layout = input_.segment->layout();
    for (uint32_t i = 0; i < count; ++i) {
      if (input_.live(first + i)) {
        const std::byte* stored = stored_.row(layout, i);
        vectors.insert(vectors.end(), stored, stored + layout.row_bytes());
        entries.push_back(stored_.entries[i]);
        rows.push_back(first + i);
      }
    }
    return {};
  }

  std::vector<std::byte> vectors;
  std::vector<segment::RowEntry> entries;
  std::vector<uint32_t> rows;

 private:
  const SegmentView& input_;
  const uint32_t part_rows_;
  uint32_t next_ = 0;
  Segment::StoredRows stored_;
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
    } else if (bounds.segment_bytes_max == 0 || bytes_of(view) < bounds.segment_bytes_max / 2) {
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
  const uint64_t live = live_rows(work.inputs);
  if (field.quantization.kind == quantize::Kind::none || live == 0) {
    return std::shared_ptr<const quantize::Quantizer>();
  }
  const uint64_t rows_max =
      std::clamp<uint64_t>(k_sample_bytes / (4 * uint64_t{field.dim}), 1, k_sample_rows);
  const uint64_t step = std::max<uint64_t>(1, live / rows_max);
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
  const quantize::Training training{
      .rows = sample,
      .seed = work.inputs[0].segment->id(),
      .threads = std::thread::hardware_concurrency(),
      .progress =
          [&](uint64_t done, uint64_t total) {
            collection.set_progress({"optimizing", done, total, "training codes"});
            return !stopping() && !collection.dropped();
          },
  };
  auto trained =
      quantize::train(field.quantization, field.dim, segment::metric_of(field.distance), training);
  if (!trained) {
    return store_closed();
  }
  return trained;
}

Status fill_output(Collection& collection, Rewrite& work, const std::function<bool()>& stopping) {
  const uint64_t live = live_rows(work.inputs);
  work.origins.reserve(live);
  const std::string what = "rewriting " + std::to_string(work.inputs.size()) +
                           (work.inputs.size() > 1 ? " segments as one" : " segment");
  for (const SegmentView& input : work.inputs) {
    for (LiveRows rows(input); !rows.at_end();) {
      if (stopping() || collection.dropped()) {
        return store_closed();
      }
      TRY(rows.read());
      for (const uint32_t row : rows.rows) {
        work.origins.push_back({input.segment->id(), row});
      }
      TRY(work.output->reserve(static_cast<uint32_t>(rows.rows.size())));
      TRY(work.output->append(rows.vectors, rows.entries));
      collection.set_progress({"optimizing", work.origins.size(), live, what});
    }
  }
  return {};
}

Status make_graph(Collection& collection, Segment& segment, const std::function<bool()>& stopping) {
  if (segment.graph() != nullptr || !segment.wants_graph(segment.rows())) {
    return {};
  }
  const std::string what = "linking " + std::to_string(segment.rows()) + " rows";
  return segment.make_graph(segment.rows(), 0, [&](uint64_t done, uint64_t total) {
    collection.set_progress({"optimizing", done, total, what});
    return !stopping() && !collection.dropped();
  });
}

}  // namespace asyncstore::engine
