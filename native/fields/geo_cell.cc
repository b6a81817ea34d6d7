#include "fields/geo_cell.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace asyncstore::fields {

using filter::GeoBox;
using filter::GeoPoint;
using filter::GeoPolygon;
using filter::GeoRadius;

namespace {

constexpr double k_columns = 4294967296.0;  // and rows
constexpr double k_lon_max = 180;
constexpr double k_lat_max = 90;

// Exact: 38 bits at most.
double degrees_of(uint64_t column, double limit) {
  return static_cast<double>(column) * (2 * limit / k_columns) - limit;
}

// The last column that begins at or before the coordinate; what rounding did is put right.
uint32_t column_of(double degrees, double limit) {
  const double scaled = std::floor((degrees + limit) * (k_columns / (2 * limit)));
  auto column = static_cast<uint32_t>(std::clamp(scaled, 0.0, k_columns - 1));
  while (column > 0 && degrees_of(column, limit) > degrees) {
    --column;
  }
  while (column < UINT32_MAX && degrees_of(uint64_t{column} + 1, limit) <= degrees) {
    ++column;
  }
  return column;
}

// Puts a zero between any two bits.
uint64_t spread(uint32_t bits) {
  uint64_t word = bits;
  word = (word | word << 16) & 0x0000FFFF0000FFFF;
  word = (word | word << 8) & 0x00FF00FF00FF00FF;
  word = (word | word << 4) & 0x0F0F0F0F0F0F0F0F;
  word = (word | word << 2) & 0x3333333333333333;
  return (word | word << 1) & 0x5555555555555555;
}

uint32_t gathered(uint64_t word) {
  word &= 0x5555555555555555;
  word = (word | word >> 1) & 0x3333333333333333;
  word = (word | word >> 2) & 0x0F0F0F0F0F0F0F0F;
  word = (word | word >> 4) & 0x00FF00FF00FF00FF;
  word = (word | word >> 8) & 0x0000FFFF0000FFFF;
  return static_cast<uint32_t>(word | word >> 16);
}

GeoPoint middle_of(const GeoCell& cell) {
  return {(cell.west() + cell.east()) / 2, (cell.south() + cell.north()) / 2};
}

// Whether a line comes so near to the cell that rounding might take its points for others.
bool touches(const GeoPoint& a, const GeoPoint& b, const GeoCell& cell) {
  constexpr double k_near = 1e-9;  // degrees; the test of a point errs by less than 1e-12
  const double west = cell.west() - k_near;
  const double east = cell.east() + k_near;
  const double south = cell.south() - k_near;
  const double north = cell.north() + k_near;
  if (std::max(a.lon, b.lon) < west || std::min(a.lon, b.lon) > east ||
      std::max(a.lat, b.lat) < south || std::min(a.lat, b.lat) > north) {
    return false;
  }
  // The boxes meet, so the line misses the cell only if all corners lie on one side of it.
  const auto side = [&](double lon, double lat) {
    return (b.lon - a.lon) * (lat - a.lat) - (b.lat - a.lat) * (lon - a.lon);
  };
  const double sides[] = {side(west, south), side(west, north), side(east, south),
                          side(east, north)};
  constexpr double k_product_error = 1e-9;  // of numbers up to 360 · 180, by far
  const auto [least, greatest] = std::minmax_element(std::begin(sides), std::end(sides));
  return *least <= k_product_error && *greatest >= -k_product_error;
}

bool ring_touches(const GeoPolygon::Ring& ring, const GeoCell& cell) {
  for (size_t i = 0; i + 1 < ring.size(); ++i) {
    if (touches(ring[i], ring[i + 1], cell)) {
      return true;
    }
  }
  return false;
}

}  // namespace

uint64_t key_of(const GeoPoint& point) {
  return spread(column_of(point.lon, k_lon_max)) << 1 | spread(column_of(point.lat, k_lat_max));
}

KeyRange GeoCell::keys() const {
  const uint64_t free = level == 32 ? UINT64_MAX : (uint64_t{1} << (2 * level)) - 1;
  return {first, first | free};
}

GeoCell GeoCell::quarter(uint32_t number) const {
  const auto below = static_cast<uint8_t>(level - 1);
  return {first | uint64_t{number} << (2 * below), below};
}

double GeoCell::west() const {
  return degrees_of(gathered(first >> 1), k_lon_max);
}
double GeoCell::east() const {
  return degrees_of(gathered(first >> 1) + (uint64_t{1} << level), k_lon_max);
}
double GeoCell::south() const {
  return degrees_of(gathered(first), k_lat_max);
}
double GeoCell::north() const {
  return degrees_of(gathered(first) + (uint64_t{1} << level), k_lat_max);
}

Within within(const GeoBox& box, const GeoCell& cell) {
  const double west = cell.west();
  const double east = cell.east();
  if (cell.south() > box.top_left.lat || cell.north() < box.bottom_right.lat) {
    return Within::none;
  }
  const bool lat_all = cell.north() <= box.top_left.lat && cell.south() >= box.bottom_right.lat;
  const double left = box.top_left.lon;
  const double right = box.bottom_right.lon;
  const bool crosses = left > right;
  const bool lon_none = crosses ? east < left && west > right : east < left || west > right;
  const bool lon_all = crosses ? west >= left || east <= right : west >= left && east <= right;
  if (lon_none) {
    return Within::none;
  }
  return lat_all && lon_all ? Within::all : Within::unknown;
}

// No place in the cell is farther from its middle than the way along the middle's parallel and
// then along a meridian.
Within within(const GeoRadius& circle, const GeoCell& cell) {
  constexpr double k_degree_m = 6371008.8 * std::numbers::pi / 180;
  constexpr double k_error_m = 1;  // rounding moves the farthest distances by up to 0.3 m
  const GeoPoint middle = middle_of(cell);
  const double across = (cell.east() - cell.west()) / 2 * k_degree_m;
  const double along = (cell.north() - cell.south()) / 2 * k_degree_m;
  const double reach = across * std::cos(middle.lat * std::numbers::pi / 180) + along + k_error_m;
  const double distance = filter::geo_distance(circle.center, middle);
  if (distance + reach <= circle.radius_m) {
    return Within::all;
  }
  return distance - reach > circle.radius_m ? Within::none : Within::unknown;
}

Within within(const GeoPolygon& polygon, const GeoCell& cell) {
  if (ring_touches(polygon.exterior, cell)) {
    return Within::unknown;
  }
  for (const GeoPolygon::Ring& ring : polygon.interiors) {
    if (ring_touches(ring, cell)) {
      return Within::unknown;
    }
  }
  return polygon.contains(middle_of(cell)) ? Within::all : Within::none;
}

}  // namespace asyncstore::fields
