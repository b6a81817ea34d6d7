#include "fields/field_index.h"

#include <algorithm>
#include <mutex>
#include <shared_mutex>
#include <span>
#include <utility>

#include "base/assert.h"

namespace asyncstore::fields {

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
  const auto [is_known, key] = sole_key(slot);
  if (!is_known) {
    return std::nullopt;
  }
  std::vector<filter::Scalar> values;
  if (key) {
    values.push_back(content_.value(*key));
  }
  return values;
}

FieldIndex::GroupNumber FieldIndex::group_number(uint32_t slot) const {
  const std::shared_lock lock(mutex_);
  return sole_key(slot);
}

FieldIndex::GroupNumber FieldIndex::sole_key(uint32_t slot) const {
  const bool is_integer = schema().kind == Kind::integer;
  if (!is_integer && !is_of_strings(schema().kind)) {
    return {};
  }
  // A number that is foreign among integers is none of 64 bits.
  const Flags flags = content_.flags(slot);
  const std::span<const uint64_t> keys = content_.column().keys(slot);
  if (!flags.has(Flag::present) || flags.has(Flag::foreign_text) ||
      (!is_integer && flags.has(Flag::foreign_number)) || keys.size() > 1) {
    return {};
  }
  return {true, keys.empty() ? std::nullopt : std::optional(keys.front())};
}

void FieldIndex::visit_in_order(const Order& order, const filter::SlotSet* among,
                                const VisitValue& visit) const {
  const std::shared_lock lock(mutex_);
  fields::visit_in_order(content_, order, among, visit);
}

std::vector<ValueCount> FieldIndex::count_values(const filter::SlotSet* among,
                                                 uint64_t limit) const {
  const std::shared_lock lock(mutex_);
  return fields::count_values(content_, among, limit);
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
