// The write line.
#include <algorithm>
#include <utility>

#include "engine/collection.h"
#include "engine/errors.h"
#include "engine/settle.h"

namespace asyncstore::engine {

using base::Bytes;
using base::Code;
using base::Error;
using base::Result;
using base::Status;
using segment::Segment;

void Collection::write(std::span<WriteJob> jobs, CompletionQueue& completions) {
  std::vector<const WriteJob*> accepted;
  log_->begin_group();
  for (WriteJob& job : jobs) {
    Status taken = take(job);  // 1 check, settle, encode, reserve space
    if (taken.ok()) {
      accepted.push_back(&job);
    } else {
      completions.fail(job.ticket, std::move(taken.error()));
    }
  }
  Status status = log_->commit();  // 2 one write and one sync for the whole group
  const auto frames = log_->frames();
  for (size_t i = 0; i < frames.size() && status.ok(); ++i) {
    status =
        apply(frames[i].lsn, frames[i].kind, frames[i].payload);  // 3 the same code as on replay
    if (status.ok()) {
      publish();  // 4 searches see it
    } else {
      fail_writes(status.error());  // half of an operation must not be seen, nor reach a checkpoint
    }
  }
  end_group();
  for (size_t i = 0; i < accepted.size(); ++i) {
    if (status.ok()) {
      completions.complete(accepted[i]->ticket, frames[i].lsn);  // 5 answered in order
    } else {
      completions.fail(accepted[i]->ticket, status.error());
    }
  }
}

Status Collection::take(WriteJob& job) {
  if (failure_) {
    return *failure_;
  }
  if (dropped()) {
    return no_collection(name());
  }
  if (job.looks_at_points()) {
    TRY(follow_group());
    TRY(settle(job, *group_points_));
  }
  const OperationInput& input = job.operation;
  const auto kind = static_cast<uint32_t>(input.kind);
  TRY_ASSIGN(const base::MutableBytes payload,
             log_->begin_frame(kind, operation_bytes(schema(), input)));
  const auto encode = [&]() -> Status {
    TRY(encode_operation(schema(), codecs_, input, payload));
    TRY_ASSIGN(const Operation operation, parse_operation(schema(), kind, payload));
    TRY(reserve(operation));
    if (group_points_) {
      group_points_->add(operation);
    }
    return {};
  };
  Status encoded = encode();
  if (encoded.ok()) {
    log_->end_frame();
  } else {
    log_->drop_frame();
  }
  return encoded;
}

// From here on, what the group's operations do to points is known before they are applied.
Status Collection::follow_group() {
  if (!group_points_) {
    group_points_.emplace(schema(), *table_, *values_);
    for (const wal::Log::Frame& frame : log_->frames()) {
      TRY_ASSIGN(const Operation operation, parse_operation(schema(), frame.kind, frame.payload));
      group_points_->add(operation);
    }
  }
  return {};
}

// After this, applying the operation can fail only if the device does. What an operation that fails
// had reserved stays as slack, but counts for nobody.
Status Collection::reserve(const Operation& operation) {
  struct Reckoning {
    uint32_t pending;
    uint32_t pending_next;
  };
  std::vector<Reckoning> before;
  before.reserve(states_.size());
  for (const FieldState& state : states_) {
    before.push_back({state.pending, state.pending_next});
  }
  const uint64_t points_before = pending_points_;
  Status reserved = reserve_parts(operation);
  if (!reserved.ok()) {
    for (size_t field = 0; field < states_.size(); ++field) {
      states_[field].pending = before[field].pending;
      states_[field].pending_next = before[field].pending_next;
    }
    pending_points_ = points_before;
  }
  return reserved;
}

Status Collection::reserve_parts(const Operation& operation) {
  // On top of what the group's operations before may add: none of them is in the table yet.
  pending_points_ += operation.kind == Kind::upsert ? operation.ids.size() : 0;
  if (!table_->reserve(pending_points_)) {
    return Error{Code::io, "no memory left for the ids of collection '" + name() + "'", folder_, 0,
                 ENOMEM};
  }
  TRY(values_->reserve(operation));
  for (const FieldRows& rows : operation.fields) {
    FieldState& state = states_[rows.field];
    if (operation.kind == Kind::delete_vectors) {
      break;
    }
    if (!state.appendable) {
      if (!state.next) {
        TRY_ASSIGN(state.next, new_segment(rows.field));
      }
      state.segments.push_back({std::exchange(state.next, nullptr), nullptr, nullptr});
      state.appendable = true;
    }
    Segment& last = *state.segments.back().segment;
    if (uint64_t{last.rows()} + state.pending + rows.rows <= last.rows_max()) {
      TRY(last.reserve(state.pending + rows.rows));
      state.pending += rows.rows;
      continue;
    }
    if (!state.next) {
      TRY_ASSIGN(state.next, new_segment(rows.field));
    }
    TRY(state.next->reserve(state.pending_next + rows.rows));
    state.pending_next += rows.rows;
    state.pending = last.rows_max();  // full for the rest of the group
  }
  return {};
}

Result<std::shared_ptr<Segment>> Collection::new_segment(uint32_t field) {
  return Segment::create(storage_, segments_folder(), fields()[field],
                         segment_options(take_segment_id(), rows_max(field)));
}

void Collection::end_group() {
  group_points_.reset();
  pending_points_ = 0;
  for (FieldState& state : states_) {
    state.pending = 0;
    state.pending_next = 0;
  }
}

void Collection::publish() {
  auto next = std::make_shared<View>();
  next->lsn = applied_lsn_;
  next->points = table_->live_count();
  for (FieldState& state : states_) {
    FieldView& field = next->fields.emplace_back();
    for (SegmentState& segment : state.segments) {
      if (segment.builder) {
        segment.deleted = segment.builder->build();
        segment.builder.reset();
      }
      field.segments.push_back({segment.segment, segment.segment->rows(), segment.deleted});
    }
    if (state.incoming) {
      const auto& output = state.incoming->rewrite->output;
      field.incoming.push_back({output, output->rows(), nullptr});
    }
  }
  next->sparse = sparse_indexes_.snapshots();
  next->multivectors = multivector_indexes_.snapshots();
  wal_bytes_.store(log_ ? log_->size_bytes() : 0, std::memory_order_relaxed);
  std::shared_ptr<const View> before;
  {
    const std::lock_guard lock(view_mutex_);
    before = std::exchange(view_, std::move(next));
  }
  if (before) {
    values_->release(before);
    table_->release(std::move(before));
  }
}

}  // namespace asyncstore::engine
