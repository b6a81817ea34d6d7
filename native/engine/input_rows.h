// The live rows of some segments, in one sequence: read in turn first, and then in any order.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "base/result.h"
#include "engine/view.h"
#include "io/reader.h"
#include "points/location.h"
#include "segment/segment.h"

namespace asyncstore::engine {

// Rows side by side: stored vectors (row_bytes each) and their entries.
struct RowPart {
  std::vector<std::byte> vectors;
  std::vector<segment::RowEntry> entries;
};

// A row that cannot be read, or does not match its checksum, is an error, and its segment is marked
// as damaged. Belongs to one thread.
class InputRows {
 public:
  // Of at least one segment.
  explicit InputRows(std::vector<SegmentView> segments) : views_{std::move(segments), {}} {}

  // Calls for all rows, a part of about 1 MiB at a time, and keeps their entries (48 bytes a row)
  // and places (8) for what follows.
  using Visit = std::function<base::Status(const RowPart& part)>;
  base::Status read_all(const Visit& visit);
  // `part` becomes the rows of these numbers, many of which are read at a time.
  base::Status gather(std::span<const uint32_t> numbers, RowPart& part);

  const segment::RowLayout& layout() const { return views_.segments[0].segment->layout(); }
  std::span<const points::Location> places() const { return places_; }

 private:
  FieldView views_;
  std::vector<segment::RowEntry> entries_;
  std::vector<points::Location> places_;
  std::unique_ptr<io::Reader> reader_;
};

// Reads [first, first + count) of a view, of which those that live are checked.
base::Status read_live(const SegmentView& view, uint32_t first, uint32_t count,
                       segment::Segment::StoredRows& stored);

}  // namespace asyncstore::engine
