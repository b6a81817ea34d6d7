#include "engine/check_saved.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <string>
#include <thread>
#include <utility>

#include "fields/field_file.h"
#include "io/storage.h"
#include "multivector/code_file.h"
#include "segment/deleted_rows.h"
#include "sparse/index_file.h"
#include "wal/log_reader.h"

namespace asyncstore::engine {

using base::Bytes;
using base::Error;
using base::Result;
using base::Status;
using segment::Segment;

namespace {

constexpr uint64_t k_small_file_bytes_max = 64 << 20;
constexpr int k_attempts = 3;
constexpr auto k_attempt_wait = std::chrono::milliseconds(10);

Damage damage_of(DamageKind kind, const Error& error) {
  return {kind, {true, error.file, error.offset_bytes, error.message}};
}

// A file that is replaced as a whole: it must say `wanted`. A checkpoint may replace it meanwhile.
template <typename File>
void check_whole_file(Collection& collection, DamageKind kind, const std::string& path,
                      const std::function<Result<File>(Bytes)>& parse,
                      const std::function<File()>& wanted, std::vector<Damage>& found) {
  const auto look = [&]() -> Status {
    TRY_ASSIGN(const auto content,
               io::read_file(collection.storage(), path, k_small_file_bytes_max));
    TRY_ASSIGN(const File said, parse(content));
    return encode(said) == encode(wanted())
               ? Status()
               : Status(base::corruption(path, 0, "not what was written last"));
  };
  Status sound = look();
  for (int attempt = 1; attempt < k_attempts && !sound.ok(); ++attempt) {
    std::this_thread::sleep_for(attempt * k_attempt_wait);
    sound = look();
  }
  if (!sound.ok()) {
    found.push_back(damage_of(kind, sound.error()));
  }
}

void check_deleted_rows(Collection& collection, uint32_t field, const ManifestSegment& saved,
                        std::vector<Damage>& found) {
  const std::string path =
      Segment::deleted_path(collection.segments_folder(), saved.id, saved.deleted_lsn);
  const auto read = segment::DeletedRows::read(collection.storage(), path, collection.identity(),
                                               saved.id, saved.rows);
  if (read.ok()) {
    return;
  }
  const auto now = collection.saved().fields[field];
  const bool named = std::any_of(now.begin(), now.end(), [&](const ManifestSegment& other) {
    return other.id == saved.id && other.deleted_lsn == saved.deleted_lsn;
  });
  if (named) {  // else a checkpoint replaced it meanwhile
    found.push_back(damage_of(DamageKind::deleted_rows, read.error()));
    found.back().part = field;
    found.back().segment = saved.id;
  }
}

void check_points_file(Collection& collection, uint64_t number, std::vector<Damage>& found) {
  const Status sound = points::check_points(
      collection.storage(), {collection.points_path(number), number}, collection.identity(),
      static_cast<uint32_t>(collection.fields().size()));
  const auto now = collection.saved().points;
  if (!sound.ok() && std::find(now.begin(), now.end(), number) != now.end()) {
    found.push_back(damage_of(DamageKind::points, sound.error()));
  }
}

void check_index(Collection& collection, uint64_t number, std::vector<Damage>& found) {
  const auto read = fields::load_field(collection.storage(), collection.index_path(number),
                                       collection.identity());
  if (read.ok()) {
    return;
  }
  const auto now = collection.saved().indexes;
  if (std::any_of(now.begin(), now.end(),
                  [&](const ManifestIndex& other) { return other.number == number; })) {
    found.push_back(damage_of(DamageKind::field_index, read.error()));
    found.back().first = static_cast<uint32_t>(number);
  }
}

// Of a vector that is kept as a value.
void check_kept_index(Collection& collection, uint32_t kept, uint64_t number,
                      std::vector<Damage>& found) {
  const uint32_t slots = collection.table().slot_count();
  const uint32_t sparse = collection.schema().sparse;
  const auto look = [&]() -> Status {
    if (kept >= sparse) {
      return multivector::check_codes(collection.storage(),
                                      collection.codes_file(kept - sparse, number),
                                      collection.multivectors()[kept - sparse], slots);
    }
    TRY(sparse::load_index(collection.storage(), collection.kept_path(kept, number),
                           collection.identity(), slots));
    return {};
  };
  const Status sound = look();
  if (!sound.ok() && collection.saved().kept[kept].number == number) {
    found.push_back(damage_of(DamageKind::field_index, sound.error()));
    found.back().first = static_cast<uint32_t>(number);
  }
}

// The operations that a file of the log has.
struct Span {
  uint64_t first = 0;
  uint64_t end = 0;
  std::string path;
  uint64_t position = 0;  // where `end` should be
};

}  // namespace

void check_saved(Collection& collection, std::vector<Damage>& found) {
  const std::string description = collection.folder() + "/COLLECTION";
  check_whole_file<CollectionFile>(
      collection, DamageKind::collection_file, description,
      [&](Bytes content) { return parse_collection(description, content); },
      [&] { return collection.file(); }, found);
  const std::string manifest = collection.manifest_path();
  check_whole_file<Manifest>(
      collection, DamageKind::manifest, manifest,
      [&](Bytes content) {
        return parse_manifest(manifest, content, collection.identity(), collection.fields().size(),
                              collection.values().size());
      },
      [&] { return collection.saved(); }, found);
  const Manifest saved = collection.saved();
  for (uint32_t field = 0; field < saved.fields.size(); ++field) {
    for (const ManifestSegment& segment : saved.fields[field]) {
      if (segment.deleted_lsn > 0) {
        check_deleted_rows(collection, field, segment, found);
      }
    }
  }
  for (const uint64_t number : saved.points) {
    check_points_file(collection, number, found);
  }
  for (const ManifestIndex& index : saved.indexes) {
    if (index.number > 0) {
      check_index(collection, index.number, found);
    }
  }
  for (uint32_t kept = 0; kept < saved.kept.size(); ++kept) {
    if (saved.kept[kept].number > 0) {
      check_kept_index(collection, kept, saved.kept[kept].number, found);
    }
  }
}

void check_log(Collection& collection, std::vector<Damage>& found) {
  const uint64_t written = collection.view()->lsn;  // before the files are listed
  const std::string folder = collection.folder() + "/wal";
  const auto names = collection.storage().list(folder);
  std::vector<Span> spans;
  for (const auto& name : names.ok() ? names.value() : std::vector<std::string>()) {
    const uint64_t number = name.ends_with(".wal") ? std::strtoull(name.c_str(), nullptr, 10) : 0;
    const std::string path = std::string(folder).append("/").append(name);
    const auto content = io::read_file(collection.storage(), path, UINT32_MAX);
    if (number == 0 || !content.ok()) {
      continue;  // a spare, or set aside meanwhile
    }
    wal::LogReader reader(content.value(), static_cast<uint32_t>(number));
    const Status header = reader.check_header(path, collection.identity());
    if (!header.ok() && collection.storage().exists(path)) {
      found.push_back(damage_of(DamageKind::log, header.error()));
    }
    if (const auto first = reader.first_lsn()) {
      uint64_t end = *first;
      const uint64_t saved = collection.saved().lsn;
      while (const auto frame = reader.next(end, saved)) {
        end = frame->header.lsn + 1;
      }
      spans.push_back({*first, end, path, reader.position()});
    }
  }
  // Files set aside meanwhile held what this includes.
  uint64_t next = collection.saved().lsn + 1;
  std::string path = folder;
  uint64_t position = 0;
  for (const Span& span : spans) {
    if (span.first <= next) {
      next = next <= span.end ? span.end : next;
      path = span.path;
      position = span.position;
    }
  }
  if (next <= written) {
    found.push_back(
        damage_of(DamageKind::log, base::corruption(path, position,
                                                    "operation " + std::to_string(next) +
                                                        " of the log is damaged or missing")));
  }
}

}  // namespace asyncstore::engine
