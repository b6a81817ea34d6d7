#include "fields/ordered.h"

#include <algorithm>
#include <string>

#include "base/assert.h"
#include "fields/keys.h"

namespace asyncstore::fields {

using filter::Number;
using filter::SlotSet;

namespace {

struct KeyCount {
  uint64_t key;
  uint64_t slots;
};

// --- order ---

KeyRange range_of(Kind kind, const Order& order) {
  filter::Bounds<Number> bounds;
  (order.descending ? bounds.lte : bounds.gte) = order.from;
  return kind == Kind::real ? real_keys(bounds).possible : integer_keys(bounds);
}

// --- counts ---

void count_one(std::vector<KeyCount>& counts, uint64_t key) {
  if (counts.empty() || counts.back().key != key) {
    counts.push_back({key, 0});
  }
  ++counts.back().slots;
}

std::vector<KeyCount> count_uses(const Terms& terms) {
  std::vector<KeyCount> counts;
  for (uint32_t term = 0; term < terms.numbers(); ++term) {
    if (terms.uses(term) > 0) {
      counts.push_back({term, terms.uses(term)});
    }
  }
  return counts;
}

std::vector<KeyCount> count_keys(const Content& content, const SlotSet* among) {
  if (among == nullptr && has_terms(content.schema().kind)) {
    return count_uses(content.terms());
  }
  std::vector<KeyCount> counts;
  constexpr uint64_t k_sort_pairs = 8;  // that are passed over in the time of sorting one in
  if (among != nullptr && among->count() < content.postings().count() / k_sort_pairs) {
    std::vector<uint64_t> keys;
    among->for_each([&](uint32_t slot) {
      const auto held = content.column().keys(slot);
      keys.insert(keys.end(), held.begin(), held.end());
    });
    std::sort(keys.begin(), keys.end());
    for (const uint64_t key : keys) {
      count_one(counts, key);
    }
    return counts;
  }
  content.postings().ascending({}, [&](uint64_t key, uint32_t slot) {
    if (among == nullptr || among->contains(slot)) {
      count_one(counts, key);
    }
    return true;
  });
  return counts;
}

bool is_before(const Content& content, uint64_t a, uint64_t b) {
  if (!has_terms(content.schema().kind)) {
    return a < b;
  }
  return content.terms().text(static_cast<uint32_t>(a)) <
         content.terms().text(static_cast<uint32_t>(b));
}

}  // namespace

bool has_order(const Schema& schema) {
  return schema.kind == Kind::real || schema.kind == Kind::datetime ||
         (schema.kind == Kind::integer && schema.range);
}

void visit_in_order(const Content& content, const Order& order, const SlotSet* among,
                    const VisitValue& visit) {
  const Kind kind = content.schema().kind;
  ASSERT(has_order(content.schema()));
  const auto show = [&](uint64_t key, uint32_t slot) {
    if (among != nullptr && !among->contains(slot)) {
      return true;
    }
    return visit(kind == Kind::real ? Number(real_of(key)) : Number(integer_of(key)), slot);
  };
  const KeyRange range = range_of(kind, order);
  if (order.descending) {
    content.postings().descending(range, show);
  } else {
    content.postings().ascending(range, show);
  }
}

bool has_counts(const Schema& schema) {
  return is_of_strings(schema.kind) || schema.kind == Kind::boolean ||
         (schema.kind == Kind::integer && schema.lookup);
}

std::vector<ValueCount> count_values(const Content& content, const SlotSet* among, uint64_t limit) {
  ASSERT(has_counts(content.schema()));
  std::vector<KeyCount> counts = count_keys(content, among);
  const auto wanted = static_cast<ptrdiff_t>(std::min<uint64_t>(limit, counts.size()));
  std::partial_sort(counts.begin(), counts.begin() + wanted, counts.end(),
                    [&](const KeyCount& a, const KeyCount& b) {
                      return a.slots != b.slots ? a.slots > b.slots
                                                : is_before(content, a.key, b.key);
                    });
  std::vector<ValueCount> values;
  for (ptrdiff_t i = 0; i < wanted; ++i) {
    values.push_back({content.value(counts[i].key), counts[i].slots});
  }
  return values;
}

}  // namespace asyncstore::fields
