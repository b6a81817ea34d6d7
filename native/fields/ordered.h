// Values in their order, and how often each occurs.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "fields/content.h"
#include "filter/filter.h"
#include "filter/number.h"
#include "filter/slot_set.h"

namespace asyncstore::fields {

struct Order {
  bool descending = false;
  // The first value wanted, or where it would stand; of datetimes microseconds since 1970.
  std::optional<filter::Number> from = std::nullopt;
};

// Whether visit_in_order() works: integers with ranges, reals and datetimes.
bool has_order(const Schema& schema);

// A slot stands once for each of its values. Until it is false.
using VisitValue = std::function<bool(const filter::Number& value, uint32_t slot)>;
// Those of the slots in `among`, or of all. Equal values come in the order of their slots, which
// is the other way round when descending.
void visit_in_order(const Content& content, const Order& order, const filter::SlotSet* among,
                    const VisitValue& visit);

// Whether count_values() works: keywords, uuids, booleans, integers with lookup.
bool has_counts(const Schema& schema);

struct ValueCount {
  filter::Scalar value;
  uint64_t slots = 0;  // that have it
};
// Of the slots in `among`, or of all: the `limit` values that most slots have, these first, equal
// counts by value.
std::vector<ValueCount> count_values(const Content& content, const filter::SlotSet* among,
                                     uint64_t limit);

}  // namespace asyncstore::fields
