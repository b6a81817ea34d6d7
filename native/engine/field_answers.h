// What payload indexes say of the points that pass a filter: their order, and counts of values.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "engine/filtered_points.h"
#include "fields/field_index.h"
#include "fields/ordered.h"
#include "fields/value_counter.h"

namespace asyncstore::engine {

// Answers with the ids of points by the values of a field, from `skip` on; a point comes once for
// each value. Error (invalid_argument): no index of the field has an order.
class OrderTask final : public FilterTask {
 public:
  struct Wanted {
    std::string key;  // of the field
    fields::Order order;
    bool from_is_datetime = false;
    uint64_t skip = 0;
    uint64_t limit = 0;
  };

  OrderTask(uint64_t ticket, std::shared_ptr<Collection> collection,
            std::shared_ptr<const filter::Filter> filter, Wanted wanted,
            CompletionQueue& completions)
      : FilterTask(ticket, std::move(collection), std::move(filter), completions),
        wanted_(std::move(wanted)) {}

 private:
  base::Result<Answer> answer(const filter::SlotSet& passing) override;
  base::Status begin();

  Wanted wanted_;
  std::shared_ptr<const fields::FieldIndex> index_;
  std::optional<fields::OrderWalk> walk_;
  uint64_t seen_ = 0;
  OrderedIds found_;
};

// Answers with the values of a field that most points have, and how many have each. Error
// (invalid_argument): no index of the field counts values.
class FacetTask final : public FilterTask {
 public:
  FacetTask(uint64_t ticket, std::shared_ptr<Collection> collection,
            const std::shared_ptr<const filter::Filter>& filter, std::string key, uint64_t limit,
            CompletionQueue& completions)
      : FilterTask(ticket, std::move(collection), filter, completions),
        all_(filter == nullptr),
        key_(std::move(key)),
        limit_(limit) {}

 private:
  base::Result<Answer> answer(const filter::SlotSet& passing) override;

  bool all_;  // points count
  std::string key_;
  uint64_t limit_;
  std::shared_ptr<const fields::FieldIndex> index_;
  std::optional<fields::ValueCounter> counter_;
  bool counted_ = false;
};

}  // namespace asyncstore::engine
