#include "segment/segment.h"

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <utility>

#include "base/crc32c.h"
#include "base/limits.h"
#include "io/checked_file.h"
#include "segment/segment_format.h"

namespace asyncstore::segment {

using base::Bytes;
using base::Code;
using base::Error;
using base::MutableBytes;
using base::Result;
using base::Status;

namespace {

// How the names of all files of a segment begin.
std::string prefix(const std::string& folder, uint32_t id) {
  char name[16];
  std::snprintf(name, sizeof name, "%010" PRIu32 ".", id);
  return folder + "/" + name;
}

}  // namespace

Segment::Segment(std::shared_ptr<io::Storage> storage, std::string folder, const Field& field,
                 Options options, std::shared_ptr<const quantize::Quantizer> quantizer)
    : storage_(std::move(storage)),
      folder_(std::move(folder)),
      field_(field),
      options_(options),
      layout_(row_bytes(field)),
      quantizer_(quantizer ? std::move(quantizer) : make_quantizer(field)),
      codec_(field),
      slots_(uint64_t{4} * options.rows_max, false),
      crcs_(uint64_t{4} * options.rows_max, false) {
  reserve_codes();
}

Segment::~Segment() {
  if (!dropped_.load(std::memory_order_acquire)) {
    return;
  }
  // What cannot be removed now is an orphan that the next open removes.
  const std::string begin = path("");
  const auto names = storage_->list(folder_);
  if (names.ok()) {
    for (const auto& name : names.value()) {
      const std::string whole = folder_ + "/" + name;
      if (whole.starts_with(begin)) {
        static_cast<void>(storage_->remove(whole).ok());
      }
    }
  }
}

Result<std::shared_ptr<Segment>> Segment::create(
    std::shared_ptr<io::Storage> storage, std::string folder, const Field& field, Options options,
    std::shared_ptr<const quantize::Quantizer> quantizer) {
  std::shared_ptr<Segment> segment(
      new Segment(std::move(storage), std::move(folder), field, options, std::move(quantizer)));
  Status made = segment->create_files();
  if (!made.ok()) {
    segment->drop_files();
    return std::move(made.error());
  }
  return segment;
}

Status Segment::create_files() {
  for (auto* file : {&vectors_, &row_file_}) {
    const char* suffix = file == &vectors_ ? "vectors" : "rows";
    TRY_ASSIGN(*file, storage_->open(path(suffix), io::Open::create_or_open));
    TRY((*file)->truncate(0));  // an orphan of a crash, if there is one
    TRY(write_header(**file));
  }
  // The header of the vectors has a page of its own, so that rows begin at a page.
  TRY(vectors_->allocate(0, layout_.offset(0)));
  return open_source();
}

Result<std::shared_ptr<Segment>> Segment::open(
    std::shared_ptr<io::Storage> storage, std::string folder, const Field& field, Options options,
    uint32_t rows, std::shared_ptr<const quantize::Quantizer> quantizer) {
  std::shared_ptr<Segment> segment(
      new Segment(std::move(storage), std::move(folder), field, options, std::move(quantizer)));
  TRY_ASSIGN(segment->vectors_,
             segment->storage_->open(segment->path("vectors"), io::Open::read_write));
  TRY_ASSIGN(segment->row_file_,
             segment->storage_->open(segment->path("rows"), io::Open::create_or_open));
  TRY_ASSIGN(const uint64_t size, segment->vectors_->size());
  if (size < segment->layout_.file_bytes(rows)) {
    segment->set_damaged();
  }
  TRY(segment->read_header(*segment->vectors_));
  TRY(segment->read_header(*segment->row_file_));
  TRY(segment->open_source());
  TRY(segment->grow_memory(rows));
  auto* slots = segment->slots_.as<uint32_t>();
  auto* crcs = segment->crcs_.as<uint32_t>();
  uint32_t next = 0;
  TRY(segment->visit_entries(rows, [&](uint32_t row, const RowEntry& entry) {
    for (; next < row; ++next) {
      segment->damaged_rows_.push_back(next);
    }
    slots[row] = entry.slot;
    crcs[row] = entry.crc;
    next = row + 1;
  }));
  for (; next < rows; ++next) {
    segment->damaged_rows_.push_back(next);
  }
  segment->rows_ = rows;
  segment->allocated_rows_ = rows;
  return segment;
}

std::string Segment::path(const char* suffix) const {
  return path(folder_, options_.id, suffix);
}

std::string Segment::path(const std::string& folder, uint32_t id, const std::string& suffix) {
  return prefix(folder, id) + suffix;
}

std::string Segment::deleted_path(const std::string& folder, uint32_t id, uint64_t lsn) {
  return prefix(folder, id) + std::to_string(lsn) + ".deleted";
}

uint64_t Segment::disk_bytes(const char* suffix) const {
  if (!storage_->exists(path(suffix))) {
    return 0;
  }
  auto file = storage_->open(path(suffix), io::Open::read);
  if (!file.ok()) {
    return 0;
  }
  const auto size = file.value()->size();
  return size.ok() ? size.value() : 0;
}

SegmentHeader Segment::header(const io::Magic& magic) const {
  SegmentHeader header{};
  header.magic = magic;
  header.format_version = io::k_format_version;
  header.segment = options_.id;
  header.rows_max = options_.rows_max;
  header.dim = field_.dim;
  header.distance = static_cast<uint8_t>(field_.distance);
  header.datatype = static_cast<uint8_t>(field_.datatype);
  header.stride = layout_.stride();
  header.owner = options_.owner;
  header.crc = crc_of(header);
  return header;
}

Status Segment::write_header(io::File& file) {
  const SegmentHeader whole = header(&file == vectors_.get() ? k_vectors_magic : k_rows_magic);
  return file.write_at(0, std::as_bytes(std::span(&whole, 1)));
}

Status Segment::read_header(io::File& file) {
  SegmentHeader header{};
  TRY_ASSIGN(const uint64_t size, file.size());
  if (size >= sizeof header) {
    TRY(file.read_at(0, std::as_writable_bytes(std::span(&header, 1))));
  }
  const bool holds = size >= sizeof header && header.crc == crc_of(header) &&
                     header.magic == (&file == vectors_.get() ? k_vectors_magic : k_rows_magic);
  if (!holds) {
    // Rows and entries have checksums of their own, so nothing is taken on trust.
    ++headers_rebuilt_;
    return write_header(file);
  }
  if (header.format_version != io::k_format_version) {
    return Error{Code::unsupported,
                 file.path() + " has format version " + std::to_string(header.format_version) +
                     "; this asyncstore reads version " + std::to_string(io::k_format_version)};
  }
  if (header.owner != options_.owner || header.segment != options_.id || header.dim != field_.dim ||
      header.rows_max != options_.rows_max ||
      header.datatype != static_cast<uint8_t>(field_.datatype) ||
      header.stride != layout_.stride()) {
    return base::corruption(file.path(), 8, "the header belongs to another segment or collection");
  }
  return {};
}

Status Segment::open_source() {
  const io::Source::Options options{
      .direct = options_.direct_io,
      .map_bytes = layout_.file_bytes(options_.rows_max),
      .kept = true,
  };
  TRY_ASSIGN(source_, io::Source::open(path("vectors"), options));
  return {};
}

Status Segment::grow_memory(uint64_t rows) {
  const bool grown = slots_.grow(4 * rows) && crcs_.grow(4 * rows);
  return grown ? grow_codes(rows) : no_memory(path("vectors"));
}

uint64_t Segment::tables_bytes(uint32_t rows) const {
  return uint64_t{rows} * 8;
}

// --- writer ---

Status Segment::reserve(uint32_t count) {
  const uint64_t wanted = uint64_t{rows_} + count;
  ASSERT(wanted <= options_.rows_max && !sealed());
  TRY(grow_memory(wanted));
  if (wanted <= allocated_rows_) {
    return {};
  }
  // Space in steps of half of what there is, 64 KiB to 64 MiB, so that files stay in few pieces.
  const uint64_t step_bytes =
      std::clamp<uint64_t>(layout_.file_bytes(rows_) / 2, 64 << 10, 64 << 20);
  const uint64_t step = std::max<uint64_t>(wanted, allocated_rows_ + step_bytes / layout_.stride());
  Status allocated = allocate_rows(std::min<uint64_t>(step, options_.rows_max));
  if (!allocated.ok() && allocated.error().os_errno == ENOSPC) {
    return allocate_rows(wanted);  // nothing in advance on a full disk
  }
  return allocated;
}

Status Segment::trim() {
  allocated_rows_ = rows_;
  return cut(rows_);
}

// All or nothing: what a full disk had room for is given back, what was reserved before is kept.
Status Segment::allocate_rows(uint64_t rows) {
  const uint64_t begin = layout_.offset(allocated_rows_);
  Status allocated = vectors_->allocate(begin, layout_.file_bytes(rows) - begin);
  if (allocated.ok()) {
    allocated = row_file_->allocate(row_entry_offset(allocated_rows_),
                                    (rows - allocated_rows_) * sizeof(RawRow));
  }
  if (!allocated.ok()) {
    TRY(cut(allocated_rows_));
    return allocated;
  }
  allocated_rows_ = rows;
  return {};
}

Status Segment::cut(uint64_t rows) {
  TRY(vectors_->truncate(layout_.file_bytes(rows)));
  return row_file_->truncate(row_entry_offset(rows));
}

Status Segment::append(Bytes rows, std::span<const RowEntry> entries, const uint8_t* codes) {
  const uint64_t size = layout_.row_bytes();
  const auto count = static_cast<uint32_t>(entries.size());
  ASSERT(rows.size() == size * count && uint64_t{rows_} + count <= allocated_rows_);

  Bytes stored = rows;
  if (layout_.stride() != size) {
    staging_.assign(uint64_t{layout_.stride()} * count, std::byte{0});
    for (uint64_t i = 0; i < count; ++i) {
      std::memcpy(staging_.data() + i * layout_.stride(), rows.data() + i * size, size);
    }
    stored = staging_;
  }
  TRY(vectors_->write_at(layout_.offset(rows_), stored));

  std::vector<RawRow> raw;
  raw.reserve(count);
  for (uint32_t i = 0; i < count; ++i) {
    raw.push_back(to_raw(entries[i]));
    slots_.as<uint32_t>()[rows_ + i] = entries[i].slot;
    crcs_.as<uint32_t>()[rows_ + i] = entries[i].crc;
    if (codes == nullptr) {
      encode_code(rows_ + i, rows.data() + i * size);
    }
  }
  if (codes != nullptr) {
    std::memcpy(codes_.as<uint8_t>() + codes_bytes(rows_), codes, codes_bytes(count));
  }
  TRY(row_file_->write_at(row_entry_offset(rows_), std::as_bytes(std::span(raw))));
  rows_ += count;
  return {};
}

Status Segment::sync() {
  TRY(vectors_->sync_gently());
  return row_file_->sync_gently();
}

// --- sealing and loading ---

Status Segment::seal(uint32_t rows) {
  if (quantizer_) {
    TRY(write_codes(path("codes"), rows));
  }
  if (graph() != nullptr) {
    TRY(write_graph(path("graph")));
  }
  sealed_.store(true, std::memory_order_release);
  return {};
}

Status Segment::visit_entries(uint32_t rows,
                              const std::function<void(uint32_t, const RowEntry&)>& visit) const {
  constexpr uint32_t k_part_rows = k_read_part_bytes / sizeof(RawRow);
  std::vector<RawRow> part;
  TRY_ASSIGN(const uint64_t size, row_file_->size());
  if (size < row_entry_offset(rows)) {
    // What is cut off counts as damaged, entry by entry.
    rows = size < row_entry_offset(0)
               ? 0
               : static_cast<uint32_t>((size - row_entry_offset(0)) / sizeof(RawRow));
  }
  for (uint32_t begin = 0; begin < rows; begin += k_part_rows) {
    part.resize(std::min(k_part_rows, rows - begin));
    TRY(row_file_->read_at(row_entry_offset(begin), std::as_writable_bytes(std::span(part))));
    for (uint32_t i = 0; i < part.size(); ++i) {
      if (crc_of(part[i]) == part[i].crc) {
        visit(begin + i, to_entry(part[i]));
      }
    }
  }
  return {};
}

Result<bool> Segment::repair_entry(uint32_t row, RowEntry entry) {
  std::vector<std::byte> stored(layout_.row_bytes());
  TRY_ASSIGN(const uint64_t size, vectors_->size());
  if (size >= layout_.offset(row) + layout_.row_bytes()) {
    TRY(vectors_->read_at(layout_.offset(row), stored));
  }
  RawRow left{};
  TRY_ASSIGN(const uint64_t row_file_size, row_file_->size());
  if (row_file_size >= row_entry_offset(row) + sizeof left) {
    TRY(row_file_->read_at(row_entry_offset(row), std::as_writable_bytes(std::span(&left, 1))));
  }
  entry.crc = base::crc32c(stored);
  // With the checksum that is left of the original, does the entry get the checksum that it had?
  // Then that one is right, and the damage is elsewhere in the entry.
  RowEntry as_left = entry;
  as_left.crc = left.row_crc;
  const bool sound = left.crc != to_raw(as_left).crc || left.row_crc == entry.crc;
  if (!sound) {
    entry.crc = left.row_crc;
    set_damaged();
  }
  const RawRow raw = to_raw(entry);
  TRY(row_file_->write_at(row_entry_offset(row), std::as_bytes(std::span(&raw, 1))));
  slots_.as<uint32_t>()[row] = entry.slot;
  crcs_.as<uint32_t>()[row] = entry.crc;
  return sound;
}

Status Segment::read_rows(uint32_t first, uint32_t count, StoredRows& rows,
                          const Wanted& wanted) const {
  // The last row's stride may reach past the end of the file.
  rows.vectors.resize(uint64_t{count} * layout_.stride());
  const uint64_t bytes = uint64_t{count - 1} * layout_.stride() + layout_.row_bytes();
  TRY_ASSIGN(const uint64_t size, vectors_->size());
  if (size < layout_.offset(first) + bytes) {
    return base::corruption(path("vectors"), size, "the file ends before its last row");
  }
  TRY(vectors_->read_at(layout_.offset(first), MutableBytes(rows.vectors).first(bytes)));
  std::vector<RawRow> raw(count);
  TRY(row_file_->read_at(row_entry_offset(first), std::as_writable_bytes(std::span(raw))));
  rows.entries.clear();
  for (uint32_t i = 0; i < count; ++i) {
    if (wanted && !wanted(first + i)) {
      rows.entries.emplace_back();
      continue;
    }
    if (crc_of(raw[i]) != raw[i].crc) {
      return base::corruption(path("rows"), row_entry_offset(first + i),
                              "the entry of a row does not match its checksum");
    }
    if (base::crc32c(Bytes(rows.row(layout_, i), layout_.row_bytes())) != raw[i].row_crc) {
      return base::corruption(path("vectors"), layout_.offset(first + i),
                              "a vector does not match its checksum");
    }
    rows.entries.push_back(to_entry(raw[i]));
  }
  return {};
}

}  // namespace asyncstore::segment
