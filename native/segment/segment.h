// The rows of one segment: originals on disk, codes and row tables in memory.
//
// Files, beside each other (N is the segment's number, ten digits):
//
//   N.vectors  a header page, then the originals (row_layout.h)
//   N.rows     a header, then 40 bytes a row: id, version, slot, checksum of the original, own one
//   N.codes    codes and the quantizer's parameters, once the segment is sealed (checked file,
//              magic "ASCODES1")
//   N.graph    the graph over the codes, where there is one (likewise, magic "ASGRAPH2")
//   N.L.deleted  deleted rows as of operation L, or of a lower one if that name was in use
//
// Rows are only ever appended. A row's number is its place in every file and array.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/region.h"
#include "base/result.h"
#include "index/graph.h"
#include "io/checked_file.h"
#include "io/source.h"
#include "io/storage.h"
#include "points/location.h"
#include "points/point_id.h"
#include "quantize/quantizer.h"
#include "segment/field.h"
#include "segment/row_codec.h"
#include "segment/row_layout.h"

namespace asyncstore::segment {

struct SegmentHeader;  // segment_format.h

// A row's entry in N.rows.
struct RowEntry {
  points::PointId id;
  uint64_t version = 0;  // the operation that wrote the row
  uint32_t slot = 0;
  uint32_t crc = 0;  // CRC-32C of the stored vector
};

// Readers on any thread may use the rows that a published view counts; append and reserve belong to
// the collection's writer, seal and the loading calls to one thread at a time.
class Segment {
 public:
  struct Options {
    uint32_t id = 0;
    uint32_t rows_max = 0;  // rows it may ever hold
    bool direct_io = false;
    uint64_t owner = 0;  // identity of the collection
  };

  // New files; nothing refers to them before the next manifest. Rows are encoded by `quantizer`, of
  // the field's kind, dimension and metric, or without one by what the field makes.
  static base::Result<std::shared_ptr<Segment>> create(
      std::shared_ptr<io::Storage> storage, std::string folder, const Field& field, Options options,
      std::shared_ptr<const quantize::Quantizer> quantizer = nullptr);
  // Opens the first `rows` rows: originals are opened, not read. Row entries that fail their
  // checksum are listed in damaged_rows(); without N.rows that is all of them. Headers say only
  // what field and options say, so damaged ones are written anew (headers_rebuilt()). Where
  // N.vectors ends too early the segment is damaged(), and its other rows can be read. Codes come
  // with load_codes(), which brings their quantizer, or rebuild_codes(), by `quantizer` as above.
  static base::Result<std::shared_ptr<Segment>> open(
      std::shared_ptr<io::Storage> storage, std::string folder, const Field& field, Options options,
      uint32_t rows, std::shared_ptr<const quantize::Quantizer> quantizer = nullptr);
  // Removes the files if drop_files() was called.
  ~Segment();

  uint32_t id() const { return options_.id; }
  uint32_t rows_max() const { return options_.rows_max; }
  const Field& field() const { return field_; }
  const RowLayout& layout() const { return layout_; }
  io::Source& source() const { return *source_; }
  // Null without codes. Changes with load_codes() only.
  const std::shared_ptr<const quantize::Quantizer>& quantizer() const { return quantizer_; }
  bool sealed() const { return sealed_.load(std::memory_order_acquire); }

  uint32_t slot(uint32_t row) const { return slots_.as<uint32_t>()[row]; }
  void prefetch_slot(uint32_t row) const { __builtin_prefetch(slots_.as<uint32_t>() + row); }
  uint32_t crc(uint32_t row) const { return crcs_.as<uint32_t>()[row]; }
  const uint8_t* codes(uint32_t row) const;  // from `row` on
  const index::Graph* graph() const { return graph_.load(std::memory_order_acquire); }  // or null
  uint64_t codes_bytes(uint32_t rows) const;                                            // resident
  uint64_t tables_bytes(uint32_t rows) const;  // resident: slots and checksums

  // --- writer ---
  uint32_t rows() const { return rows_; }
  // Makes room for `count` more rows on disk and in memory; a full disk is an error here, not
  // later.
  base::Status reserve(uint32_t count);
  // Gives back the space of rows that were never appended; nothing may count on a reservation.
  base::Status trim();
  // Appends stored rows (row_bytes each, one behind the other); room was reserved. `codes` are
  // theirs if the caller has them, or null.
  base::Status append(base::Bytes rows, std::span<const RowEntry> entries,
                      const uint8_t* codes = nullptr);
  // A later crash must find the rows appended so far. Any one thread.
  base::Status sync();

  // --- sealing and loading ---
  // Whether so many rows shall have a graph.
  bool wants_graph(uint32_t rows) const;
  index::Graph::Options graph_options() const;
  // Of all rows, to which no more are appended; searches use it from now on. Once.
  void use_graph(std::unique_ptr<const index::Graph> graph);
  // Writes the codes of the first `rows` rows, and the graph if there is one; from now on nothing
  // is appended.
  base::Status seal(uint32_t rows);
  base::Status load_codes(uint32_t rows);
  // If there is one.
  base::Status load_graph(uint32_t rows);
  // From the originals, which are read through and checked; rows that fail are returned.
  base::Result<std::vector<uint32_t>> rebuild_codes(uint32_t rows);
  // Calls for each row in order; entries that fail their checksum are passed over.
  base::Status visit_entries(uint32_t rows,
                             const std::function<void(uint32_t row, const RowEntry&)>& visit) const;
  const std::vector<uint32_t>& damaged_rows() const { return damaged_rows_; }
  uint32_t headers_rebuilt() const { return headers_rebuilt_; }
  // Writes a damaged entry anew. False when what is left of it proves that the original is damaged
  // as well: then reading the row is an error. Where too little is left, the original is taken as
  // it is.
  base::Result<bool> repair_entry(uint32_t row, RowEntry entry);
  // Reads rows [first, first + count) as they lie on disk, stride() apart, with their entries; each
  // that is `wanted` is checked, and the others are anything.
  struct StoredRows {
    std::vector<std::byte> vectors;
    std::vector<RowEntry> entries;
    const std::byte* row(const RowLayout& layout, uint32_t index) const {
      return vectors.data() + uint64_t{index} * layout.stride();
    }
  };
  using Wanted = std::function<bool(uint32_t row)>;
  base::Status read_rows(uint32_t first, uint32_t count, StoredRows& rows,
                         const Wanted& wanted = nullptr) const;

  // --- looking for damage, and mending it: segment_check.cc ---
  // Calls `report` for each of rows [begin, end) whose original or entry on disk is not what it
  // must be. Any thread.
  enum class Part : uint8_t { original, entry };
  using Report = std::function<void(uint32_t row, Part part, const base::Error&)>;
  void check_rows(uint32_t begin, uint32_t end, const Report& report) const;
  // Verifies the header of N.vectors or N.rows, as whoever opens the file next would find it.
  base::Status check_header(const char* suffix) const;
  // Of a sealed segment: verifies the file of codes without keeping what it holds.
  base::Status check_codes() const;
  base::Status check_graph() const;
  // Writer: writes the entry of a row anew, with the slot and the checksum that are in memory, or
  // both headers. For the next sync().
  base::Status rewrite_entry(uint32_t row, const points::PointId& id, uint64_t version);
  base::Status rewrite_headers();
  // Of a sealed segment: writes the file of codes, or of the graph, anew from memory. A new file
  // beside it, synced, takes its name, durable with the next sync of the folder. By the thread that
  // seals.
  base::Status rewrite_codes();
  base::Status rewrite_graph();

  // An original is lost or does not match its checksum. Such a segment is not rewritten: its file
  // may be put back from a copy.
  bool damaged() const { return damaged_.load(std::memory_order_relaxed); }
  void set_damaged() { damaged_.store(true, std::memory_order_relaxed); }

  // The files go when the last holder lets go: the manifest no longer names the segment.
  void drop_files() { dropped_.store(true, std::memory_order_release); }

  std::string path(const char* suffix) const;
  static std::string path(const std::string& folder, uint32_t id, const std::string& suffix);
  std::string deleted_path(uint64_t lsn) const { return deleted_path(folder_, options_.id, lsn); }
  static std::string deleted_path(const std::string& folder, uint32_t id, uint64_t lsn);
  uint64_t disk_bytes(const char* suffix) const;

 private:
  Segment(std::shared_ptr<io::Storage> storage, std::string folder, const Field& field,
          Options options, std::shared_ptr<const quantize::Quantizer> quantizer);
  void reserve_codes();
  base::Status create_files();
  SegmentHeader header(const io::Magic& magic) const;
  base::Status write_header(io::File& file);
  base::Status read_header(io::File& file);
  base::Status open_source();
  base::Status grow_memory(uint64_t rows);
  base::Status allocate_rows(uint64_t rows);
  base::Status cut(uint64_t rows);
  void encode_code(uint32_t row, const std::byte* stored);
  base::Status write_codes(const std::string& path, uint32_t rows) const;
  base::Result<io::CheckedFile> open_codes(uint32_t rows) const;
  base::Status load_quantizer(const io::CheckedFile& file, uint32_t rows);
  base::Status grow_codes(uint64_t rows);
  base::Status write_graph(const std::string& path) const;
  base::Result<io::CheckedFile> open_graph(uint32_t rows) const;
  base::Status rewrite_file(const char* suffix,
                            const std::function<base::Status(const std::string&)>& write);
  bool check_part(uint32_t begin, uint32_t end, const Report& report) const;

  std::shared_ptr<io::Storage> storage_;
  std::string folder_;
  Field field_;
  Options options_;
  RowLayout layout_;
  std::shared_ptr<const quantize::Quantizer> quantizer_;
  RowCodec codec_;

  std::unique_ptr<io::File> vectors_;
  std::unique_ptr<io::File> row_file_;
  std::shared_ptr<io::Source> source_;
  uint64_t allocated_rows_ = 0;
  uint32_t rows_ = 0;

  base::Region slots_;
  base::Region crcs_;
  base::Region codes_;
  std::unique_ptr<const index::Graph> graph_owner_;
  std::atomic<const index::Graph*> graph_{nullptr};
  std::vector<std::byte> staging_;
  std::vector<uint32_t> damaged_rows_;
  uint32_t headers_rebuilt_ = 0;
  std::atomic<bool> damaged_{false};
  std::atomic<bool> sealed_{false};
  std::atomic<bool> dropped_{false};
};

}  // namespace asyncstore::segment
