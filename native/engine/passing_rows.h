// The rows that hold the points of a set.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/row_finder.h"
#include "engine/view.h"
#include "filter/slot_set.h"

namespace asyncstore::engine {

// Where at most this part of a segment's rows passes, they are few: to compare the codes of these
// takes less time than to compare all.
inline constexpr uint64_t k_few_part = 8;

// Of one field in one view: a bit a row, set where the row lives and its point is in the set.
class PassingRows {
 public:
  explicit PassingRows(const FieldView& field);

  void add(uint32_t segment, uint32_t row) {
    uint64_t& word = segments_[segment].words[row / 64];
    const uint64_t bit = uint64_t{1} << (row % 64);
    segments_[segment].count += (word & bit) == 0 ? 1 : 0;
    word |= bit;
  }
  bool has(uint32_t segment, uint32_t row) const {
    return (segments_[segment].words[row / 64] >> (row % 64) & 1) != 0;
  }
  // Bit b tells of row 64 · index + b.
  uint64_t word(uint32_t segment, uint32_t index) const { return segments_[segment].words[index]; }
  uint64_t count(uint32_t segment) const { return segments_[segment].count; }
  uint64_t count() const;
  // The rows, ascending, when all are added; null where they are more than few.
  const std::vector<uint32_t>* list(uint32_t segment) const {
    return segments_[segment].few ? &segments_[segment].list : nullptr;
  }
  uint64_t bytes() const;
  void list_few();

 private:
  struct SegmentRows {
    std::vector<uint64_t> words;
    uint64_t count = 0;
    bool few = false;
    std::vector<uint32_t> list;
  };
  std::vector<SegmentRows> segments_;
};

// Finds them by the places that the table has for the points, in portions. The view and the set
// outlive it.
class PassingRowsBuilder {
 public:
  PassingRowsBuilder(const RowFinder& finder, const filter::SlotSet& passing)
      : finder_(finder), passing_(passing), rows_(finder.field()) {}

  // About a tenth of a millisecond of work; true when all is done.
  bool step();
  PassingRows take() { return std::move(rows_); }

 private:
  void next_slots();

  RowFinder finder_;
  const filter::SlotSet& passing_;
  PassingRows rows_;
  size_t word_ = 0;              // of the set: where to go on
  std::vector<uint32_t> slots_;  // of this step
};

}  // namespace asyncstore::engine
