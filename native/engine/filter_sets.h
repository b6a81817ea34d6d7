// What is known of a filter's points without reading payload.
#pragma once

#include "engine/collection.h"
#include "filter/filter.h"
#include "filter/slot_set.h"

namespace asyncstore::engine {

// Of the points that readers may see: those in `sure` pass, those not in `possible` do not; those
// between are tested on their payload. Indexes and ids move the two towards each other.
struct FilterSets {
  filter::SlotSet sure;
  filter::SlotSet possible;
};

struct Undecided {
  FilterSets sets;
  filter::Filter rest;  // decides of those between: what is settled for all of them is left out
};

// As of now, and for all slots that are used now.
Undecided evaluate(const filter::Filter& filter, Collection& collection);

}  // namespace asyncstore::engine
