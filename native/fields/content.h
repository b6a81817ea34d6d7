// What an index holds: for each slot its keys and flags, for each key its slots.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "fields/column.h"
#include "fields/postings.h"
#include "fields/schema.h"
#include "fields/slot_marks.h"
#include "fields/terms.h"
#include "fields/values.h"
#include "filter/filter.h"

namespace asyncstore::fields {

// A key is the number of a term for kinds with terms, and of keys.h or geo_cell.h for the others.
// Not thread-safe; any number of threads may read while none writes.
class Content {
 public:
  explicit Content(Schema schema) : schema_(std::move(schema)) {}

  // Instead of what the slot had. Without flags it has no point.
  void set(uint32_t slot, const Values& values);

  // For many slots at once, before any set(): nothing but load() and terms().add() may be called
  // until build(). A slot that comes again gets the later keys.
  void load(uint32_t slot, Flags flags, std::span<const uint64_t> keys);
  void build();

  const Schema& schema() const { return schema_; }
  uint32_t slots() const { return slots_; }  // all that ever had a point are below
  Flags flags(uint32_t slot) const;
  const SlotMarks& marked(Flag flag) const { return marks_[static_cast<size_t>(flag)]; }
  const Column& column() const { return column_; }
  const Postings& postings() const { return postings_; }
  // The value that a key stands for: of keywords, uuids, integers and booleans.
  filter::Scalar value(uint64_t key) const;
  const Terms& terms() const { return terms_; }
  Terms& terms() { return terms_; }

  uint64_t ram_bytes() const;

 private:
  std::vector<uint64_t> keys_of(const Values& values);
  void mark(uint32_t slot, Flags flags);

  const Schema schema_;
  uint32_t slots_ = 0;
  std::array<SlotMarks, k_flags> marks_;
  Column column_;
  Postings postings_;
  Terms terms_;
};

}  // namespace asyncstore::fields
