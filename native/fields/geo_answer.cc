#include "fields/geo_answer.h"

#include <algorithm>
#include <cstddef>
#include <vector>

#include "fields/geo_cell.h"

namespace asyncstore::fields {

using filter::SlotSet;

namespace {

constexpr size_t k_cells_max = 16384;
constexpr size_t k_cells_min = 64;         // of a polygon with many corners
constexpr size_t k_corners_max = 1 << 20;  // looked at for cells, about
constexpr uint64_t k_few = 16;             // places that are looked at one by one

// Each place of a cell by itself; places with one key lie in the same cell of level 0.
template <typename Shape>
void add_one_by_one(const Postings& postings, const Shape& shape, KeyRange keys,
                    PlacesWithin& found) {
  uint64_t last_key = 0;
  Within last = Within::unknown;
  bool first = true;
  postings.ascending(keys, [&](uint64_t key, uint32_t slot) {
    if (first || key != last_key) {
      last_key = key;
      last = within(shape, GeoCell{key, 0});
      first = false;
    }
    if (last == Within::all) {
      found.sure.add(slot);
    } else if (last == Within::unknown) {
      found.possible.add(slot);
    }
    return true;
  });
}

// From the whole map to its quarters and so on, all cells of a size before the next smaller ones,
// so that the cells allowed are spent where they tell most.
template <typename Shape>
PlacesWithin search(const Postings& postings, const Shape& shape, uint32_t slots,
                    size_t cells_max) {
  PlacesWithin found{SlotSet(slots), SlotSet(slots)};
  std::vector<GeoCell> cells = {GeoCell{}};
  for (size_t i = 0; i < cells.size(); ++i) {
    const GeoCell cell = cells[i];
    const uint64_t places = postings.count(cell.keys());
    const Within verdict = places > 0 ? within(shape, cell) : Within::none;
    if (verdict == Within::none) {
      continue;
    }
    if (verdict == Within::all) {
      postings.add_to(cell.keys(), found.sure);
    } else if (places <= k_few) {
      add_one_by_one(postings, shape, cell.keys(), found);
    } else if (cell.level > 0 && cells.size() + 4 <= cells_max) {
      for (uint32_t quarter = 0; quarter < 4; ++quarter) {
        cells.push_back(cell.quarter(quarter));
      }
    } else {
      postings.add_to(cell.keys(), found.possible);
    }
  }
  found.possible |= found.sure;
  return found;
}

size_t corners_of(const filter::GeoPolygon& polygon) {
  size_t corners = polygon.exterior.size();
  for (const auto& ring : polygon.interiors) {
    corners += ring.size();
  }
  return corners;
}

}  // namespace

PlacesWithin places_within(const Postings& postings, const filter::GeoBox& box, uint32_t slots) {
  return search(postings, box, slots, k_cells_max);
}

PlacesWithin places_within(const Postings& postings, const filter::GeoRadius& circle,
                           uint32_t slots) {
  return search(postings, circle, slots, k_cells_max);
}

PlacesWithin places_within(const Postings& postings, const filter::GeoPolygon& polygon,
                           uint32_t slots) {
  const size_t corners = std::max<size_t>(corners_of(polygon), 1);
  return search(postings, polygon, slots,
                std::clamp(k_corners_max / corners, k_cells_min, k_cells_max));
}

}  // namespace asyncstore::fields
