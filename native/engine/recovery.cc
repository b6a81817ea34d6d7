// Opening a collection: load what the last checkpoint left, repair what is derived, replay the log.
//
// Truth and copies. The originals and the log cannot be rebuilt. Everything else is kept twice: a
// point's id, version and place stand in the point table and in the entry of its row; which rows
// are deleted stands in the segment's bitmap and follows from the table; codes follow from the
// originals. One of each pair may be lost; both are CorruptionError.
#include <algorithm>
#include <cerrno>
#include <set>
#include <thread>
#include <unordered_map>
#include <utility>

#include "engine/collection.h"
#include "fields/field_file.h"

namespace asyncstore::engine {

using base::Code;
using base::Result;
using base::Status;
using points::Location;
using points::PointEntry;
using segment::RowEntry;
using segment::Segment;

namespace {
constexpr uint64_t k_small_file_bytes_max = 64 << 20;  // MANIFEST
}

Result<std::shared_ptr<Collection>> Collection::create(std::shared_ptr<io::Storage> storage,
                                                       std::string folder, const Options& options,
                                                       CollectionFile file) {
  const std::vector<std::byte> content = encode(file);
  for (const char* part : {"/segments", "/points", "/fields", "/wal"}) {
    TRY(storage->create_folder(folder + part));
  }
  // COLLECTION last: where it is, there is a manifest.
  Manifest manifest;
  manifest.owner = file.identity;
  manifest.fields.resize(file.fields.size());
  manifest.flushes.resize(1 + file.sparse.size() + file.multivectors.size());
  manifest.kept.resize(file.sparse.size() + file.multivectors.size());
  TRY(io::replace_file(*storage, folder + "/MANIFEST", encode(manifest)));
  TRY(io::replace_file(*storage, folder + "/COLLECTION", content));
  std::shared_ptr<Collection> collection(
      new Collection(std::move(storage), std::move(folder), options, std::move(file)));
  TRY(collection->recover());
  return collection;
}

Result<std::shared_ptr<Collection>> Collection::open(std::shared_ptr<io::Storage> storage,
                                                     std::string folder, const Options& options,
                                                     CollectionFile file) {
  std::shared_ptr<Collection> collection(
      new Collection(std::move(storage), std::move(folder), options, std::move(file)));
  TRY(collection->recover());
  return collection;
}

Status Collection::recover() {
  // Without it nothing would be known of any file, and all would go as orphans.
  TRY_ASSIGN(const auto content, io::read_file(*storage_, manifest_path(), k_small_file_bytes_max));
  TRY_ASSIGN(const Manifest manifest, parse_manifest(manifest_path(), content, identity(),
                                                     fields().size(), 1 + schema().kept()));
  saved_ = manifest;
  next_segment_ = manifest.next_segment;
  applied_lsn_ = manifest.lsn;

  last_flush_number_ = *std::max_element(manifest.flushes.begin(), manifest.flushes.end());
  TRY_ASSIGN(values_, ValueStores::open(storage_, folder_, identity(), schema(), manifest.flushes));
  for (size_t at = 0; at < values_->size(); ++at) {
    for (const base::Error& mended : (*values_)[at].mended()) {
      add_rebuilt("dictionary, from its other file: " + mended.message);
    }
  }

  // The two large parts at once: codes are bound by the disk and by copying, the table by the core.
  std::vector<Status> codes;
  Status segments;
  std::thread opener([&] { segments = open_segments(manifest, codes); });
  Status table = load_table(manifest);
  opener.join();
  TRY(std::move(segments));
  if (!table.ok() && table.error().code != Code::corruption) {
    return table;
  }
  TRY(load_deleted(manifest, !table.ok()));
  if (!table.ok()) {
    add_rebuilt("point table, from the entries of the rows: " + table.error().message);
    TRY(rebuild_table(manifest));
  }
  table_->load_finish();
  TRY(repair_entries());
  TRY(rebuild_codes(manifest, std::move(codes)));
  TRY(load_indexes(manifest));
  TRY(load_kept(manifest));
  TRY(replay());
  publish();
  remove_orphans();
  options_.opening.reset();  // what it belongs to may end before the collection does
  return {};
}

Status Collection::load_table(const Manifest& manifest) {
  std::vector<points::PointsFile> files;
  for (const uint64_t number : manifest.points) {
    files.push_back({points_path(number), number});
    if (!storage_->exists(files.back().path)) {
      return base::corruption(files.back().path, 0, "a point table is missing");
    }
  }
  TRY(points::load_points(*storage_, files, identity(), *table_));
  if (table_->live_count() != manifest.point_count) {
    return base::corruption(manifest_path(), 0,
                            "the number of points does not fit the point tables");
  }
  TRY(check_locations(manifest));
  // How many entries the changes repeat is not known; all count as the base, so that opening alone
  // makes no checkpoint write the whole table again.
  add_points_entries(manifest.point_count, true);
  return {};
}

// Each file is sound by itself; together they must tell of one state.
Status Collection::check_locations(const Manifest& manifest) const {
  for (uint32_t field = 0; field < manifest.fields.size(); ++field) {
    std::unordered_map<uint32_t, uint32_t> rows_of;
    for (const ManifestSegment& segment : manifest.fields[field]) {
      rows_of.emplace(segment.id, segment.rows);
    }
    uint32_t segment = 0;  // of the point before: mostly the same
    uint32_t rows = 0;
    for (uint32_t slot = 0; slot < table_->slot_count(); ++slot) {
      const Location location = table_->location(slot, field);
      if (!location.present()) {
        continue;
      }
      if (location.segment != segment || rows == 0) {
        const auto found = rows_of.find(location.segment);
        segment = location.segment;
        rows = found == rows_of.end() ? 0 : found->second;
      }
      if (location.row >= rows) {
        return base::corruption(
            points_path(manifest.points.back()), 0,
            "point " + table_->id(slot).text() + " lies in a row that the manifest does not know");
      }
    }
  }
  return {};
}

// Opens all segments and loads what codes there are; `codes` gets a status for each segment.
Status Collection::open_segments(const Manifest& manifest, std::vector<Status>& codes) {
  for (uint32_t field = 0; field < manifest.fields.size(); ++field) {
    auto& segments = states_[field].segments;
    for (const ManifestSegment& saved : manifest.fields[field]) {
      const Segment::Options options = segment_options(saved.id, saved.rows_max);
      TRY_ASSIGN(auto segment,
                 Segment::open(storage_, segments_folder(), fields()[field], options, saved.rows));
      codes.push_back(saved.sealed ? segment->load_codes(saved.rows) : Status());
      if (saved.sealed) {
        const Status loaded = segment->load_graph(saved.rows);
        if (!loaded.ok()) {
          add_rebuilt("graph, to be made of the codes: " + loaded.error().message);
        }
      }
      segments.push_back({std::move(segment), nullptr, nullptr});
    }
    states_[field].appendable = !segments.empty() && !manifest.fields[field].back().sealed &&
                                !segments.back().segment->damaged();
  }
  return {};
}

Status Collection::load_deleted(const Manifest& manifest, bool table_lost) {
  for (uint32_t field = 0; field < manifest.fields.size(); ++field) {
    for (size_t i = 0; i < manifest.fields[field].size(); ++i) {
      const ManifestSegment& saved = manifest.fields[field][i];
      if (saved.deleted_lsn == 0) {
        continue;
      }
      SegmentState& state = states_[field].segments[i];
      const std::string path = state.segment->deleted_path(saved.deleted_lsn);
      auto read = segment::DeletedRows::read(*storage_, path, identity(), saved.id, saved.rows);
      if (read.ok()) {
        state.deleted = std::move(read.value());
        saved_deleted_[saved.id] = state.deleted;
        continue;
      }
      if (table_lost) {
        return std::move(read.error());  // nothing is left to tell which rows are deleted
      }
      add_rebuilt("deleted rows, from the point table: " + read.error().message);
      segment::DeletedRowsBuilder builder(nullptr);
      // By the table alone: a row's entry, which names its slot, may be damaged too.
      std::vector<bool> live(saved.rows);
      for (uint32_t slot = 0; slot < table_->slot_count(); ++slot) {
        const Location location = table_->location(slot, field);
        if (location.segment == saved.id && location.row < saved.rows) {
          live[location.row] = true;
        }
      }
      for (uint32_t row = 0; row < saved.rows; ++row) {
        if (!live[row]) {
          builder.mark(row);
        }
      }
      state.deleted = builder.build();
    }
  }
  return {};
}

// The live rows of all segments name every point that has a vector.
Status Collection::rebuild_table(const Manifest& manifest) {
  table_ = std::make_unique<points::PointTable>(static_cast<uint32_t>(fields().size()));
  std::unordered_map<uint32_t, PointEntry> entries;
  for (uint32_t field = 0; field < states_.size(); ++field) {
    for (const SegmentState& state : states_[field].segments) {
      const Segment& segment = *state.segment;
      for (const uint32_t row : segment.damaged_rows()) {
        if (!state.deleted || !state.deleted->contains(row)) {
          return base::corruption(
              segment.path("rows"), 0,
              "the point table and the entry of row " + std::to_string(row) + " are both damaged");
        }
      }
      TRY(segment.visit_entries(segment.rows(), [&](uint32_t row, const RowEntry& entry) {
        if (state.deleted && state.deleted->contains(row)) {
          return;
        }
        PointEntry& point = entries[entry.slot];
        point.slot = entry.slot;
        point.live = true;
        point.id = entry.id;
        point.version = std::max(point.version, entry.version);
        point.locations.resize(states_.size());
        point.locations[field] = Location{segment.id(), row};
      }));
    }
  }
  table_->load_reserve(entries.size());
  for (const auto& [slot, entry] : entries) {
    if (!table_->load(entry)) {
      return base::corruption(segments_folder(), 0, "two rows claim point " + entry.id.text());
    }
  }
  if (table_->live_count() != manifest.point_count) {
    return base::corruption(
        folder_ + "/points", 0,
        "the point table is damaged, and points without vectors cannot be rebuilt: " +
            std::to_string(manifest.point_count - table_->live_count()) + " points are missing");
  }
  whole_table_ = true;
  return {};
}

// Entries of rows that fail their checksum are written anew from the point table.
Status Collection::repair_entries() {
  for (uint32_t field = 0; field < states_.size(); ++field) {
    for (const SegmentState& state : states_[field].segments) {
      if (state.segment->headers_rebuilt() > 0) {
        add_rebuilt("headers of segment " + state.segment->path("*") + ", from the manifest");
      }
      const auto& damaged = state.segment->damaged_rows();
      if (damaged.empty()) {
        continue;
      }
      std::unordered_map<uint32_t, uint32_t> slot_of_row;
      for (uint32_t slot = 0; slot < table_->slot_count(); ++slot) {
        const Location location = table_->location(slot, field);
        if (location.present() && location.segment == state.segment->id()) {
          slot_of_row[location.row] = slot;
        }
      }
      uint32_t lost = 0;
      for (const uint32_t row : damaged) {
        const auto found = slot_of_row.find(row);
        const bool live = !state.deleted || !state.deleted->contains(row);
        if (live && found == slot_of_row.end()) {
          return base::corruption(
              state.segment->path("rows"), 0,
              "row " + std::to_string(row) + " is damaged and no point lies there");
        }
        RowEntry entry;
        if (found != slot_of_row.end()) {
          const uint32_t slot = found->second;
          entry = {table_->id(slot), table_->version(slot), slot, 0};
        }
        TRY_ASSIGN(const bool sound, state.segment->repair_entry(row, entry));
        lost += sound ? 0 : 1;
      }
      add_rebuilt(std::to_string(damaged.size()) + " row entries of " +
                  state.segment->path("rows") + ", from the point table" +
                  (lost == 0 ? ""
                             : "; the vectors of " + std::to_string(lost) +
                                   " of them are damaged as well"));
    }
  }
  return {};
}

// What was not loaded: codes of segments that are not sealed, and damaged ones.
Status Collection::rebuild_codes(const Manifest& manifest, std::vector<Status> codes) {
  size_t next = 0;
  for (uint32_t field = 0; field < states_.size(); ++field) {
    for (size_t i = 0; i < states_[field].segments.size(); ++i) {
      Segment& segment = *states_[field].segments[i].segment;
      Status loaded = std::move(codes[next++]);
      if (manifest.fields[field][i].sealed && loaded.ok()) {
        continue;
      }
      if (segment.quantizer() != nullptr) {
        TRY_ASSIGN(const auto failed, segment.rebuild_codes(segment.rows()));
        for (const uint32_t row : failed) {
          add_rebuilt("code of row " + std::to_string(row) + " of " + segment.path("vectors") +
                      ": the vector itself is damaged and is reported when it is read");
        }
      }
      if (!loaded.ok()) {
        add_rebuilt("codes, from the originals: " + loaded.error().message);
        TRY(segment.seal(segment.rows()));
      }
    }
  }
  return {};
}

// An index that cannot be loaded, or that a new point table tells nothing about, is made of the
// payloads once the collection is open.
Status Collection::load_indexes(const Manifest& manifest) {
  std::vector<std::shared_ptr<PayloadIndex>> loaded;
  for (const ManifestIndex& saved : manifest.indexes) {
    auto index = std::make_shared<PayloadIndex>(saved.definition);
    indexes_.add(index);
    last_index_number_ = std::max(last_index_number_, saved.number);
    if (saved.number == 0 || whole_table_) {
      continue;
    }
    const std::string path = index_path(saved.number);
    auto read = fields::load_field(*storage_, path, identity());
    if (read.ok() && (read.value().index->schema() != saved.definition.schema ||
                      read.value().lsn != saved.lsn)) {
      read = base::corruption(path, 0, "the file holds another index");
    }
    if (!read.ok()) {
      add_rebuilt("index of '" + saved.definition.schema.key +
                  "', to be made of the payloads: " + read.error().message);
      continue;
    }
    TRY_ASSIGN(const uint64_t bytes, io::file_bytes(*storage_, path));
    index->set_saved({saved.number, saved.lsn, bytes});
    index->begin_use(std::move(read.value().index));
    loaded.push_back(std::move(index));
  }
  const Status followed = follow_payloads(loaded);
  for (size_t i = 0; i < loaded.size() && !followed.ok(); ++i) {
    add_rebuilt("index of '" + loaded[i]->definition().schema.key +
                "', to be made of the payloads: " + followed.error().message);
    loaded[i]->begin_use(nullptr);
    loaded[i]->set_saved({});
  }
  return {};
}

// Payloads that changed since an index was saved are read again. Error: one is damaged.
Status Collection::follow_payloads(const std::vector<std::shared_ptr<PayloadIndex>>& loaded) {
  const IndexedValues indexed(loaded);
  std::vector<fields::Values> values;
  for (uint32_t slot = 0; slot < table_->slot_count() && !loaded.empty(); ++slot) {
    const bool live = table_->live(slot);
    const auto is_old = [&](const std::shared_ptr<PayloadIndex>& index) {
      return !live || table_->version(slot) > index->saved().lsn;
    };
    if (std::none_of(loaded.begin(), loaded.end(), is_old)) {
      continue;
    }
    values.clear();
    if (live) {
      TRY(indexed.read(values_->payload(), slot, values));
    }
    values.resize(loaded.size());
    for (size_t i = 0; i < loaded.size(); ++i) {
      loaded[i]->set(slot, values[i]);
    }
  }
  for (const auto& index : loaded) {
    index->changes = 0;
  }
  return {};
}

Status Collection::replay() {
  const wal::LogOptions options{log_file_bytes(), options_.durability, identity()};
  TRY_ASSIGN(log_, wal::Log::open(storage_, folder_ + "/wal", options, applied_lsn_,
                                  [this](uint64_t lsn, uint32_t kind, base::Bytes payload) {
                                    return replay(lsn, kind, payload);
                                  }));
  return {};
}

Status Collection::replay(uint64_t lsn, uint32_t kind, base::Bytes payload) {
  TRY_ASSIGN(const Operation operation, parse_operation(schema(), kind, payload));
  Status reserved = reserve(operation);
  if (!reserved.ok() && reserved.error().os_errno == ENOSPC) {
    TRY(make_space());
    reserved = reserve(operation);
  }
  TRY(std::move(reserved));
  TRY(apply(lsn, kind, payload));
  end_group();
  const uint64_t frame_bytes = sizeof(wal::FrameHeader) + payload.size();
  return options_.opening ? options_.opening->replayed(frame_bytes) : Status();
}

// A log that was written must go in again, however full the disk is: it needs no more space than it
// had, once what is reserved in advance and what nothing refers to is gone.
Status Collection::make_space() {
  remove_orphans();
  end_group();
  for (FieldState& state : states_) {
    if (state.appendable) {
      TRY(state.segments.back().segment->trim());
    }
    if (state.next) {
      TRY(state.next->trim());
    }
  }
  return {};
}

// Files that a crash left behind before a manifest named them, or after it no longer did.
void Collection::remove_orphans() {
  std::set<std::string> known;
  for (const FieldState& state : states_) {
    for (const SegmentState& segment : state.segments) {
      for (const char* suffix : {"vectors", "rows", "codes", "graph"}) {
        known.insert(segment.segment->path(suffix));
      }
    }
    if (state.next) {
      known.insert(state.next->path("vectors"));
      known.insert(state.next->path("rows"));
    }
  }
  for (const auto& segments : saved_.fields) {
    for (const ManifestSegment& saved : segments) {
      for (const FieldState& state : states_) {
        for (const SegmentState& segment : state.segments) {
          if (segment.segment->id() == saved.id && saved.deleted_lsn > 0) {
            known.insert(segment.segment->deleted_path(saved.deleted_lsn));
          }
        }
      }
    }
  }
  for (const uint64_t lsn : saved_.points) {
    known.insert(points_path(lsn));
  }
  for (const ManifestIndex& saved : saved_.indexes) {
    known.insert(index_path(saved.number));
  }
  for (uint32_t kept = 0; kept < saved_.kept.size(); ++kept) {
    known.insert(kept_path(kept, saved_.kept[kept].number));
  }
  for (const char* part : {"/segments", "/points", "/fields"}) {
    const auto names = storage_->list(folder_ + part);
    for (const auto& name : names.ok() ? names.value() : std::vector<std::string>()) {
      const std::string path = folder_ + part + "/" + name;
      if (!known.contains(path)) {
        // One that cannot be removed costs space only.
        static_cast<void>(storage_->remove(path).ok());
      }
    }
  }
}

}  // namespace asyncstore::engine
