// What a check finds, in the terms of who mends it.
#pragma once

#include <cstdint>

#include "engine/completion_queue.h"

namespace asyncstore::engine {

enum class DamageKind : uint8_t {
  // Nothing on disk is needed that is wrong.
  rebuilt,        // at open, and in memory only
  dead_original,  // of a row that belongs to no point
  // Derived or held twice: a repair mends it.
  collection_file,
  manifest,
  header,
  row_entry,
  codes,
  graph,
  row_state,  // a row is live or deleted, and the point table says otherwise
  deleted_rows,
  points,
  log,
  field_index,
  tracker_page,
  dictionary,
  journal,
  orphan_value,  // of a slot without a point
  // Held once: lost, unless the user has a copy.
  original,
  value,
  file_gone,  // in use without a name in its folder
};

constexpr bool is_error(DamageKind kind) {
  return kind > DamageKind::dead_original;
}
constexpr bool is_repairable(DamageKind kind) {
  return is_error(kind) && kind < DamageKind::original;
}

// Where it is, as far as its kind needs it.
struct Damage {
  DamageKind kind = DamageKind::rebuilt;
  Finding finding = {};
  uint32_t part = 0;     // field of a segment, or number of a Gridstore
  uint32_t segment = 0;  // its id
  uint32_t first = 0;    // row, slot, page of the tracker, dictionary, or file of a field index
  uint32_t count = 1;    // of rows
};

}  // namespace asyncstore::engine
