// What a search sees: one moment of a collection.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "segment/deleted_rows.h"
#include "segment/segment.h"

namespace asyncstore::sparse {
struct Snapshot;
}
namespace asyncstore::multivector {
struct CodeSnapshot;
}

namespace asyncstore::engine {

struct SegmentView {
  std::shared_ptr<segment::Segment> segment;
  uint32_t rows = 0;
  std::shared_ptr<const segment::DeletedRows> deleted;  // null: none

  uint32_t deleted_count() const { return deleted ? deleted->count() : 0; }
  uint32_t live_count() const { return rows - deleted_count(); }
  uint64_t bytes() const { return uint64_t{rows} * segment->layout().stride(); }  // of originals
  bool live(uint32_t row) const { return !deleted || !deleted->contains(row); }
  // Bit b tells whether row 64 · index + b is there and not deleted.
  uint64_t live_word(uint32_t index) const {
    const uint32_t first = index * 64;
    const uint64_t present =
        rows - first >= 64 ? ~uint64_t{0} : (uint64_t{1} << (rows - first)) - 1;
    return deleted ? present & ~deleted->word(index) : present;
  }
};

inline uint64_t live_count(const std::vector<SegmentView>& segments) {
  uint64_t live = 0;
  for (const auto& segment : segments) {
    live += segment.live_count();
  }
  return live;
}

struct FieldView {
  std::vector<SegmentView> segments;  // oldest first
  // Segments that are about to replace some of these: points may already be found there, but
  // searches do not look yet.
  std::vector<SegmentView> incoming;

  uint64_t live_count() const { return engine::live_count(segments); }
  const SegmentView* find(uint32_t segment_id) const {
    for (const auto* list : {&segments, &incoming}) {
      for (const auto& segment : *list) {
        if (segment.segment->id() == segment_id) {
          return &segment;
        }
      }
    }
    return nullptr;
  }
};

// Immutable. The writer publishes one for each group of operations; whoever holds it sees exactly
// the points of that moment, each once, and keeps their rows and slots from being used again.
struct View {
  uint64_t lsn = 0;
  uint64_t points = 0;
  std::vector<FieldView> fields;
  std::vector<std::shared_ptr<const sparse::Snapshot>> sparse;  // of each sparse vector
  // Of each multivector; null: it has no codes.
  std::vector<std::shared_ptr<const multivector::CodeSnapshot>> multivectors;
};

}  // namespace asyncstore::engine
