#include "fields/field_index.h"

#include <algorithm>
#include <mutex>
#include <shared_mutex>
#include <span>
#include <string>
#include <utility>
#include <variant>

#include "base/assert.h"
#include "fields/keys.h"

namespace asyncstore::fields {

namespace {

// Kinds that hold values which points are grouped by.
bool has_groups(Kind kind) {
  return kind == Kind::integer || is_of_strings(kind);
}

}  // namespace

void FieldIndex::change(uint32_t slot, const Values& values) {
  const std::unique_lock lock(mutex_);
  if (in_snapshot_ && slot < snapshot_slots_ && !before_.contains(slot)) {
    const auto keys = content_.column().keys(slot);
    before_.try_emplace(slot, Held{content_.flags(slot), {keys.begin(), keys.end()}});
  }
  content_.set(slot, values);
}

std::optional<Answer> FieldIndex::answer(const filter::Test& test, uint32_t slots) const {
  const std::shared_lock lock(mutex_);
  return fields::answer(content_, test, slots);
}

std::optional<uint64_t> FieldIndex::estimate(const filter::Test& test) const {
  const std::shared_lock lock(mutex_);
  return fields::estimate(content_, test);
}

std::optional<std::vector<filter::Scalar>> FieldIndex::group_keys(uint32_t slot) const {
  const std::shared_lock lock(mutex_);
  const std::span<const uint64_t> keys = content_.column().keys(slot);
  if (!holds_groups(slot) || keys.size() > 1) {
    return std::nullopt;
  }
  std::vector<filter::Scalar> values;
  for (const uint64_t key : keys) {
    values.push_back(content_.value(key));
  }
  return values;
}

std::vector<FieldIndex::GroupNumbers> FieldIndex::group_numbers(
    std::span<const uint32_t> slots) const {
  std::vector<GroupNumbers> numbers(slots.size());
  const std::shared_lock lock(mutex_);
  for (size_t i = 0; i < slots.size(); ++i) {
    if (holds_groups(slots[i])) {
      const std::span<const uint64_t> keys = content_.column().keys(slots[i]);
      numbers[i].emplace(keys.begin(), keys.end());
    }
  }
  return numbers;
}

std::vector<std::optional<std::vector<uint32_t>>> FieldIndex::slots_of_groups(
    std::span<const filter::Scalar> values, uint64_t most) const {
  std::vector<std::optional<std::vector<uint32_t>>> slots(values.size());
  const std::shared_lock lock(mutex_);
  for (size_t i = 0; i < values.size(); ++i) {
    const auto key = key_of_group(values[i]);
    if (key) {
      slots[i] = content_.postings().slots(*key, most);
    }
  }
  return slots;
}

bool FieldIndex::groups_are_among(std::span<const filter::Scalar> values) const {
  const std::shared_lock lock(mutex_);
  if (!has_groups(schema().kind) || may_have_other_groups()) {
    return false;
  }
  uint64_t count = 0;
  for (const filter::Scalar& value : values) {
    const auto key = key_of_group(value);
    count += key ? content_.postings().count(KeyRange::one(*key)) : 0;
  }
  return count == content_.postings().count();
}

// By values that the index does not hold. A number that is foreign among integers is none of 64
// bits.
bool FieldIndex::may_have_other_groups() const {
  return content_.marked(Flag::foreign_text).count() > 0 ||
         (schema().kind != Kind::integer && content_.marked(Flag::foreign_number).count() > 0);
}

// Nothing where points may have the value though the index does not hold it, or none has it.
std::optional<uint64_t> FieldIndex::key_of_group(const filter::Scalar& value) const {
  if (const auto* integer = std::get_if<int64_t>(&value)) {
    return schema().kind == Kind::integer ? std::optional(key_of(*integer)) : std::nullopt;
  }
  const auto* text = std::get_if<std::string>(&value);
  if (text == nullptr || !is_of_strings(schema().kind)) {
    return std::nullopt;
  }
  return content_.terms().find(schema().kind == Kind::uuid ? uuid_term(*text) : *text);
}

// Whether there is a point, and none of its values is one that is not held.
bool FieldIndex::holds_groups(uint32_t slot) const {
  const Flags flags = content_.flags(slot);
  return has_groups(schema().kind) && flags.has(Flag::present) && !flags.has(Flag::foreign_text) &&
         (schema().kind == Kind::integer || !flags.has(Flag::foreign_number));
}

std::vector<Pair> FieldIndex::next(OrderWalk& walk, size_t most) const {
  const std::shared_lock lock(mutex_);
  return walk.next(content_, most);
}

bool FieldIndex::count(ValueCounter& counter) const {
  const std::shared_lock lock(mutex_);
  return counter.count(content_);
}

uint64_t FieldIndex::points() const {
  const std::shared_lock lock(mutex_);
  return schema().kind == Kind::text ? content_.marked(Flag::foreign_text).count()
                                     : content_.column().valued().count();
}

uint64_t FieldIndex::ram_bytes() const {
  constexpr uint64_t k_node_bytes = 64;
  const std::shared_lock lock(mutex_);
  return content_.ram_bytes() + before_.size() * (sizeof(Held) + k_node_bytes);
}

void FieldIndex::begin_snapshot() {
  const std::unique_lock lock(mutex_);
  ASSERT(!in_snapshot_);
  in_snapshot_ = true;
  snapshot_slots_ = content_.slots();
  content_.terms().keep();
}

void FieldIndex::end_snapshot() {
  std::map<uint32_t, Held> before;  // freed after the lock
  {
    const std::unique_lock lock(mutex_);
    ASSERT(in_snapshot_);
    in_snapshot_ = false;
    before.swap(before_);
  }
  for (bool more = true; more;) {
    const std::unique_lock lock(mutex_);
    more = content_.terms().release();
  }
}

void FieldBuilder::set(uint32_t slot, const Values& values) {
  if (!has_terms(content().schema().kind)) {
    content().load(slot, values.flags, values.keys);
    return;
  }
  keys_.clear();
  for (const std::string& text : values.terms) {
    const auto known = terms_.find(text);
    if (known != terms_.end()) {
      keys_.push_back(known->second);
      continue;
    }
    const uint32_t term = content().terms().add(text);
    terms_.emplace(content().terms().text(term), term);
    keys_.push_back(term);
  }
  std::sort(keys_.begin(), keys_.end());
  content().load(slot, values.flags, keys_);
}

std::unique_ptr<FieldIndex> FieldBuilder::build() {
  content().build();
  return std::move(index_);
}

}  // namespace asyncstore::fields
