#include "engine/field_answers.h"

#include <utility>

namespace asyncstore::engine {

namespace {

struct Usable {
  fields::Schema schema;
  std::shared_ptr<const fields::FieldIndex> content;
};

// The index of a field, if it can do what is wanted; else an error that says what would.
base::Result<Usable> index_of(const Collection& collection, const std::string& key,
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
  return Usable{index->definition().schema, std::move(content)};
}

}  // namespace

base::Result<Value> OrderTask::answer(const filter::SlotSet& passing) const {
  TRY_ASSIGN(const Usable index,
             index_of(*collection_, wanted_.key, fields::has_order,
                      "an order needs one of kind integer (with range), float or datetime"));
  if (wanted_.order.from &&
      wanted_.from_is_datetime != (index.schema.kind == fields::Kind::datetime)) {
    return base::invalid_argument("start_from: must be a " +
                                  std::string(wanted_.from_is_datetime ? "number" : "datetime") +
                                  " as the values of field '" + wanted_.key + "' are");
  }
  OrderedIds found;
  uint64_t seen = 0;
  index.content->visit_in_order(wanted_.order, &passing,
                                [&](const filter::Number& value, uint32_t slot) {
                                  if (seen++ >= wanted_.skip) {
                                    found.ids.push_back(collection_->table().id(slot));
                                    found.values.push_back(value);
                                  }
                                  return found.ids.size() < wanted_.limit;
                                });
  return Value(std::move(found));
}

base::Result<Value> FacetTask::answer(const filter::SlotSet& passing) const {
  TRY_ASSIGN(const Usable index,
             index_of(*collection_, key_, fields::has_counts,
                      "a facet needs one of kind keyword, integer (with lookup), uuid or bool"));
  return Value(index.content->count_values(&passing, limit_));
}

}  // namespace asyncstore::engine
