// The step of a rewrite that searches and writes notice: its output takes the place of its inputs.
//
// To look up a million points, whose rows lie in another order than they, takes a tenth of a
// second. So it is done in parts, and writes come between. Until the end searches look into the
// inputs; a write to a point that is in the output already deletes its row here and there.
#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "engine/collection.h"

namespace asyncstore::engine {

using points::Location;

void Collection::begin_replacing(const Rewrite& rewrite) {
  FieldState& state = states_[rewrite.field];
  ASSERT(!state.incoming);
  state.incoming = std::make_unique<Incoming>(Incoming{&rewrite});
  publish();  // readers that meet a new place must find its segment
}

bool Collection::replace_some(const Rewrite& rewrite) {
  Incoming& incoming = *states_[rewrite.field].incoming;
  const auto rows = static_cast<uint32_t>(rewrite.origins.size());
  const uint32_t end = std::min(incoming.moved + options_.writer_part_points, rows);
  const auto lock = table_->write_lock();
  for (; incoming.moved < end; ++incoming.moved) {
    const uint32_t row = incoming.moved;
    const uint32_t slot = rewrite.output->slot(row);
    if (table_->location(slot, rewrite.field) == rewrite.origins[row]) {
      table_->set_location(slot, rewrite.field, Location{rewrite.output->id(), row});
    } else {
      incoming.deleted.mark(row);  // its point has moved on since the inputs were read
    }
  }
  return end < rows;
}

void Collection::end_replacing(const Rewrite& rewrite) {
  FieldState& state = states_[rewrite.field];
  ASSERT(state.incoming->moved == rewrite.origins.size());
  // The output takes the place of the oldest input, so that the order by age stays.
  const auto is_input = [&](const SegmentState& candidate) {
    return std::any_of(rewrite.inputs.begin(), rewrite.inputs.end(), [&](const SegmentView& input) {
      return input.segment == candidate.segment;
    });
  };
  const auto oldest = std::find_if(state.segments.begin(), state.segments.end(), is_input);
  ASSERT(oldest != state.segments.end());
  *oldest = SegmentState{rewrite.output, state.incoming->deleted.build(), nullptr};
  std::erase_if(state.segments, is_input);
  state.incoming.reset();
  publish();
}

}  // namespace asyncstore::engine
