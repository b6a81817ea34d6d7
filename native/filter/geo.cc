#include "filter/geo.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace asyncstore::filter {

namespace {

constexpr double k_earth_radius_m = 6371008.8;

double radians(double degrees) {
  return degrees * std::numbers::pi / 180;
}

// By the number of edges that a line from the point to the east crosses.
bool in_ring(const GeoPolygon::Ring& ring, const GeoPoint& point) {
  bool inside = false;
  for (size_t i = 0; i + 1 < ring.size(); ++i) {
    const GeoPoint& a = ring[i];
    const GeoPoint& b = ring[i + 1];
    if ((a.lat > point.lat) != (b.lat > point.lat) &&
        point.lon < (b.lon - a.lon) * (point.lat - a.lat) / (b.lat - a.lat) + a.lon) {
      inside = !inside;
    }
  }
  return inside;
}

}  // namespace

bool GeoBox::contains(const GeoPoint& point) const {
  if (point.lat > top_left.lat || point.lat < bottom_right.lat) {
    return false;
  }
  const bool east = point.lon >= top_left.lon;
  const bool west = point.lon <= bottom_right.lon;
  return top_left.lon > bottom_right.lon ? east || west : east && west;
}

bool GeoRadius::contains(const GeoPoint& point) const {
  return geo_distance(center, point) <= radius_m;
}

bool GeoPolygon::contains(const GeoPoint& point) const {
  return in_ring(exterior, point) &&
         std::none_of(interiors.begin(), interiors.end(),
                      [&](const Ring& ring) { return in_ring(ring, point); });
}

// The haversine formula.
double geo_distance(const GeoPoint& a, const GeoPoint& b) {
  const double lat = std::sin(radians(b.lat - a.lat) / 2);
  const double lon = std::sin(radians(b.lon - a.lon) / 2);
  const double h = lat * lat + std::cos(radians(a.lat)) * std::cos(radians(b.lat)) * lon * lon;
  return 2 * k_earth_radius_m * std::asin(std::min(1.0, std::sqrt(h)));
}

}  // namespace asyncstore::filter
