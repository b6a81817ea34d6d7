// Looking for damage in the files of an open segment, and writing anew what they hold twice. What
// is in memory was checked when it came there, so the files are held against it.
#include <algorithm>
#include <cstring>
#include <utility>

#include "base/crc32c.h"
#include "segment/segment.h"
#include "segment/segment_format.h"

namespace asyncstore::segment {

using base::Bytes;
using base::Status;

namespace {
constexpr uint64_t k_check_part_bytes = 1 << 20;
}

void Segment::check_rows(uint32_t begin, uint32_t end, const Report& report) const {
  const auto part =
      static_cast<uint32_t>(std::max<uint64_t>(1, k_check_part_bytes / layout_.stride()));
  for (uint32_t first = begin; first < end; first += std::min(part, end - first)) {
    const uint32_t last = std::min(end - first, part) + first;
    if (check_part(first, last, report)) {
      continue;
    }
    // Something cannot be read: the rows one by one tell what.
    for (uint32_t row = first; row < last; ++row) {
      check_part(row, row + 1, report);
    }
  }
}

// False when rows [begin, end), more than one, cannot be read at once.
bool Segment::check_part(uint32_t begin, uint32_t end, const Report& report) const {
  const uint64_t count = end - begin;
  // The last row's stride may reach past the end of the file.
  std::vector<std::byte> originals((count - 1) * layout_.stride() + layout_.row_bytes());
  std::vector<RawRow> entries(count);
  const Status vectors_read = vectors_->read_at(layout_.offset(begin), originals);
  const Status entries_read =
      row_file_->read_at(row_entry_offset(begin), std::as_writable_bytes(std::span(entries)));
  if (count > 1 && !(vectors_read.ok() && entries_read.ok())) {
    return false;
  }
  for (uint32_t row = begin; row < end; ++row) {
    const RawRow& entry = entries[row - begin];
    const Bytes stored(originals.data() + uint64_t{row - begin} * layout_.stride(),
                       layout_.row_bytes());
    if (!vectors_read.ok()) {
      report(row, Part::original, vectors_read.error());
    } else if (base::crc32c(stored) != crc(row)) {
      report(row, Part::original,
             base::corruption(path("vectors"), layout_.offset(row),
                              "a vector does not match its checksum"));
    }
    if (!entries_read.ok()) {
      report(row, Part::entry, entries_read.error());
    } else if (crc_of(entry) != entry.crc) {
      report(row, Part::entry,
             base::corruption(path("rows"), row_entry_offset(row),
                              "the entry of a row does not match its checksum"));
    } else if (entry.slot != slot(row) || entry.row_crc != crc(row)) {
      report(row, Part::entry,
             base::corruption(path("rows"), row_entry_offset(row),
                              "the entry of a row is not the one that was written"));
    }
  }
  return true;
}

Status Segment::check_header(const char* suffix) const {
  const bool of_vectors = std::strcmp(suffix, "vectors") == 0;
  const SegmentHeader expected = header(of_vectors ? k_vectors_magic : k_rows_magic);
  SegmentHeader found{};
  TRY_ASSIGN(const auto file, storage_->open(path(suffix), io::Open::read));
  TRY_ASSIGN(const uint64_t size, file->size());
  if (size < sizeof found) {
    return base::corruption(path(suffix), size, "the file ends inside its header");
  }
  TRY(file->read_at(0, std::as_writable_bytes(std::span(&found, 1))));
  if (std::memcmp(&found, &expected, sizeof found) != 0) {
    return base::corruption(path(suffix), 0,
                            found.crc == crc_of(found) ? "the header belongs to another file"
                                                       : "the header does not match its checksum");
  }
  return {};
}

Status Segment::check_codes() const {
  TRY_ASSIGN(const io::CheckedFile file, open_codes(rows_));
  const auto [segment, file_rows, shape, kind] = file.fields();
  if (shape >> 32 != quantizer_->code_bytes() ||
      kind != static_cast<uint64_t>(quantizer_->kind())) {
    return base::corruption(file.path(), 48, "the header belongs to another kind of code");
  }
  return io::check_file(*storage_, path("codes"));
}

Status Segment::rewrite_entry(uint32_t row, const points::PointId& id, uint64_t version) {
  const RawRow raw = to_raw({id, version, slot(row), crc(row)});
  return row_file_->write_at(row_entry_offset(row), std::as_bytes(std::span(&raw, 1)));
}

Status Segment::rewrite_headers() {
  TRY(write_header(*vectors_));
  return write_header(*row_file_);
}

Status Segment::rewrite_codes() {
  return rewrite_file("codes",
                      [this](const std::string& beside) { return write_codes(beside, rows_); });
}

Status Segment::rewrite_graph() {
  return rewrite_file("graph", [this](const std::string& beside) { return write_graph(beside); });
}

Status Segment::rewrite_file(const char* suffix,
                             const std::function<Status(const std::string&)>& write) {
  ASSERT(sealed());
  const std::string beside = path(suffix) + ".new";
  Status written = write(beside);
  if (written.ok()) {
    written = storage_->rename(beside, path(suffix));
  }
  if (!written.ok()) {
    // What a full disk had room for; if it stays, the next open removes it.
    static_cast<void>(storage_->remove(beside).ok());
  }
  return written;
}

}  // namespace asyncstore::segment
