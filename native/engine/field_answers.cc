#include "engine/field_answers.h"

#include <utility>

namespace asyncstore::engine {

namespace {

constexpr size_t k_part_pairs = 4096;  // that are looked at in one slice

using Index = std::shared_ptr<const fields::FieldIndex>;

// The index of a field, if it can do what is wanted; else an error that says what would.
base::Result<Index> index_of(const Collection& collection, const std::string& key,
                             bool (*can)(const fields::Schema&), const std::string& what) {
  const auto index = collection.indexes().find(key);
  const std::string name = "'" + key + "'";
  if (!index || !can(index->definition().schema)) {
    return base::invalid_argument((index ? "The index of field " + name + " is of another kind: "
                                         : "There is no index of field " + name + ": ") +
                                  what + "; create_payload_index() makes one");
  }
  auto content = index->content();
  if (!content) {
    return base::invalid_argument("The index of field " + name + " is still being made");
  }
  return Index(std::move(content));
}

}  // namespace

base::Status OrderTask::begin() {
  TRY_ASSIGN(index_,
             index_of(*collection_, wanted_.key, fields::has_order,
                      "an order needs one of kind integer (with range), float or datetime"));
  const fields::Kind kind = index_->schema().kind;
  if (wanted_.order.from && wanted_.from_is_datetime != (kind == fields::Kind::datetime)) {
    return base::invalid_argument("start_from: must be a " +
                                  std::string(wanted_.from_is_datetime ? "number" : "datetime") +
                                  " as the values of field '" + wanted_.key + "' are");
  }
  walk_.emplace(kind, wanted_.order);
  return {};
}

base::Result<FilterTask::Answer> OrderTask::answer(const filter::SlotSet& passing) {
  if (!walk_) {
    TRY(begin());
  }
  const auto page = index_->next(*walk_, k_part_pairs);
  for (const fields::Pair& pair : page) {
    if (found_.ids.size() >= wanted_.limit) {
      return Answer(std::move(found_));
    }
    if (!passing.contains(pair.value) || seen_++ < wanted_.skip) {
      continue;
    }
    found_.ids.push_back(collection_->table().id(pair.value));
    found_.values.push_back(walk_->value(pair.key));
  }
  return page.empty() ? Answer(std::move(found_)) : Answer();
}

base::Result<FilterTask::Answer> FacetTask::answer(const filter::SlotSet& passing) {
  if (!counter_) {
    TRY_ASSIGN(index_,
               index_of(*collection_, key_, fields::has_counts,
                        "a facet needs one of kind keyword, integer (with lookup), uuid or bool"));
    counter_.emplace(all_ ? nullptr : &passing, limit_);
  }
  if (!counted_) {
    counted_ = !index_->count(*counter_);
    return Answer();
  }
  return counter_->sort() ? Answer() : Answer(counter_->take());
}

}  // namespace asyncstore::engine
