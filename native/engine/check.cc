#include "engine/check.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <string>
#include <thread>
#include <utility>

#include "engine/errors.h"
#include "io/checked_file.h"
#include "wal/log_reader.h"

namespace asyncstore::engine {

using base::Error;
using base::Result;
using base::Status;
using segment::Segment;

namespace {

// How long a row that looks wrong is watched, and for how many of these spans in all.
constexpr auto k_publish_wait = std::chrono::milliseconds(10);
constexpr int k_publish_waits_max = 200;
constexpr int k_tracker_attempts = 3;
constexpr uint32_t k_payload_part = 256;  // values between two looks at `stopping`
constexpr uint64_t k_small_file_bytes_max = 64 << 20;

enum class RowState : uint8_t { sound, live_elsewhere, deleted_here };

// Whether view and point table say the same of a row.
RowState state_of(Collection& collection, uint32_t field, const Segment& segment, uint32_t row) {
  const auto view = collection.view();
  const SegmentView* current = view->fields[field].find(segment.id());
  if (current == nullptr) {
    return RowState::sound;  // merged away
  }
  const points::Location place = collection.table().location_or_none(segment.slot(row), field);
  const bool here = place == points::Location{segment.id(), row};
  if (current->live(row) == here) {
    return RowState::sound;
  }
  return here ? RowState::deleted_here : RowState::live_elsewhere;
}

class Check {
 public:
  Check(Collection& collection, const std::function<bool()>& stopping)
      : collection_(collection), stopping_(stopping), view_(collection.view()) {}

  Status run() {
    for (const auto& what : collection_.statistics().rebuilt) {
      findings_.push_back({false, collection_.folder(), 0, "rebuilt at open: " + what});
    }
    for (uint32_t field = 0; field < view_->fields.size(); ++field) {
      for (const SegmentView& segment : view_->fields[field].segments) {
        TRY(check_rows(field, segment));
        if (segment.segment->sealed() && segment.segment->quantizer() != nullptr) {
          report(segment.segment->check_codes());
        }
      }
    }
    for (size_t at = 0; at < collection_.values().size(); ++at) {
      TRY(check_values(collection_.values()[at], collection_.values().folder(at)));
    }
    check_saved();
    check_log();
    return {};
  }
  std::vector<Finding> take() { return std::move(findings_); }

 private:
  void report(const Status& status) {
    if (!status.ok()) {
      const Error& error = status.error();
      findings_.push_back({true, error.file, error.offset_bytes, error.message});
    }
  }
  Status check_rows(uint32_t field, const SegmentView& segment);
  Status check_values(const gridstore::Gridstore& payload, const std::string& folder);
  void check_saved();
  void check_log();
  // A file that the last checkpoint names; `named` asks whether it still does.
  void check_saved_file(const std::string& path, const std::function<bool()>& named);

  Collection& collection_;
  const std::function<bool()>& stopping_;
  std::shared_ptr<const View> view_;
  std::vector<Finding> findings_;
  int patience_ = k_publish_waits_max;
};

Status Check::check_rows(uint32_t field, const SegmentView& segment) {
  Segment::StoredRows rows;
  for (uint32_t row = 0; row < segment.rows; ++row) {
    if (stopping_()) {
      return store_closed();
    }
    Status read = segment.segment->read_rows(row, 1, rows);
    if (!read.ok()) {
      report(read);
      continue;
    }
    RowState state = state_of(collection_, field, *segment.segment, row);
    // A write changes the table first and publishes the view a moment later.
    for (; state != RowState::sound && patience_ > 0 && !stopping_(); --patience_) {
      std::this_thread::sleep_for(k_publish_wait);
      state = state_of(collection_, field, *segment.segment, row);
    }
    if (state != RowState::sound) {
      report(base::corruption(
          segment.segment->path("rows"), row,
          "row " + std::to_string(row) +
              (state == RowState::live_elsewhere ? " is live, but its point lies elsewhere"
                                                 : " is deleted, but a point lies there")));
    }
  }
  return {};
}

// Every value, every page of the tracker, and that no value is without a point.
Status Check::check_values(const gridstore::Gridstore& payload, const std::string& folder) {
  for (const Error& damage : payload.damaged()) {
    report(damage);
  }
  for (uint32_t begin = 0; begin < payload.slot_count(); begin += k_payload_part) {
    if (stopping_()) {
      return store_closed();
    }
    const uint32_t end = std::min(begin + k_payload_part, payload.slot_count());
    const auto wrong = [&](uint32_t, const Error& error) { report(error); };
    const auto view = collection_.view();  // holds the values that are looked at
    report(payload.check(begin, end, wrong));
    const auto lock = collection_.table().read_lock();
    for (uint32_t slot = begin; slot < end; ++slot) {
      const auto found = payload.find(slot);
      const bool live = slot < collection_.table().slot_count() && collection_.table().live(slot);
      if (found.ok() && found.value() && !live) {
        report(base::corruption(folder, slot,
                                "slot " + std::to_string(slot) + " has a value, but no point"));
      }
    }
  }
  // A checkpoint may be writing what is read: only what is wrong again and again counts.
  std::vector<Error> damage;
  for (int attempt = 0; attempt < k_tracker_attempts && (attempt == 0 || !damage.empty());
       ++attempt) {
    std::this_thread::sleep_for(attempt * k_publish_wait);
    damage.clear();
    report(payload.check_tracker([&](const Error& error) { damage.push_back(error); }));
  }
  for (const Error& error : damage) {
    report(error);
  }
  return {};
}

void Check::check_saved() {
  const std::string manifest_path = collection_.manifest_path();
  const auto content = io::read_file(collection_.storage(), manifest_path, k_small_file_bytes_max);
  report(content.ok() ? Status() : Status(content.error()));
  if (content.ok()) {
    const auto manifest = parse_manifest(manifest_path, content.value(), collection_.identity(),
                                         collection_.fields().size(), collection_.values().size());
    report(manifest.ok() ? Status() : Status(manifest.error()));
  }
  const std::string description = collection_.folder() + "/COLLECTION";
  const auto described = io::read_file(collection_.storage(), description, k_small_file_bytes_max);
  report(described.ok() ? Status() : Status(described.error()));
  if (described.ok()) {
    const auto parsed = parse_collection(description, described.value());
    report(parsed.ok() ? Status() : Status(parsed.error()));
  }
  const Manifest saved = collection_.saved();
  for (size_t field = 0; field < saved.fields.size(); ++field) {
    for (const ManifestSegment& segment : saved.fields[field]) {
      if (segment.deleted_lsn > 0) {
        const auto named = [&] {
          const auto now = collection_.saved().fields[field];
          return std::any_of(now.begin(), now.end(), [&](const ManifestSegment& other) {
            return other.id == segment.id && other.deleted_lsn == segment.deleted_lsn;
          });
        };
        check_saved_file(
            Segment::deleted_path(collection_.segments_folder(), segment.id, segment.deleted_lsn),
            named);
      }
    }
  }
  for (const uint64_t number : saved.points) {
    const auto named = [&] {
      const auto now = collection_.saved().points;
      return std::find(now.begin(), now.end(), number) != now.end();
    };
    check_saved_file(collection_.points_path(number), named);
  }
}

void Check::check_saved_file(const std::string& path, const std::function<bool()>& named) {
  const Status sound = io::check_file(collection_.storage(), path);
  if (!sound.ok() && named()) {  // else a checkpoint replaced it meanwhile
    report(sound);
  }
}

// Frames that were synced, as later ones prove, and that no checkpoint includes.
void Check::check_log() {
  const std::string folder = collection_.folder() + "/wal";
  const auto names = collection_.storage().list(folder);
  for (const auto& name : names.ok() ? names.value() : std::vector<std::string>()) {
    const uint64_t number = name.ends_with(".wal") ? std::strtoull(name.c_str(), nullptr, 10) : 0;
    const std::string path = std::string(folder).append("/").append(name);
    const auto content = io::read_file(collection_.storage(), path, UINT32_MAX);
    if (number == 0 || !content.ok()) {
      continue;  // a spare, or set aside meanwhile
    }
    wal::LogReader reader(content.value(), static_cast<uint32_t>(number));
    auto lsn = reader.first_lsn();
    while (lsn && reader.next(*lsn)) {
      ++*lsn;
    }
    const uint64_t applied = collection_.saved().lsn;
    if (lsn && *lsn > applied && reader.proves_durable(*lsn, applied)) {
      report(base::corruption(path, reader.position(),
                              "operation " + std::to_string(*lsn) + " of the log is damaged"));
    }
  }
}

}  // namespace

Result<std::vector<Finding>> check_collection(Collection& collection,
                                              const std::function<bool()>& stopping) {
  Check check(collection, stopping);
  TRY(check.run());
  return check.take();
}

}  // namespace asyncstore::engine
