#include "engine/filter_sets.h"

#include <algorithm>
#include <utility>

namespace asyncstore::engine {

using filter::Condition;
using filter::Filter;
using filter::SlotSet;

namespace {

bool is_exact(const FilterSets& sets) {
  return sets.sure == sets.possible;
}

class Evaluation {
 public:
  explicit Evaluation(Collection& collection)
      : collection_(collection),
        indexes_(collection.indexes().list()),
        all_(collection.table().slot_count()) {
    collection.table().seen(all_.words());
  }

  FilterSets of(const Filter& filter, Filter* rest = nullptr) const;

 private:
  FilterSets of(const Condition& condition) const {
    return std::visit([&](const auto& one) { return of(one); }, condition.is);
  }
  FilterSets of(const filter::FieldCondition& condition) const;
  FilterSets of(const filter::Nested&) const { return unknown(); }
  FilterSets of(const filter::HasVector&) const { return unknown(); }
  FilterSets of(const filter::Slice&) const { return unknown(); }
  FilterSets of(const filter::HasId& condition) const;
  FilterSets of(const filter::Shared& one) const { return of(*one.filter); }

  FilterSets unknown() const { return {none(), all_}; }
  SlotSet none() const { return SlotSet(all_.slots()); }
  FilterSets any_of(const std::vector<Condition>& conditions) const;
  FilterSets at_least(const filter::MinShould& clause) const;

  Collection& collection_;
  const std::shared_ptr<const FieldIndexes::List> indexes_;
  SlotSet all_;
};

void keep_both(FilterSets& sets, const FilterSets& other) {
  sets.sure &= other.sure;
  sets.possible &= other.possible;
}

void keep_others(FilterSets& sets, const FilterSets& excluded) {
  sets.sure -= excluded.possible;
  sets.possible -= excluded.sure;
}

// A clause that is exact is settled: points between have passed it. The others go to `rest`, if it
// is asked for.
FilterSets Evaluation::of(const Filter& filter, Filter* rest) const {
  FilterSets sets{all_, all_};
  const auto is_open = [&](const FilterSets& found) { return rest != nullptr && !is_exact(found); };
  for (const Condition& condition : filter.must) {
    const FilterSets found = of(condition);
    keep_both(sets, found);
    if (is_open(found)) {
      rest->must.push_back(condition);
    }
  }
  for (const Condition& condition : filter.must_not) {
    const FilterSets found = of(condition);
    keep_others(sets, found);
    if (is_open(found)) {
      rest->must_not.push_back(condition);
    }
  }
  if (!filter.should.empty()) {
    const FilterSets found = any_of(filter.should);
    keep_both(sets, found);
    if (is_open(found)) {
      rest->should = filter.should;
    }
  }
  if (filter.min_should) {
    const FilterSets found = at_least(*filter.min_should);
    keep_both(sets, found);
    if (is_open(found)) {
      rest->min_should = filter.min_should;
    }
  }
  return sets;
}

FilterSets Evaluation::any_of(const std::vector<Condition>& conditions) const {
  FilterSets sets{none(), none()};
  for (const Condition& condition : conditions) {
    const FilterSets found = of(condition);
    sets.sure |= found.sure;
    sets.possible |= found.possible;
  }
  return sets;
}

// reached[k]: those of which k + 1 conditions have held so far.
FilterSets Evaluation::at_least(const filter::MinShould& clause) const {
  if (clause.count == 0) {
    return {all_, all_};
  }
  if (clause.count > clause.conditions.size()) {
    return {none(), none()};
  }
  std::vector<FilterSets> reached(clause.count, {none(), none()});
  for (const Condition& condition : clause.conditions) {
    const FilterSets found = of(condition);
    for (size_t k = reached.size(); k-- > 0;) {
      FilterSets more = found;
      if (k > 0) {
        keep_both(more, reached[k - 1]);
      }
      reached[k].sure |= more.sure;
      reached[k].possible |= more.possible;
    }
  }
  return std::move(reached.back());
}

// One of the tests holds; a test that no index knows about may hold anywhere.
FilterSets Evaluation::of(const filter::FieldCondition& condition) const {
  const auto found = std::find_if(indexes_->begin(), indexes_->end(), [&](const auto& index) {
    return index->definition().schema.path == condition.path;
  });
  const auto content = found == indexes_->end() ? nullptr : (*found)->content();
  FilterSets sets{none(), none()};
  for (const filter::Test& test : condition.tests) {
    auto known = content ? content->answer(test, all_.slots()) : std::nullopt;
    if (known) {
      sets.sure |= known->sure;
      sets.possible |= known->possible;
    } else {
      sets.possible = all_;
    }
  }
  sets.sure &= all_;
  sets.possible &= all_;
  return sets;
}

FilterSets Evaluation::of(const filter::HasId& condition) const {
  SlotSet found = none();
  {
    const auto lock = collection_.table().read_lock();
    for (const auto& id : condition.ids) {
      const uint32_t slot = collection_.table().find(id);
      if (slot != points::k_no_slot) {
        found.add(slot);
      }
    }
  }
  found &= all_;
  return {found, found};
}

}  // namespace

Undecided evaluate(const Filter& filter, Collection& collection) {
  Filter rest;
  FilterSets sets = Evaluation(collection).of(filter, &rest);
  return {std::move(sets), std::move(rest)};
}

}  // namespace asyncstore::engine
