// The values of an index in their order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "fields/content.h"
#include "fields/sorted_pairs.h"
#include "filter/number.h"

namespace asyncstore::fields {

struct Order {
  bool descending = false;
  // The first value wanted, or where it would stand; of datetimes microseconds since 1970.
  std::optional<filter::Number> from = std::nullopt;
};

// Whether they have one: integers with ranges, reals and datetimes.
bool has_order(const Schema& schema);

// Goes along the pairs of value and slot, a part at a time; the index may change in between. A slot
// stands once for each of its values. Equal values come in the order of their slots, which is the
// other way round when descending.
class OrderWalk {
 public:
  OrderWalk(Kind kind, const Order& order);

  // The next pairs, at most so many; none at the end.
  std::vector<Pair> next(const Content& content, size_t most);
  filter::Number value(uint64_t key) const;

 private:
  Kind kind_;
  bool descending_;
  KeyRange range_;
  std::optional<Pair> last_;
};

}  // namespace asyncstore::fields
