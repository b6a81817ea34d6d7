#include "engine/check.h"

#include <algorithm>
#include <chrono>
#include <set>
#include <string>
#include <thread>
#include <utility>

#include "engine/check_saved.h"
#include "engine/check_values.h"
#include "engine/errors.h"

namespace asyncstore::engine {

using base::Error;
using base::Result;
using base::Status;
using points::Location;
using segment::Segment;

namespace {

// How long a row that looks wrong is watched, and for how many of these spans in all.
constexpr auto k_publish_wait = std::chrono::milliseconds(10);
constexpr int k_publish_waits_max = 200;
constexpr uint32_t k_part_rows = 4096;  // between two looks at `stopping`
// Of one segment; of the rest only the number is told.
constexpr uint32_t k_originals_named_max = 1000;

enum class RowState : uint8_t { sound, live_elsewhere, deleted_here };

// Whether view and point table say the same of a row.
RowState state_of(Collection& collection, uint32_t field, const Segment& segment, uint32_t row) {
  const auto view = collection.view();
  const SegmentView* current = view->fields[field].find(segment.id());
  if (current == nullptr) {
    return RowState::sound;  // merged away
  }
  const Location place = collection.table().location_or_none(segment.slot(row), field);
  const bool here = place == Location{segment.id(), row};
  if (current->live(row) == here) {
    return RowState::sound;
  }
  // While a rewrite's output takes the place of its inputs, points are in it one by one, and their
  // rows in the inputs live until all are.
  const auto& incoming = view->fields[field].incoming;
  const bool moving = std::any_of(incoming.begin(), incoming.end(), [&](const SegmentView& output) {
    return output.segment->id() == place.segment;
  });
  if (moving && !here) {
    return RowState::sound;
  }
  return here ? RowState::deleted_here : RowState::live_elsewhere;
}

class Check {
 public:
  Check(Collection& collection, const std::function<bool()>& stopping)
      : collection_(collection), stopping_(stopping), view_(collection.view()) {}

  Status everything();
  Status again(std::span<const Damage> places);
  std::vector<Damage> take() { return std::move(found_); }

 private:
  void add(DamageKind kind, uint32_t field, const Segment& segment, uint32_t row,
           const Error& error) {
    found_.push_back({kind,
                      {is_error(kind), error.file, error.offset_bytes, error.message},
                      field,
                      segment.id(),
                      row,
                      1});
  }
  Status check_rows(uint32_t field, const Segment& segment, uint32_t begin, uint32_t end);
  void check_state(uint32_t field, const Segment& segment, uint32_t row);
  void check_segment_files(uint32_t field, const Segment& segment);
  void add_original(uint32_t field, const Segment& segment, uint32_t row, const Error& error);
  void add_entry(uint32_t field, const Segment& segment, uint32_t row, const Error& error);
  Status look_again(const Damage& place);

  Collection& collection_;
  const std::function<bool()>& stopping_;
  std::shared_ptr<const View> view_;
  std::vector<Damage> found_;
  size_t last_entry_ = SIZE_MAX;  // index into found_
  uint32_t originals_ = 0;        // of the segment at hand
  int patience_ = k_publish_waits_max;
};

Status Check::everything() {
  for (const auto& what : collection_.unsaved_rebuilt()) {
    found_.push_back(
        {DamageKind::rebuilt, {false, collection_.folder(), 0, "rebuilt at open: " + what}});
  }
  for (uint32_t field = 0; field < view_->fields.size(); ++field) {
    for (const SegmentView& segment : view_->fields[field].segments) {
      originals_ = 0;
      TRY(check_rows(field, *segment.segment, 0, segment.rows));
      if (originals_ > k_originals_named_max) {
        found_.back().finding.text += ", and so are " +
                                      std::to_string(originals_ - k_originals_named_max) +
                                      " more rows of this segment";
      }
      check_segment_files(field, *segment.segment);
    }
  }
  const auto stores = static_cast<uint32_t>(collection_.values().size());
  for (uint32_t part = 0; part < stores; ++part) {
    TRY(check_values(collection_, part, 0, UINT32_MAX, stopping_, found_));
    check_pointers(collection_, part, found_);
  }
  check_saved(collection_, found_);
  check_log(collection_, found_);
  return {};
}

// --- segments ---

Status Check::check_rows(uint32_t field, const Segment& segment, uint32_t begin, uint32_t end) {
  for (uint32_t first = begin; first < end; first += std::min(k_part_rows, end - first)) {
    if (stopping_()) {
      return store_closed();
    }
    const uint32_t last = first + std::min(k_part_rows, end - first);
    segment.check_rows(first, last, [&](uint32_t row, Segment::Part part, const Error& error) {
      if (part == Segment::Part::original) {
        add_original(field, segment, row, error);
      } else {
        add_entry(field, segment, row, error);
      }
    });
    for (uint32_t row = first; row < last; ++row) {
      check_state(field, segment, row);
    }
  }
  return {};
}

void Check::check_state(uint32_t field, const Segment& segment, uint32_t row) {
  RowState state = state_of(collection_, field, segment, row);
  // A write changes the table first and publishes the view a moment later.
  for (; state != RowState::sound && patience_ > 0 && !stopping_(); --patience_) {
    std::this_thread::sleep_for(k_publish_wait);
    state = state_of(collection_, field, segment, row);
  }
  if (state != RowState::sound) {
    add(DamageKind::row_state, field, segment, row,
        base::corruption(
            segment.path("rows"), row,
            "row " + std::to_string(row) +
                (state == RowState::live_elsewhere ? " is live, but its point lies elsewhere,"
                                                   : " is deleted, but a point lies there,")));
  }
}

void Check::add_original(uint32_t field, const Segment& segment, uint32_t row, const Error& error) {
  if (++originals_ > k_originals_named_max) {
    return;
  }
  const points::PointTable& table = collection_.table();
  const auto lock = table.read_lock();
  const uint32_t slot = segment.slot(row);
  if (table.location_or_none(slot, field) != Location{segment.id(), row}) {
    add(DamageKind::dead_original, field, segment, row, error);
    found_.back().finding.text += ": the row belongs to no point any more";
    return;
  }
  const std::string& name = segment.field().name;
  add(DamageKind::original, field, segment, row, error);
  found_.back().finding.text +=
      ": the vector " + (name.empty() ? "" : "'" + name + "' ") + "of point " +
      table.id(slot).text() +
      " is lost. Write or delete the point, or put the file back from a copy while the store is "
      "closed";
}

// Entries side by side are one finding: a file that was cut off may lack a million.
void Check::add_entry(uint32_t field, const Segment& segment, uint32_t row, const Error& error) {
  if (last_entry_ < found_.size()) {
    Damage& last = found_[last_entry_];
    if (last.part == field && last.segment == segment.id() && last.first + last.count == row) {
      ++last.count;
      last.finding.text = base::corruption(last.finding.file, last.finding.offset_bytes,
                                           "the entries of " + std::to_string(last.count) +
                                               " rows do not match their checksums")
                              .message;
      return;
    }
  }
  last_entry_ = found_.size();
  add(DamageKind::row_entry, field, segment, row, error);
}

void Check::check_segment_files(uint32_t field, const Segment& segment) {
  for (const char* suffix : {"vectors", "rows"}) {
    const Status sound = segment.check_header(suffix);
    if (!sound.ok()) {
      const bool gone = sound.error().code != base::Code::corruption;
      add(gone ? DamageKind::file_gone : DamageKind::header, field, segment, 0, sound.error());
    }
  }
  if (segment.sealed() && segment.quantizer() != nullptr) {
    const Status sound = segment.check_codes();
    if (!sound.ok()) {
      add(DamageKind::codes, field, segment, 0, sound.error());
    }
  }
  if (segment.sealed() && segment.graph() != nullptr) {
    const Status sound = segment.check_graph();
    if (!sound.ok()) {
      add(DamageKind::graph, field, segment, 0, sound.error());
    }
  }
}

// --- once more ---

Status Check::again(std::span<const Damage> places) {
  std::set<uint32_t> pointers;
  bool saved = false;
  bool log = false;
  for (const Damage& place : places) {
    switch (place.kind) {
      case DamageKind::collection_file:
      case DamageKind::manifest:
      case DamageKind::deleted_rows:
      case DamageKind::points:
      case DamageKind::field_index:
        saved = true;
        break;
      case DamageKind::log:
        log = true;
        break;
      case DamageKind::tracker_page:
      case DamageKind::dictionary:
      case DamageKind::journal:
        pointers.insert(place.part);
        break;
      case DamageKind::orphan_value:
        TRY(check_values(collection_, place.part, place.first, place.first + 1, stopping_, found_));
        break;
      default:
        TRY(look_again(place));
    }
  }
  for (const uint32_t part : pointers) {
    check_pointers(collection_, part, found_);
  }
  if (saved) {
    check_saved(collection_, found_);
  }
  if (log) {
    check_log(collection_, found_);
  }
  return {};
}

// At a place in a segment, unless it was merged away.
Status Check::look_again(const Damage& place) {
  const SegmentView* view = view_->fields[place.part].find(place.segment);
  if (view == nullptr) {
    return {};
  }
  switch (place.kind) {
    case DamageKind::row_entry:
      return check_rows(place.part, *view->segment, place.first, place.first + place.count);
    case DamageKind::row_state:
      check_state(place.part, *view->segment, place.first);
      return {};
    case DamageKind::header:
    case DamageKind::codes:
    case DamageKind::graph:
      check_segment_files(place.part, *view->segment);
      return {};
    default:
      return {};
  }
}

}  // namespace

Result<std::vector<Damage>> check_collection(Collection& collection,
                                             const std::function<bool()>& stopping) {
  Check check(collection, stopping);
  TRY(check.everything());
  return check.take();
}

Result<std::vector<Damage>> check_again(Collection& collection, std::span<const Damage> places,
                                        const std::function<bool()>& stopping) {
  Check check(collection, stopping);
  TRY(check.again(places));
  return check.take();
}

}  // namespace asyncstore::engine
