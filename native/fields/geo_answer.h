// Which slots have a place within a shape.
#pragma once

#include <cstdint>

#include "fields/content.h"
#include "filter/geo.h"
#include "filter/slot_set.h"

namespace asyncstore::fields {

struct PlacesWithin {
  filter::SlotSet sure;
  filter::SlotSet possible;
};

// The postings are of places (geo_cell.h). Work is bounded, whatever the shape: where that is not
// enough, more is possible and less is sure.
PlacesWithin places_within(const Content& content, const filter::GeoBox& box, uint32_t slots);
PlacesWithin places_within(const Content& content, const filter::GeoRadius& circle, uint32_t slots);
PlacesWithin places_within(const Content& content, const filter::GeoPolygon& polygon,
                           uint32_t slots);

}  // namespace asyncstore::fields
