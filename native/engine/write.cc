// The write line.
#include <algorithm>
#include <utility>

#include "base/crc32c.h"
#include "engine/collection.h"
#include "engine/errors.h"

namespace asyncstore::engine {

using base::Bytes;
using base::Code;
using base::Error;
using base::Result;
using base::Status;
using points::Location;
using segment::Segment;

namespace {
// Points under one hold of the table's lock: readers wait for a fraction of a millisecond.
constexpr size_t k_lock_points = 512;
}  // namespace

void Collection::write(std::span<WriteJob> jobs, CompletionQueue& completions) {
  std::vector<const WriteJob*> accepted;
  log_->begin_group();
  for (const WriteJob& job : jobs) {
    Status taken = take(job);  // 1 check, encode, reserve space
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

Status Collection::take(const WriteJob& job) {
  if (failure_) {
    return *failure_;
  }
  if (dropped()) {
    return no_collection(name());
  }
  const auto* upsert = std::get_if<UpsertInput>(&job.input);
  const auto* removal = std::get_if<DeleteInput>(&job.input);
  const uint32_t kind = upsert != nullptr ? k_upsert : k_delete;
  const uint64_t bytes =
      upsert != nullptr ? upsert_bytes(fields(), *upsert) : delete_bytes(removal->ids);
  TRY_ASSIGN(const base::MutableBytes payload, log_->begin_frame(kind, bytes));
  const auto encode = [&]() -> Status {
    if (upsert == nullptr) {
      encode_delete(removal->ids, payload);
      return {};
    }
    TRY(encode_upsert(fields(), codecs_, *upsert, payload));
    TRY_ASSIGN(const Operation operation, parse_operation(fields(), kind, payload));
    return reserve(operation);
  };
  Status encoded = encode();
  if (encoded.ok()) {
    log_->end_frame();
  } else {
    log_->drop_frame();
  }
  return encoded;
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
  pending_points_ += operation.ids.size();
  if (!table_->reserve(pending_points_)) {
    return Error{Code::io, "no memory left for the ids of collection '" + name() + "'", folder_, 0,
                 ENOMEM};
  }
  for (const FieldRows& rows : operation.fields) {
    FieldState& state = states_[rows.field];
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

Status Collection::apply(uint64_t lsn, uint32_t kind, Bytes payload) {
  TRY_ASSIGN(const Operation operation, parse_operation(fields(), kind, payload));
  if (kind == k_upsert) {
    TRY(apply_upsert(lsn, operation));
  } else {
    apply_delete(operation);
  }
  applied_lsn_ = lsn;
  return {};
}

Status Collection::apply_upsert(uint64_t lsn, const Operation& operation) {
  const size_t points = operation.ids.size();
  std::vector<uint32_t> slots(points);
  for (size_t begin = 0; begin < points; begin += k_lock_points) {
    const auto lock = table_->write_lock();
    for (size_t i = begin; i < std::min(begin + k_lock_points, points); ++i) {
      slots[i] =
          table_->find_or_add(operation.ids[i]);  // without a version: not yet there for readers
    }
  }

  struct Place {
    const FieldRows* rows = nullptr;
    uint32_t segment = 0;
    uint32_t next_row = 0;
  };
  std::vector<Place> places(fields().size());
  for (const FieldRows& rows : operation.fields) {
    Place& place = places[rows.field];
    place.rows = &rows;
    TRY(append_rows(lsn, operation, rows, slots, place.segment, place.next_row));
  }

  for (size_t begin = 0; begin < points; begin += k_lock_points) {
    const auto lock = table_->write_lock();
    for (size_t i = begin; i < std::min(begin + k_lock_points, points); ++i) {
      for (uint32_t field = 0; field < places.size(); ++field) {
        Place& place = places[field];
        mark_deleted(field, table_->location(slots[i], field));
        const bool given = place.rows != nullptr && place.rows->has(static_cast<uint32_t>(i));
        table_->set_location(slots[i], field,
                             given ? Location{place.segment, place.next_row++} : Location{});
      }
      table_->set_version(slots[i], lsn);
    }
  }
  return {};
}

Status Collection::append_rows(uint64_t lsn, const Operation& operation, const FieldRows& rows,
                               std::span<const uint32_t> slots, uint32_t& segment,
                               uint32_t& first_row) {
  FieldState& state = states_[rows.field];
  const Segment& last = *state.segments.back().segment;
  if (uint64_t{last.rows()} + rows.rows > last.rows_max()) {
    ASSERT(state.next != nullptr);
    state.segments.push_back({std::exchange(state.next, nullptr), nullptr, nullptr});
  }
  Segment& target = *state.segments.back().segment;
  const uint32_t row_bytes = target.layout().row_bytes();
  std::vector<segment::RowEntry> entries;
  entries.reserve(rows.rows);
  for (uint32_t i = 0; i < operation.ids.size(); ++i) {
    if (rows.has(i)) {
      const Bytes stored = rows.stored.subspan(entries.size() * row_bytes, row_bytes);
      entries.push_back({operation.ids[i], lsn, slots[i], base::crc32c(stored)});
    }
  }
  segment = target.id();
  first_row = target.rows();
  return target.append(rows.stored, entries);
}

void Collection::apply_delete(const Operation& operation) {
  for (size_t begin = 0; begin < operation.ids.size(); begin += k_lock_points) {
    const auto lock = table_->write_lock();
    for (size_t i = begin; i < std::min(begin + k_lock_points, operation.ids.size()); ++i) {
      const uint32_t slot = table_->find(operation.ids[i]);
      if (slot == points::k_no_slot) {
        continue;
      }
      for (uint32_t field = 0; field < fields().size(); ++field) {
        mark_deleted(field, table_->location(slot, field));
      }
      table_->erase(slot);
    }
  }
}

void Collection::mark_deleted(uint32_t field, Location location) {
  if (!location.present()) {
    return;
  }
  auto& segments = states_[field].segments;
  // Mostly a recent one: from the back.
  const auto found = std::find_if(
      segments.rbegin(), segments.rend(),
      [&](const SegmentState& state) { return state.segment->id() == location.segment; });
  ASSERT(found != segments.rend());
  if (!found->builder) {
    found->builder = std::make_unique<segment::DeletedRowsBuilder>(found->deleted);
  }
  found->builder->mark(location.row);
}

void Collection::end_group() {
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
      field.incoming.push_back({state.incoming, state.incoming->rows(), nullptr});
    }
  }
  wal_bytes_.store(log_ ? log_->size_bytes() : 0, std::memory_order_relaxed);
  std::shared_ptr<const View> before;
  {
    const std::lock_guard lock(view_mutex_);
    before = std::exchange(view_, std::move(next));
  }
  if (before) {
    table_->release(std::move(before));
  }
}

}  // namespace asyncstore::engine
