#include "engine/snapshot.h"

#include <algorithm>
#include <limits>
#include <string_view>

#include "base/limits.h"
#include "segment/segment_format.h"

namespace asyncstore::engine {

using base::Result;
using base::Status;
using segment::Segment;

namespace {

constexpr uint64_t k_whole = std::numeric_limits<uint64_t>::max();
constexpr uint64_t k_part_bytes = 1 << 20;

Status copy_file(io::File& source, io::File& target) {
  TRY_ASSIGN(const uint64_t size, source.size());
  std::vector<std::byte> part(std::min(size, k_part_bytes));
  for (uint64_t offset = 0; offset < size; offset += part.size()) {
    const auto some =
        base::MutableBytes(part).first(std::min<uint64_t>(part.size(), size - offset));
    TRY(source.read_at(offset, some));
    TRY(target.write_at(offset, some));
  }
  return {};
}

// Of a store of values, beside its tracker and its journal.
bool is_part(std::string_view name) {
  return name.ends_with(".page") || name.ends_with(".dictionary") || name.ends_with(".mirror");
}

}  // namespace

Result<std::shared_ptr<Snapshot>> Snapshot::take(Collection& collection,
                                                 std::shared_ptr<const View> before) {
  const Manifest& manifest = collection.saved_manifest();
  std::shared_ptr<Snapshot> snapshot(new Snapshot(std::move(before)));
  snapshot->lsn_ = manifest.lsn;
  TRY(snapshot->add(collection, "COLLECTION", k_whole));
  TRY(snapshot->add(collection, "MANIFEST", k_whole));
  for (const uint64_t number : manifest.points) {
    TRY(snapshot->add(collection, "points/" + std::to_string(number) + ".points", k_whole));
  }
  TRY(snapshot->add_segments(collection, manifest));
  const auto add_index = [&](uint64_t number, const std::string& path) -> Status {
    // 0: it was not saved, and is made of the payloads or the vectors again.
    return number == 0
               ? Status()
               : snapshot->add(collection, path.substr(collection.folder().size() + 1), k_whole);
  };
  for (const ManifestIndex& index : manifest.indexes) {
    TRY(add_index(index.number, collection.index_path(index.number)));
  }
  for (uint32_t kept = 0; kept < manifest.kept.size(); ++kept) {
    const uint64_t number = manifest.kept[kept].number;
    TRY(add_index(number, collection.kept_path(kept, number)));
  }
  for (size_t at = 0; at < manifest.flushes.size(); ++at) {
    TRY(snapshot->add_values(collection, at, manifest.flushes[at]));
  }
  return snapshot;
}

void Snapshot::release() {
  files_.clear();
  before_.reset();
}

Status Snapshot::add(Collection& collection, const std::string& name, uint64_t bytes_max) {
  TRY_ASSIGN(auto file,
             collection.storage().open(collection.folder() + "/" + name, io::Open::read));
  TRY_ASSIGN(const uint64_t size, file->size());
  files_.push_back({name, std::move(file), std::min(size, bytes_max)});
  return {};
}

Status Snapshot::add_segments(Collection& collection, const Manifest& manifest) {
  const size_t folder_bytes = collection.folder().size() + 1;
  for (uint32_t field = 0; field < manifest.fields.size(); ++field) {
    const segment::RowLayout layout(segment::row_bytes(collection.fields()[field]));
    for (const ManifestSegment& saved : manifest.fields[field]) {
      const auto path = [&](const std::string& suffix) {
        return Segment::path(collection.segments_folder(), saved.id, suffix).substr(folder_bytes);
      };
      TRY(add(collection, path("vectors"), layout.file_bytes(saved.rows)));
      TRY(add(collection, path("rows"), segment::row_entry_offset(saved.rows)));
      for (const char* suffix : {"codes", "graph"}) {
        const bool exists = collection.storage().exists(collection.folder() + "/" + path(suffix));
        if (saved.sealed && exists) {  // what is not there is not wanted, or made again
          TRY(add(collection, path(suffix), k_whole));
        }
      }
      if (saved.deleted_lsn > 0) {
        TRY(add(collection,
                Segment::deleted_path(collection.segments_folder(), saved.id, saved.deleted_lsn)
                    .substr(folder_bytes),
                k_whole));
      }
    }
  }
  return {};
}

// Page files that are newer than the flush come along; nobody needs them, and no open minds.
Status Snapshot::add_values(Collection& collection, size_t at, uint64_t flush) {
  if (flush == 0) {
    return {};  // no value was ever saved
  }
  const std::string path = collection.values().folder(at);
  const std::string folder = path.substr(collection.folder().size() + 1);
  TRY(add_tracker(collection, folder));
  TRY_ASSIGN(const auto names, collection.storage().list(path));
  const std::string number = std::to_string(flush);
  for (const std::string& name : names) {
    if (name == number + ".done" || name == number + ".flush" || is_part(name)) {
      TRY(add(collection, std::string(folder).append("/").append(name), k_whole));
    }
  }
  return {};
}

// The copy has no name while it is in use. It is made where the next open removes what it does not
// know, in case of a crash.
Status Snapshot::add_tracker(Collection& collection, const std::string& folder) {
  io::Storage& storage = collection.storage();
  const std::string name = folder + "/tracker";
  const std::string copy = collection.folder() + "/fields/tracker.copy";
  TRY_ASSIGN(const auto tracker, storage.open(collection.folder() + "/" + name, io::Open::read));
  TRY_ASSIGN(auto file, storage.open(copy, io::Open::create));
  Status copied = copy_file(*tracker, *file);
  TRY(storage.remove(copy));
  TRY(std::move(copied));
  TRY_ASSIGN(const uint64_t bytes, file->size());
  files_.push_back({name, std::move(file), bytes});
  return {};
}

}  // namespace asyncstore::engine
