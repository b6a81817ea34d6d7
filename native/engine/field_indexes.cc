#include "engine/field_indexes.h"

#include <algorithm>
#include <utility>

#include "filter/values.h"
#include "payload/outline.h"

namespace asyncstore::engine {

using base::Bytes;
using base::Result;
using base::Status;

// --- one index ---

std::shared_ptr<fields::FieldIndex> PayloadIndex::content() const {
  const std::lock_guard lock(mutex_);
  return content_;
}

SavedIndex PayloadIndex::saved() const {
  const std::lock_guard lock(mutex_);
  return saved_;
}

void PayloadIndex::set_saved(SavedIndex saved) {
  const std::lock_guard lock(mutex_);
  saved_ = saved;
}

void PayloadIndex::begin_build() {
  const std::lock_guard lock(mutex_);
  is_building_ = true;
}

void PayloadIndex::end_build() {
  const std::lock_guard lock(mutex_);
  is_building_ = false;
  changed_ = {};
}

std::vector<uint32_t> PayloadIndex::take_changed() {
  const std::lock_guard lock(mutex_);
  return std::exchange(changed_, {});
}

void PayloadIndex::set(uint32_t slot, const fields::Values& values) {
  ++changes;
  if (const auto index = content()) {
    index->set(slot, values);
    return;
  }
  const std::lock_guard lock(mutex_);
  if (is_building_) {
    changed_.push_back(slot);
  }
}

void PayloadIndex::begin_use(std::shared_ptr<fields::FieldIndex> content) {
  const std::lock_guard lock(mutex_);
  content_ = std::move(content);
}

// --- all of them ---

std::shared_ptr<const FieldIndexes::List> FieldIndexes::list() const {
  const std::lock_guard lock(mutex_);
  return list_;
}

std::shared_ptr<PayloadIndex> FieldIndexes::find(const std::string& key) const {
  const auto all = list();
  const auto found = std::find_if(all->begin(), all->end(), [&](const auto& index) {
    return index->definition().schema.key == key;
  });
  return found == all->end() ? nullptr : *found;
}

std::shared_ptr<const fields::FieldIndex> FieldIndexes::find(const payload::Path& path) const {
  for (const auto& index : *list()) {
    if (index->definition().schema.path == path) {
      return index->content();
    }
  }
  return nullptr;
}

void FieldIndexes::create(IndexDefinition definition) {
  const auto before = find(definition.schema.key);
  if (before && before->definition() == definition) {
    return;
  }
  drop(definition.schema.key);
  add(std::make_shared<PayloadIndex>(std::move(definition)));
}

void FieldIndexes::drop(const std::string& key) {
  List kept;
  for (const auto& index : *list()) {
    if (index->definition().schema.key == key) {
      index->drop();
    } else {
      kept.push_back(index);
    }
  }
  replace(std::move(kept));
}

void FieldIndexes::add(std::shared_ptr<PayloadIndex> index) {
  List more = *list();
  more.push_back(std::move(index));
  replace(std::move(more));
}

void FieldIndexes::remove_slot(uint32_t slot) {
  for (const auto& index : *list()) {
    index->set(slot, fields::Values{});
  }
}

void FieldIndexes::replace(List list) {
  auto next = std::make_shared<const List>(std::move(list));
  const std::lock_guard lock(mutex_);
  list_ = std::move(next);
}

// --- what an operation changes ---

IndexedValues::IndexedValues(const FieldIndexes::List& list) : list_(list) {
  for (const auto& index : list) {
    levels_ = std::max(levels_, filter::levels_for(index->definition().schema.path));
  }
}

Status IndexedValues::extract(Bytes payload, std::vector<fields::Values>& values) const {
  if (payload.empty()) {
    values.insert(values.end(), list_.size(), fields::values_of_nothing());
    return {};
  }
  TRY_ASSIGN(
      const payload::Outline outline,
      payload::Outline::parse(payload, levels_, payload::Outline::Root::object, "The payload"));
  for (const auto& index : list_) {
    values.push_back(fields::extract(index->definition().schema, outline));
  }
  return {};
}

Status IndexedValues::read(const gridstore::Gridstore& payloads, uint32_t slot,
                           std::vector<fields::Values>& values) const {
  TRY_ASSIGN(const auto payload, payloads.read(slot));
  return extract(payload ? Bytes(*payload) : Bytes(), values);
}

Result<IndexUpdate> IndexUpdate::of(const FieldIndexes& indexes, const Operation& operation) {
  IndexUpdate update;
  const auto list = indexes.list();
  const bool of_payload = operation.kind == Kind::upsert || operation.kind == Kind::set_payload;
  if (list->empty() || !of_payload) {
    return update;
  }
  update.list_ = list;
  update.values_.reserve(operation.ids.size() * list->size());
  const IndexedValues indexed(*list);
  size_t next = 0;
  for (uint32_t i = 0; i < operation.ids.size(); ++i) {
    const bool given = operation.payload && operation.payload->present.has(i);
    const Bytes payload = given ? operation.payload->value[next++] : Bytes();
    TRY(indexed.extract(payload, update.values_));
  }
  return update;
}

void IndexUpdate::publish(uint32_t point, uint32_t slot) const {
  for (size_t i = 0; list_ && i < list_->size(); ++i) {
    (*list_)[i]->set(slot, values_[point * list_->size() + i]);
  }
}

}  // namespace asyncstore::engine
