#include "engine/passing_rows.h"

#include <algorithm>
#include <bit>

namespace asyncstore::engine {

namespace {
constexpr size_t k_step_slots = 1 << 14;
constexpr size_t k_step_words = 1 << 14;
constexpr size_t k_prefetch_slots = 16;  // places of slots lie apart
}  // namespace

PassingRows::PassingRows(const FieldView& field) {
  segments_.reserve(field.segments.size());
  for (const SegmentView& view : field.segments) {
    segments_.emplace_back().words.resize((uint64_t{view.rows} + 63) / 64);
  }
}

uint64_t PassingRows::count() const {
  uint64_t count = 0;
  for (const SegmentRows& segment : segments_) {
    count += segment.count;
  }
  return count;
}

uint64_t PassingRows::bytes() const {
  uint64_t bytes = sizeof *this;
  for (const SegmentRows& segment : segments_) {
    bytes += sizeof segment + segment.words.size() * sizeof(uint64_t) +
             segment.list.capacity() * sizeof(uint32_t);
  }
  return bytes;
}

void PassingRows::list_few() {
  for (SegmentRows& segment : segments_) {
    segment.few = segment.count <= segment.words.size() * 64 / k_few_part;
    segment.list.reserve(segment.few ? segment.count : 0);
    for (size_t index = 0; segment.few && index < segment.words.size(); ++index) {
      for (uint64_t word = segment.words[index]; word != 0; word &= word - 1) {
        segment.list.push_back(static_cast<uint32_t>(index * 64 + std::countr_zero(word)));
      }
    }
  }
}

// The table tells of now, the view of a moment ago: a point that was written or moved since has its
// row of that moment looked for among all rows.
bool PassingRowsBuilder::step() {
  next_slots();
  for (size_t i = 0; i < slots_.size(); ++i) {
    table_.prefetch_location(slots_[std::min(i + k_prefetch_slots, slots_.size() - 1)], number_);
    look_up(slots_[i]);
  }
  if (word_ < passing_.words().size()) {
    return false;
  }
  if (!moved_.empty()) {
    look_among_all_rows();
  }
  rows_.list_few();
  return true;
}

void PassingRowsBuilder::next_slots() {
  slots_.clear();
  const auto words = passing_.words();
  const size_t end = std::min(words.size(), word_ + k_step_words);
  for (; word_ < end && slots_.size() < k_step_slots; ++word_) {
    for (uint64_t word = words[word_]; word != 0; word &= word - 1) {
      slots_.push_back(static_cast<uint32_t>(word_ * 64 + std::countr_zero(word)));
    }
  }
}

void PassingRowsBuilder::look_up(uint32_t slot) {
  const points::Location location = table_.location(slot, number_);
  for (size_t tried = 0; location.present() && tried < field_.segments.size(); ++tried) {
    const SegmentView& view = field_.segments[segment_];
    if (view.segment->id() == location.segment) {
      if (location.row < view.rows && view.live(location.row)) {
        rows_.add(segment_, location.row);
        return;
      }
      break;
    }
    segment_ = segment_ + 1 < field_.segments.size() ? segment_ + 1 : 0;
  }
  if (location.present() || table_.version(slot) > lsn_) {
    moved_.push_back(slot);
  }
}

void PassingRowsBuilder::look_among_all_rows() {
  filter::SlotSet moved(passing_.slots());
  for (const uint32_t slot : moved_) {
    moved.add(slot);
  }
  for (uint32_t segment = 0; segment < field_.segments.size(); ++segment) {
    const SegmentView& view = field_.segments[segment];
    for (uint32_t row = 0; row < view.rows; ++row) {
      if (moved.contains(view.segment->slot(row)) && view.live(row)) {
        rows_.add(segment, row);
      }
    }
  }
}

}  // namespace asyncstore::engine
