#include "engine/repair.h"

#include <algorithm>

#include "engine/errors.h"

namespace asyncstore::engine {

using base::Status;
using points::PointTable;
using segment::Segment;

namespace {
// Between two groups of writes: some milliseconds at most.
constexpr uint32_t k_step_entries = 512;
constexpr size_t k_step_slots = 512;
}  // namespace

Status Repair::mend(std::span<const Damage> damages) {
  TRY(on_writer([&] { return collection_.writable(); }));
  std::map<SegmentPlace, std::vector<const Damage*>> segments;
  std::map<uint32_t, std::vector<uint32_t>> orphans;
  for (const Damage& damage : damages) {
    switch (damage.kind) {
      case DamageKind::collection_file:
      case DamageKind::manifest:
        TRY(mend_whole_file(damage.kind));
        break;
      case DamageKind::header:
      case DamageKind::row_entry:
      case DamageKind::codes:
      case DamageKind::graph:
      case DamageKind::row_state:
        segments[{damage.part, damage.segment}].push_back(&damage);
        break;
      case DamageKind::deleted_rows:
        collection_.forget_saved_deleted(damage.segment);
        break;
      case DamageKind::dictionary:
        TRY(collection_.values()[damage.part].mend_dictionary(damage.first));
        break;
      case DamageKind::orphan_value:
        orphans[damage.part].push_back(damage.first);
        break;
      case DamageKind::points:
      case DamageKind::log:
      case DamageKind::field_index:
      case DamageKind::tracker_page:
      case DamageKind::journal:
        TRY(mark_changed(damage));
        break;
      case DamageKind::rebuilt:
      case DamageKind::dead_original:
      case DamageKind::original:
      case DamageKind::value:
      case DamageKind::file_gone:
        break;
    }
  }
  for (const auto& [place, some] : segments) {
    TRY(mend_segment(place, some));
  }
  for (const auto& [part, slots] : orphans) {
    TRY(drop_orphans(part, slots));
  }
  return {};
}

Status Repair::finish() {
  if (!log_) {
    return {};
  }
  return after_sync(writer_, collection_,
                    collection_.storage().sync_folder(collection_.folder() + "/wal"));
}

// Between two groups, as long as the collection may be changed.
Status Repair::on_writer(const std::function<Status()>& work) {
  Status done;
  const bool ran = writer_.run(
      [&] { done = collection_.dropped() ? Status(no_collection(collection_.name())) : work(); });
  return ran ? std::move(done) : Status(store_closed());
}

// At once, and not with the checkpoint only: without them the collection cannot be opened.
Status Repair::mend_whole_file(DamageKind kind) {
  if (kind == DamageKind::manifest) {
    return io::replace_file(collection_.storage(), collection_.manifest_path(),
                            encode(collection_.saved_manifest()));
  }
  return collection_.rewrite_file();
}

// --- segments ---

Status Repair::mend_segment(SegmentPlace place, std::span<const Damage* const> damages) {
  const auto view = collection_.view();
  const SegmentView* found = view->fields[place.first].find(place.second);
  if (found == nullptr) {
    return {};  // merged away
  }
  Segment& segment = *found->segment;
  bool written = false;
  for (const Damage* damage : damages) {
    if (damage->kind == DamageKind::header) {
      TRY(on_writer([&] { return segment.rewrite_headers(); }));
      written = true;
    } else if (damage->kind == DamageKind::row_entry) {
      TRY(rewrite_entries(segment, *damage));
      written = true;
    } else if (damage->kind == DamageKind::codes) {
      TRY(segment.rewrite_codes());
    } else if (damage->kind == DamageKind::graph) {
      TRY(segment.rewrite_graph());
    }
  }
  if (written) {
    // The checkpoint syncs only what was not sealed before.
    TRY(after_sync(writer_, collection_, segment.sync()));
  }
  return follow_table(place, damages);
}

// In place: an entry that a power cut tears is still held twice.
Status Repair::rewrite_entries(Segment& segment, const Damage& damage) {
  const PointTable& table = collection_.table();
  const uint32_t end = damage.first + damage.count;
  for (uint32_t first = damage.first; first < end; first += std::min(k_step_entries, end - first)) {
    const uint32_t last = first + std::min(k_step_entries, end - first);
    const auto rewrite = [&]() -> Status {
      for (uint32_t row = first; row < last; ++row) {
        // Of a row that is deleted this names the point that it was of, as long as its slot has
        // not been given to another.
        const uint32_t slot = segment.slot(row);
        const bool known = slot < table.slot_count();
        TRY(segment.rewrite_entry(row, known ? table.id(slot) : points::PointId{},
                                  known ? table.version(slot) : 0));
      }
      return {};
    };
    TRY(on_writer(rewrite));
  }
  return {};
}

Status Repair::follow_table(SegmentPlace place, std::span<const Damage* const> damages) {
  std::vector<uint32_t> rows;
  for (const Damage* damage : damages) {
    if (damage->kind == DamageKind::row_state) {
      rows.push_back(damage->first);
    }
  }
  if (rows.empty()) {
    return {};
  }
  return on_writer([&]() -> Status {
    collection_.follow_table(place.first, place.second, rows);
    return {};
  });
}

// --- what the checkpoint writes ---

Status Repair::mark_changed(const Damage& damage) {
  log_ = log_ || damage.kind == DamageKind::log;
  return on_writer([&]() -> Status {
    if (damage.kind == DamageKind::points) {
      collection_.rewrite_table();
    } else if (damage.kind == DamageKind::log) {
      collection_.end_log_file();
    } else if (damage.kind == DamageKind::field_index) {
      collection_.forget_saved_index(damage.first);
    } else {
      // Any page makes a new journal.
      collection_.values()[damage.part].rewrite_page(damage.first);
    }
    return {};
  });
}

// A slot that has got a point meanwhile keeps its value.
Status Repair::drop_orphans(uint32_t part, std::span<const uint32_t> slots) {
  gridstore::Gridstore& store = collection_.values()[part];
  const PointTable& table = collection_.table();
  while (!slots.empty()) {
    const auto step = slots.first(std::min(slots.size(), k_step_slots));
    slots = slots.subspan(step.size());
    TRY(on_writer([&] {
      for (const uint32_t slot : step) {
        if (slot >= table.slot_count() || !table.live(slot)) {
          store.remove(slot);
        }
      }
      return store.write_out();
    }));
  }
  return {};
}

// --- what became of it ---

namespace {

bool is_same_place(const Damage& one, const Damage& other) {
  return one.kind == other.kind && one.part == other.part && one.segment == other.segment &&
         one.first < other.first + other.count && other.first < one.first + one.count;
}

}  // namespace

std::vector<Finding> outcome(std::vector<Damage> before, std::vector<Damage> after) {
  for (Damage& damage : before) {
    const bool still = std::any_of(after.begin(), after.end(), [&](const Damage& other) {
      return is_same_place(damage, other);
    });
    const bool mended = is_repairable(damage.kind) && !still;
    damage.finding.repaired = mended || damage.kind == DamageKind::rebuilt;
    damage.finding.error = damage.finding.error && !mended;
  }
  std::erase_if(after, [&](const Damage& damage) {
    return std::any_of(before.begin(), before.end(),
                       [&](const Damage& other) { return is_same_place(damage, other); });
  });
  std::move(after.begin(), after.end(), std::back_inserter(before));
  return findings_of(std::move(before));
}

std::vector<Finding> findings_of(std::vector<Damage> damages) {
  std::vector<Finding> findings;
  findings.reserve(damages.size());
  for (Damage& damage : damages) {
    findings.push_back(std::move(damage.finding));
    findings.back().repairable = is_repairable(damage.kind);
  }
  return findings;
}

}  // namespace asyncstore::engine
