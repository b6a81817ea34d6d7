// Places as keys, and how shapes lie to the cells that keys stand for.
#pragma once

#include <cstdint>
#include <optional>

#include "fields/keys.h"
#include "filter/filter.h"
#include "filter/geo.h"

namespace asyncstore::fields {

// The bits of a place's column and row in turn (Morton 1966), longitude first, in a grid of 2^32
// columns and rows over the map: at most 9.4 mm wide. A key with its lower 2·n bits free is a cell
// of 2^n columns and rows, so a cell's keys follow each other.
uint64_t key_of(const filter::GeoPoint& point);

struct GeoCell {
  uint64_t first = 0;  // key
  uint8_t level = 32;  // 2^level columns and rows

  KeyRange keys() const;
  GeoCell quarter(uint32_t number) const;  // 0 … 3, in the order of keys
  // What the cell covers, edges included.
  double west() const;
  double east() const;
  double south() const;
  double north() const;
};

// What is said of all places in a cell.
enum class Within : uint8_t { all, none, unknown };

Within within(const filter::GeoBox& box, const GeoCell& cell);
Within within(const filter::GeoRadius& circle, const GeoCell& cell);
Within within(const filter::GeoPolygon& polygon, const GeoCell& cell);

}  // namespace asyncstore::fields
