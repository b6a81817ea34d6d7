// An index of one payload field: answers tests faster than the payloads themselves would, and never
// differently.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "fields/answers.h"
#include "fields/content.h"
#include "fields/fair_mutex.h"
#include "fields/ordered.h"
#include "fields/schema.h"
#include "fields/value_counter.h"
#include "fields/values.h"
#include "filter/filter.h"
#include "filter/slot_set.h"
#include "io/storage.h"

namespace asyncstore::fields {

// Any thread may read; one thread at a time, the writer, changes it. Reads and changes lock it: the
// writer for one slot, a few microseconds unless the payload holds thousands of values, readers for
// one answer, or a part of one.
class FieldIndex {
 public:
  explicit FieldIndex(Schema schema) : content_(std::move(schema)) {}

  const Schema& schema() const { return content_.schema(); }

  // --- the writer ---

  // What the payload in the slot holds now (extract()), also where that is nothing.
  void set(uint32_t slot, const Values& values) { change(slot, values); }
  // No point is in the slot any more.
  void remove(uint32_t slot) { change(slot, Values{}); }

  // --- any thread ---

  // For the slots below `slots`. Nothing when the index knows nothing about such tests.
  std::optional<Answer> answer(const filter::Test& test, uint32_t slots) const;
  std::optional<uint64_t> estimate(const filter::Test& test) const;

  // What a point in the slot is grouped by (filter::group_keys()), where that is one value at most
  // and the index holds it for sure: several have an order that it does not know.
  std::optional<std::vector<filter::Scalar>> group_keys(uint32_t slot) const;
  // Of each of some slots what its point is grouped by, as numbers for the values, all at one
  // moment: equal numbers are equal values. Nothing where the index does not hold all values for
  // sure.
  using GroupNumbers = std::optional<std::vector<uint64_t>>;
  std::vector<GroupNumbers> group_numbers(std::span<const uint32_t> slots) const;
  // Of each of these values the slots of the points that have it, ascending. Nothing where the
  // index may not hold all of them, or where they are more than `most`.
  std::vector<std::optional<std::vector<uint32_t>>> slots_of_groups(
      std::span<const filter::Scalar> values, uint64_t most) const;
  // Whether points are grouped by none but these values, which are different ones.
  bool groups_are_among(std::span<const filter::Scalar> values) const;

  // Where has_order(schema()): the walk's next pairs of key and slot, at most so many.
  std::vector<Pair> next(OrderWalk& walk, size_t most) const;
  // Where has_counts(schema()): lets it count on; false when all is counted.
  bool count(ValueCounter& counter) const;

  uint64_t points() const;  // with a value of the index's kind; of text, with a string
  uint64_t ram_bytes() const;

  // --- on disk ---

  // The writer: from here on write() writes what the index holds now, until end_snapshot(). Changes
  // go on; each slot's first one costs a copy of what it held. One snapshot at a time.
  void begin_snapshot();
  void end_snapshot();
  // Any thread, within a snapshot. Writes and syncs a new file (field_file.h), holding the index a
  // few microseconds at a time. The folder is not synced. `lsn` is the caller's.
  base::Status write(io::Storage& storage, const std::string& path, uint64_t owner,
                     uint64_t lsn) const;

 private:
  friend class FieldBuilder;
  friend class FieldFileWriter;

  struct Held {
    Flags flags;
    std::vector<uint64_t> keys;
  };

  void change(uint32_t slot, const Values& values);
  bool holds_groups(uint32_t slot) const;
  bool may_have_other_groups() const;
  std::optional<uint64_t> key_of_group(const filter::Scalar& value) const;

  mutable FairMutex mutex_;
  Content content_;
  bool in_snapshot_ = false;
  uint32_t snapshot_slots_ = 0;
  // What slots held when the snapshot began, of those that were changed since. A map, because none
  // of its insertions takes long.
  std::map<uint32_t, Held> before_;
};

// Makes an index of many points that are there already, at once. Not thread-safe.
class FieldBuilder {
 public:
  explicit FieldBuilder(Schema schema) : index_(std::make_unique<FieldIndex>(std::move(schema))) {}

  // As FieldIndex::set(); a slot that comes again gets the later values.
  void set(uint32_t slot, const Values& values);
  // Takes a tenth of a second for a million points; the builder is of no use afterwards.
  std::unique_ptr<FieldIndex> build();

 private:
  friend class FieldFileReader;

  Content& content() { return index_->content_; }

  std::unique_ptr<FieldIndex> index_;
  std::unordered_map<std::string_view, uint32_t> terms_;  // by texts that the index holds
  std::vector<uint64_t> keys_;
};

}  // namespace asyncstore::fields
