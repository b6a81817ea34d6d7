// Places on the earth, and whether they lie within a shape.
#pragma once

#include <vector>

namespace asyncstore::filter {

struct GeoPoint {  // degrees
  double lon = 0;  // -180 … 180
  double lat = 0;  // -90 … 90
};

// Edges count as inside. Where the left edge is east of the right one, it crosses the antimeridian.
struct GeoBox {
  GeoPoint top_left;
  GeoPoint bottom_right;
  bool contains(const GeoPoint& point) const;
};

// Distances are along great circles of a sphere of the earth's mean radius, 6,371,008.8 m.
struct GeoRadius {
  GeoPoint center;
  double radius_m = 0;
  bool contains(const GeoPoint& point) const;
};

// Rings are closed: the first point is the last one again. Straight lines on the map (longitude,
// latitude) join the points.
struct GeoPolygon {
  using Ring = std::vector<GeoPoint>;
  Ring exterior;
  std::vector<Ring> interiors;  // holes
  bool contains(const GeoPoint& point) const;
};

// Metres.
double geo_distance(const GeoPoint& a, const GeoPoint& b);

}  // namespace asyncstore::filter
