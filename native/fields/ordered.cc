#include "fields/ordered.h"

#include "base/assert.h"
#include "fields/keys.h"

namespace asyncstore::fields {

using filter::Number;

namespace {

KeyRange range_of(Kind kind, const Order& order) {
  filter::Bounds<Number> bounds;
  (order.descending ? bounds.lte : bounds.gte) = order.from;
  return kind == Kind::real ? real_keys(bounds).possible : integer_keys(bounds);
}

}  // namespace

bool has_order(const Schema& schema) {
  return schema.kind == Kind::real || schema.kind == Kind::datetime ||
         (schema.kind == Kind::integer && schema.range);
}

OrderWalk::OrderWalk(Kind kind, const Order& order)
    : kind_(kind), descending_(order.descending), range_(range_of(kind, order)) {}

std::vector<Pair> OrderWalk::next(const Content& content, size_t most) {
  ASSERT(has_order(content.schema()));
  const Postings& postings = content.postings();
  auto page = descending_ ? postings.descending(range_, last_, most)
                          : postings.ascending(range_, last_, most);
  if (!page.empty()) {
    last_ = page.back();
  }
  return page;
}

Number OrderWalk::value(uint64_t key) const {
  return kind_ == Kind::real ? Number(real_of(key)) : Number(integer_of(key));
}

}  // namespace asyncstore::fields
