#include "engine/passing_rows.h"

#include <algorithm>
#include <bit>

namespace asyncstore::engine {

namespace {
constexpr size_t k_step_slots = 1 << 14;
constexpr size_t k_step_words = 1 << 14;
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

bool PassingRowsBuilder::step() {
  next_slots();
  finder_.find(slots_,
               [&](size_t, RowFinder::Place place) { rows_.add(place.segment, place.row); });
  if (word_ < passing_.words().size()) {
    return false;
  }
  finder_.find_moved(
      [&](uint32_t, RowFinder::Place place) { rows_.add(place.segment, place.row); });
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

}  // namespace asyncstore::engine
