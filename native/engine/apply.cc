// Applying operations: the same code for a live write and for a replay.
#include <algorithm>
#include <utility>

#include "base/crc32c.h"
#include "engine/collection.h"

namespace asyncstore::engine {

using base::Bytes;
using base::Result;
using base::Status;
using points::Location;
using segment::Segment;

namespace {
// Points under one hold of the table's lock: readers wait for a fraction of a millisecond.
constexpr size_t k_lock_points = 512;
}  // namespace

// Changes the table for each of `points` points, in holds of its lock that nobody waits for long.
template <typename Change>
void Collection::in_parts(size_t points, const Change& change) {
  for (size_t begin = 0; begin < points; begin += k_lock_points) {
    const auto lock = table_->write_lock();
    for (size_t i = begin; i < std::min(begin + k_lock_points, points); ++i) {
      change(static_cast<uint32_t>(i));
    }
  }
}

Status Collection::apply(uint64_t lsn, uint32_t kind, Bytes payload) {
  TRY_ASSIGN(const Operation operation, parse_operation(schema(), kind, payload));
  switch (operation.kind) {
    case Kind::upsert:
      TRY(apply_upsert(lsn, operation));
      break;
    case Kind::remove:
      apply_remove(operation);
      break;
    case Kind::set_vectors:
      TRY(apply_set_vectors(lsn, operation));
      break;
    case Kind::delete_vectors:
      TRY(apply_delete_vectors(lsn, operation));
      break;
    case Kind::set_payload:
      TRY(apply_set_payload(lsn, operation));
      break;
    case Kind::create_index:
      indexes_.create(*operation.payload_index);
      break;
    case Kind::drop_index:
      indexes_.drop(operation.payload_index->schema.key);
      break;
  }
  TRY(values_->write_out());  // of a removal nothing is left to write
  applied_lsn_ = lsn;
  return {};
}

Status Collection::apply_upsert(uint64_t lsn, const Operation& operation) {
  const size_t points = operation.ids.size();
  std::vector<uint32_t> slots(points);
  in_parts(points, [&](uint32_t i) {
    slots[i] =
        table_->find_or_add(operation.ids[i]);  // without a version: not yet there for readers
  });

  return place_rows(lsn, operation, slots, true);
}

Status Collection::apply_set_vectors(uint64_t lsn, const Operation& operation) {
  TRY_ASSIGN(const auto slots, slots_of(operation));
  return place_rows(lsn, operation, slots, false);
}

Status Collection::apply_delete_vectors(uint64_t lsn, const Operation& operation) {
  TRY_ASSIGN(const auto slots, slots_of(operation));
  TRY(values_->put(operation, slots));
  apply_kept(operation, slots);
  in_parts(slots.size(), [&](uint32_t i) {
    values_->publish(slots[i]);
    for (const FieldRows& rows : operation.fields) {
      mark_deleted(rows.field, table_->location(slots[i], rows.field));
      table_->set_location(slots[i], rows.field, Location{});
    }
    table_->set_version(slots[i], lsn);
  });
  return {};
}

Status Collection::apply_set_payload(uint64_t lsn, const Operation& operation) {
  TRY_ASSIGN(const auto slots, slots_of(operation));
  TRY_ASSIGN(const IndexUpdate indexed, IndexUpdate::of(indexes_, operation));
  TRY(values_->put(operation, slots));
  in_parts(slots.size(), [&](uint32_t i) {
    values_->publish(slots[i]);
    indexed.publish(i, slots[i]);
    table_->set_version(slots[i], lsn);
  });
  return {};
}

void Collection::apply_kept(const Operation& operation, std::span<const uint32_t> slots) {
  sparse_indexes_.apply(operation, slots);
  multivector_indexes_.apply(operation, slots);
}

// Of an operation on points that were there when it was settled.
Result<std::vector<uint32_t>> Collection::slots_of(const Operation& operation) const {
  std::vector<uint32_t> slots;
  slots.reserve(operation.ids.size());
  for (const auto& id : operation.ids) {
    slots.push_back(table_->find(id));
    if (slots.back() == points::k_no_slot) {
      return base::invalid_argument("an operation of the log changes point " + id.text() +
                                    ", which is not there");
    }
  }
  return slots;
}

// Appends the rows, writes the values, and points to them. `whole`: vectors that are not given are
// gone. The values of a point are published under the hold of the table's lock in which the point
// changes, so that readers see both or neither.
Status Collection::place_rows(uint64_t lsn, const Operation& operation,
                              std::span<const uint32_t> slots, bool whole) {
  struct Place {
    const FieldRows* rows = nullptr;
    uint32_t segment = 0;
    uint32_t next_row = 0;
  };
  TRY_ASSIGN(const IndexUpdate indexed, IndexUpdate::of(indexes_, operation));
  TRY(values_->put(operation, slots));
  std::vector<Place> places(fields().size());
  for (const FieldRows& rows : operation.fields) {
    Place& place = places[rows.field];
    place.rows = &rows;
    TRY(append_rows(lsn, operation, rows, slots, place.segment, place.next_row));
  }
  apply_kept(operation, slots);
  in_parts(slots.size(), [&](uint32_t i) {
    values_->publish(slots[i]);
    indexed.publish(i, slots[i]);
    for (uint32_t field = 0; field < places.size(); ++field) {
      Place& place = places[field];
      const bool given = place.rows != nullptr && place.rows->has(i);
      if (given || whole) {
        mark_deleted(field, table_->location(slots[i], field));
        table_->set_location(slots[i], field,
                             given ? Location{place.segment, place.next_row++} : Location{});
      }
    }
    table_->set_version(slots[i], lsn);
  });
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

void Collection::apply_remove(const Operation& operation) {
  in_parts(operation.ids.size(), [&](uint32_t i) {
    const uint32_t slot = table_->find(operation.ids[i]);
    if (slot == points::k_no_slot) {
      return;
    }
    for (uint32_t field = 0; field < fields().size(); ++field) {
      mark_deleted(field, table_->location(slot, field));
    }
    values_->erase(slot);
    indexes_.remove_slot(slot);
    sparse_indexes_.remove_slot(slot);
    multivector_indexes_.remove_slot(slot);
    table_->erase(slot);
  });
}

void Collection::mark_deleted(uint32_t field, Location location) {
  if (!location.present()) {
    return;
  }
  FieldState& state = states_[field];
  if (state.incoming && state.incoming->rewrite->output->id() == location.segment) {
    state.incoming->deleted.mark(location.row);
    // Searches still see the row that it was copied from.
    location = state.incoming->rewrite->origins[location.row];
  }
  // Mostly a recent one: from the back.
  const auto found = std::find_if(
      state.segments.rbegin(), state.segments.rend(),
      [&](const SegmentState& held) { return held.segment->id() == location.segment; });
  ASSERT(found != state.segments.rend());
  if (!found->builder) {
    found->builder = std::make_unique<segment::DeletedRowsBuilder>(found->deleted);
  }
  found->builder->mark(location.row);
}

}  // namespace asyncstore::engine
