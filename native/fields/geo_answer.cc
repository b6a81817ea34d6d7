#include "fields/geo_answer.h"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "fields/geo_cell.h"
#include "fields/slots_within.h"

namespace asyncstore::fields {

using filter::SlotSet;

namespace {

constexpr size_t k_cells_max = 16384;
constexpr size_t k_cells_min = 64;         // of a polygon with many corners
constexpr size_t k_corners_max = 1 << 20;  // looked at for cells, about
constexpr uint64_t k_few = 16;             // places that are looked at one by one

// Keys of places within a shape, and of those that may be.
struct Found {
  std::vector<KeyRange> sure;
  uint64_t sure_pairs = 0;
  std::vector<KeyRange> unknown;

  void add(Within verdict, KeyRange keys, uint64_t pairs) {
    if (verdict == Within::all) {
      sure.push_back(keys);
      sure_pairs += pairs;
    } else if (verdict == Within::unknown) {
      unknown.push_back(keys);
    }
  }
};

// Each place of a cell by itself; places with one key lie in the same cell of level 0.
template <typename Shape>
void add_one_by_one(const Postings& postings, const Shape& shape, KeyRange keys, Found& found) {
  postings.for_each_key(keys, [&](uint64_t key, uint64_t pairs) {
    found.add(within(shape, GeoCell{key, 0}), KeyRange::one(key), pairs);
  });
}

// From the whole map to its quarters and so on, all cells of a size before the next smaller ones,
// so that the cells allowed are spent where they tell most.
template <typename Shape>
Found search(const Postings& postings, const Shape& shape, size_t cells_max) {
  Found found;
  std::vector<GeoCell> cells = {GeoCell{}};
  for (size_t i = 0; i < cells.size(); ++i) {
    const GeoCell cell = cells[i];
    const uint64_t places = postings.count(cell.keys());
    const Within verdict = places > 0 ? within(shape, cell) : Within::none;
    const bool is_unknown = verdict == Within::unknown;
    if (is_unknown && places <= k_few) {
      add_one_by_one(postings, shape, cell.keys(), found);
    } else if (is_unknown && cell.level > 0 && cells.size() + 4 <= cells_max) {
      for (uint32_t quarter = 0; quarter < 4; ++quarter) {
        cells.push_back(cell.quarter(quarter));
      }
    } else {
      found.add(verdict, cell.keys(), places);
    }
  }
  return found;
}

template <typename Shape>
PlacesWithin places(const Content& content, const Shape& shape, uint32_t slots, size_t cells_max) {
  Found found = search(content.postings(), shape, cells_max);
  std::sort(found.sure.begin(), found.sure.end(),
            [](const KeyRange& a, const KeyRange& b) { return a.first < b.first; });
  SlotSet sure = slots_within(content, found.sure, found.sure_pairs, slots);
  SlotSet possible = sure;
  for (const KeyRange& keys : found.unknown) {
    content.postings().add_to(keys, possible);
  }
  return {std::move(sure), std::move(possible)};
}

size_t corners_of(const filter::GeoPolygon& polygon) {
  size_t corners = polygon.exterior.size();
  for (const auto& ring : polygon.interiors) {
    corners += ring.size();
  }
  return corners;
}

}  // namespace

PlacesWithin places_within(const Content& content, const filter::GeoBox& box, uint32_t slots) {
  return places(content, box, slots, k_cells_max);
}

PlacesWithin places_within(const Content& content, const filter::GeoRadius& circle,
                           uint32_t slots) {
  return places(content, circle, slots, k_cells_max);
}

PlacesWithin places_within(const Content& content, const filter::GeoPolygon& polygon,
                           uint32_t slots) {
  const size_t corners = std::max<size_t>(corners_of(polygon), 1);
  return places(content, polygon, slots,
                std::clamp(k_corners_max / corners, k_cells_min, k_cells_max));
}

}  // namespace asyncstore::fields
