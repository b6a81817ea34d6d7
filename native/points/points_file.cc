#include "points/points_file.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>

#include "io/checked_file.h"

namespace asyncstore::points {

using base::Bytes;
using base::Result;
using base::Status;

namespace {

constexpr io::Magic k_magic = {'A', 'S', 'P', 'O', 'I', 'N', 'T', '1'};

struct RawEntry {
  uint32_t slot;
  uint32_t flags;
  uint64_t high;
  uint64_t low;
  uint64_t version;
};
static_assert(sizeof(RawEntry) == 32);
constexpr uint32_t k_live = 1;
constexpr uint32_t k_uuid = 2;
constexpr uint64_t k_prefetch_entries = 16;  // far enough for a miss of the cache

uint64_t entry_bytes(uint32_t fields) {
  return sizeof(RawEntry) + uint64_t{8} * fields;
}

struct OpenPoints {
  io::CheckedFile file;
  uint32_t slot_count;
  uint64_t entries;
};

Result<OpenPoints> open_points(io::Storage& storage, const PointsFile& named, uint64_t owner,
                               uint32_t fields) {
  TRY_ASSIGN(io::CheckedFile file, io::CheckedFile::open(storage, named.path, {k_magic, owner}));
  const auto [number, slot_count, entries, file_fields] = file.fields();
  if (number != named.number) {
    return base::corruption(named.path, 32, "the file belongs under another name");
  }
  if (file_fields != fields || slot_count >= k_no_slot || entries > slot_count ||
      file.payload_bytes() != entries * entry_bytes(fields)) {
    return base::corruption(named.path, 32, "the header's counts do not fit together");
  }
  return OpenPoints{std::move(file), static_cast<uint32_t>(slot_count), entries};
}

// Reads in parts, so that a table of many millions needs no memory of its size. `soon`: a table
// that the entries go into; its hash is prefetched.
Status visit_entries(const OpenPoints& points, uint32_t fields,
                     const std::function<Status(const PointEntry&, Bytes raw)>& visit,
                     const PointTable* soon = nullptr) {
  const uint64_t size = entry_bytes(fields);
  constexpr uint64_t k_part_blocks = 4;
  std::vector<std::byte> part;
  std::vector<std::byte> whole(size);
  PointEntry entry;
  entry.locations.resize(fields);
  uint64_t carried = 0;  // bytes of an entry that began in the part before
  for (uint64_t offset = 0; offset < points.file.payload_bytes(); offset += part.size()) {
    part.resize(std::min(k_part_blocks * io::CheckedFile::k_block_bytes,
                         points.file.payload_bytes() - offset));
    TRY(points.file.read(offset, part));
    for (uint64_t at = 0; at < part.size();) {
      const uint64_t taken = std::min(size - carried, part.size() - at);
      std::memcpy(whole.data() + carried, part.data() + at, taken);
      carried += taken;
      at += taken;
      if (carried < size) {
        break;
      }
      carried = 0;
      if (soon != nullptr && at + k_prefetch_entries * size <= part.size()) {
        RawEntry later;
        std::memcpy(&later, part.data() + at + (k_prefetch_entries - 1) * size, sizeof later);
        soon->prefetch({(later.flags & k_uuid) != 0, later.high, later.low});
      }
      RawEntry raw;
      std::memcpy(&raw, whole.data(), sizeof raw);
      if (raw.slot >= points.slot_count) {
        return base::corruption(points.file.path(), 72 + offset + at - size,
                                "an entry names an impossible slot");
      }
      entry.slot = raw.slot;
      entry.live = (raw.flags & k_live) != 0;
      entry.id = {(raw.flags & k_uuid) != 0, raw.high, raw.low};
      entry.version = raw.version;
      for (uint32_t field = 0; field < fields; ++field) {
        uint64_t word;
        std::memcpy(&word, whole.data() + sizeof raw + size_t{8} * field, sizeof word);
        entry.locations[field] = Location::of_word(word);
      }
      TRY(visit(entry, whole));
    }
  }
  return {};
}

}  // namespace

void PointsBuffer::add(const PointEntry& entry) {
  entries_.put(RawEntry{entry.slot, (entry.live ? k_live : 0) | (entry.id.is_uuid ? k_uuid : 0),
                        entry.id.high, entry.id.low, entry.version});
  for (const Location& location : entry.locations) {
    entries_.put(location.word());
  }
  ++count_;
}

Status PointsBuffer::write(io::Storage& storage, const PointsFile& file, uint64_t owner,
                           uint32_t slot_count) const {
  TRY_ASSIGN(auto writer,
             io::CheckedFileWriter::create(storage, file.path, {k_magic, owner},
                                           {file.number, slot_count, count_, fields_}));
  TRY(writer.append(entries_.bytes()));
  return writer.finish();
}

Status load_points(io::Storage& storage, const std::vector<PointsFile>& files, uint64_t owner,
                   PointTable& table) {
  for (size_t index = 0; index < files.size(); ++index) {
    TRY_ASSIGN(const OpenPoints points, open_points(storage, files[index], owner, table.fields()));
    if (!table.load_slots(points.slot_count)) {
      return base::Error{base::Code::io, "no memory left for the points of " + files[index].path,
                         files[index].path, 0, ENOMEM};
    }
    if (index == 0) {
      table.load_reserve(points.entries);
    } else {
      // Ids may have moved between slots, so all old entries go before a new one comes.
      TRY(visit_entries(points, table.fields(), [&](const PointEntry& entry, Bytes) -> Status {
        table.unload(entry.slot);
        return {};
      }));
    }
    TRY(visit_entries(
        points, table.fields(),
        [&](const PointEntry& entry, Bytes) -> Status {
          if (!table.load(entry, index == 0)) {
            return base::corruption(
                files[index].path, 72,
                "the entry of point " + entry.id.text() + " contradicts another");
          }
          return {};
        },
        &table));
  }
  return {};
}

Status check_points(io::Storage& storage, const PointsFile& file, uint64_t owner, uint32_t fields) {
  TRY_ASSIGN(const OpenPoints points, open_points(storage, file, owner, fields));
  return visit_entries(points, fields, [](const PointEntry&, Bytes) -> Status { return {}; });
}

Result<uint64_t> merge_points(io::Storage& storage, const std::vector<PointsFile>& files,
                              uint64_t owner, uint32_t fields, const PointsFile& target) {
  ASSERT(!files.empty());
  std::vector<OpenPoints> inputs;
  for (const auto& input : files) {
    TRY_ASSIGN(OpenPoints points, open_points(storage, input, owner, fields));
    inputs.push_back(std::move(points));
  }
  const uint32_t slot_count =
      std::max_element(inputs.begin(), inputs.end(), [](const auto& a, const auto& b) {
        return a.slot_count < b.slot_count;
      })->slot_count;
  // newest[slot]: the last input that tells of the slot.
  std::vector<uint16_t> newest(slot_count, 0);
  for (size_t index = 1; index < inputs.size(); ++index) {
    TRY(visit_entries(inputs[index], fields, [&](const PointEntry& entry, Bytes) -> Status {
      newest[entry.slot] = static_cast<uint16_t>(index);
      return {};
    }));
  }
  const auto visit_newest = [&](const std::function<Status(Bytes)>& visit) -> Status {
    for (size_t index = 0; index < inputs.size(); ++index) {
      TRY(visit_entries(inputs[index], fields, [&](const PointEntry& entry, Bytes raw) -> Status {
        // A dead slot needs no entry in a base.
        return newest[entry.slot] == index && entry.live ? visit(raw) : Status();
      }));
    }
    return {};
  };
  uint64_t entries = 0;
  TRY(visit_newest([&](Bytes) -> Status {
    ++entries;
    return {};
  }));
  TRY_ASSIGN(auto file,
             io::CheckedFileWriter::create(storage, target.path, {k_magic, owner},
                                           {target.number, slot_count, entries, fields}));
  TRY(visit_newest([&](Bytes raw) { return file.append(raw); }));
  TRY(file.finish());
  return entries;
}

}  // namespace asyncstore::points
