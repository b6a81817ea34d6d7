// Sealing, merging, vacuuming: the live rows of some segments move to a new, sealed one.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/result.h"
#include "engine/view.h"
#include "points/location.h"
#include "segment/segment.h"

namespace asyncstore::engine {

class Collection;

struct Rewrite {
  uint32_t field = 0;
  std::vector<SegmentView> inputs;  // as they were when the work began
  std::shared_ptr<segment::Segment> output;
  std::vector<points::Location> origins;  // of each row of the output
};

// Which segments to rewrite.
struct RewriteBounds {
  uint32_t open_id_end = 0;        // segments below it that are not sealed take no more rows
  uint64_t segments = 1;           // of a field, to aim for
  uint64_t segment_bytes_max = 0;  // of originals in an output; 0: no bound
  double deleted_threshold = 1;    // a segment with a larger part of deleted rows is vacuumed…
  uint64_t vacuum_rows_min = 0;    // …if it has as many rows
};

// The segments to rewrite next as one, none when nothing is left to do: one that has many deleted
// rows; or those that wait to be sealed, with as many of the smallest sealed ones as it takes to
// reach bounds.segments. Damaged segments stay as they are.
std::vector<SegmentView> choose_inputs(const FieldView& field, const RewriteBounds& bounds);

// The quantizer of an output's codes, trained on a sample of the inputs' rows; null for a field
// whose codes need no training. Errors and `stopping` as below.
base::Result<std::shared_ptr<const quantize::Quantizer>> train_quantizer(
    Collection& collection, const Rewrite& work, const std::function<bool()>& stopping);

// Fills work.output, a new segment with room for all live rows of the inputs, makes its graph if it
// shall have one, and notes where each row came from; to be synced and sealed. Shows its progress
// in the collection; ends early, with Code::closed, when `stopping` says so. The inputs stay as
// they are; an input whose rows cannot be read is marked as damaged.
base::Status fill_output(Collection& collection, Rewrite& work,
                         const std::function<bool()>& stopping);

}  // namespace asyncstore::engine
