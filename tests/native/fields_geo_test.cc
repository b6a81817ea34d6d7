#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "fields/geo_answer.h"
#include "fields/geo_cell.h"
#include "fields_payloads.h"

using namespace asyncstore;
using namespace asyncstore::fields_test;
using fields::GeoCell;
using fields::Within;
using filter::GeoPoint;

namespace {

class Places {
 public:
  explicit Places(uint64_t seed) : random_(seed) {}

  double between(double low, double high) {
    return std::uniform_real_distribution<double>(low, high)(random_);
  }
  uint64_t below(uint64_t limit) { return random_() % limit; }
  GeoPoint any() {
    constexpr double k_lons[] = {-180, 180, 0, 1e-17, -1e-17, 179.9999999999};
    constexpr double k_lats[] = {-90, 90, 0, 1e-17, -1e-17, 89.9999999999};
    return {below(6) == 0 ? k_lons[below(6)] : between(-180, 180),
            below(6) == 0 ? k_lats[below(6)] : between(-90, 90)};
  }
  GeoPoint in(const GeoCell& cell) {
    return {std::clamp(between(cell.west(), cell.east()), cell.west(), cell.east()),
            std::clamp(between(cell.south(), cell.north()), cell.south(), cell.north())};
  }
  // The cell of a level around a place.
  static GeoCell around(const GeoPoint& place, uint8_t level) {
    const uint64_t keep = level == 32 ? 0 : ~uint64_t{0} << (2 * level);
    return {fields::key_of(place) & keep, level};
  }

 private:
  std::mt19937_64 random_;
};

template <typename Shape>
void check_shape(Places& places, const Shape& shape, const GeoPoint& near) {
  for (int i = 0; i < 60; ++i) {
    const auto level = static_cast<uint8_t>(places.below(33));
    const GeoCell cell = Places::around(i % 3 == 0 ? places.any() : near, level);
    const Within verdict = within(shape, cell);
    if (verdict == Within::unknown) {
      continue;
    }
    const GeoPoint corners[] = {{cell.west(), cell.south()},
                                {cell.west(), cell.north()},
                                {cell.east(), cell.south()},
                                {cell.east(), cell.north()}};
    for (int k = 0; k < 24; ++k) {
      const GeoPoint place = k < 4 ? corners[k] : places.in(cell);
      CAPTURE(place.lon);
      CAPTURE(place.lat);
      CAPTURE(static_cast<int>(level));
      REQUIRE(shape.contains(place) == (verdict == Within::all));
    }
  }
}

}  // namespace

TEST_CASE("geo cells: a place lies in all cells around it") {
  constexpr uint64_t k_seed = 11;
  CAPTURE(k_seed);
  Places places(k_seed);
  for (int i = 0; i < 20'000; ++i) {
    const GeoPoint place = places.any();
    for (const uint8_t level : {0, 1, 7, 31, 32}) {
      const GeoCell cell = Places::around(place, level);
      REQUIRE(cell.west() <= place.lon);
      REQUIRE(cell.east() >= place.lon);
      REQUIRE(cell.south() <= place.lat);
      REQUIRE(cell.north() >= place.lat);
      REQUIRE(cell.keys().contains(fields::key_of(place)));
      REQUIRE(cell.east() - cell.west() == 360 / 4294967296.0 * std::exp2(level));
    }
  }
  const GeoCell whole;
  CHECK(whole.west() == -180);
  CHECK(whole.north() == 90);
  CHECK(whole.keys() == fields::KeyRange{});
  CHECK(whole.quarter(0).keys().first == 0);
  CHECK(whole.quarter(3).keys().last == UINT64_MAX);
  CHECK(whole.quarter(1).north() == 90);
  CHECK(whole.quarter(1).west() == -180);
}

TEST_CASE("geo cells: what is said of a cell is true of the places in it") {
  constexpr uint64_t k_seed = 12;
  CAPTURE(k_seed);
  Places places(k_seed);
  for (int i = 0; i < 1500; ++i) {
    const GeoPoint a = places.any();
    const GeoPoint b = places.any();
    const GeoPoint near = {(a.lon + b.lon) / 2, a.lat};
    check_shape(places,
                filter::GeoBox{{a.lon, std::max(a.lat, b.lat)}, {b.lon, std::min(a.lat, b.lat)}},
                i % 2 == 0 ? a : b);
    const double radius = i % 4 == 0 ? places.between(0, 100) : places.between(0, 21e6);
    check_shape(places, filter::GeoRadius{a, radius}, i % 2 == 0 ? a : near);
    filter::GeoPolygon polygon;
    const double size = i % 3 == 0 ? 1e-5 : 20;
    const auto ring = [&] {
      filter::GeoPolygon::Ring ring;
      for (int k = 0; k < 5; ++k) {
        ring.push_back({a.lon + places.between(-size, size), a.lat + places.between(-size, size)});
      }
      ring.push_back(ring.front());
      return ring;
    };
    polygon.exterior = ring();
    polygon.interiors = {ring()};
    check_shape(places, polygon, i % 2 == 0 ? a : polygon.exterior[1]);
  }
}

TEST_CASE("geo answers: little stays unsure, wherever the places are") {
  constexpr uint64_t k_seed = 13;
  CAPTURE(k_seed);
  Places places(k_seed);
  fields::FieldBuilder builder(schema_of(Kind::geo));
  std::vector<GeoPoint> all;
  // All over the map, and as many in one city; a thousand in one place.
  for (uint32_t slot = 0; slot < 20'000; ++slot) {
    const GeoPoint place = slot % 20 == 0 ? GeoPoint{13.4, 52.52}
                           : slot % 2 == 0
                               ? GeoPoint{places.between(13.1, 13.7), places.between(52.3, 52.7)}
                               : places.any();
    auto values = fields::values_of_nothing();
    values.keys = {fields::key_of(place)};
    builder.set(slot, values);
    all.push_back(place);
  }
  const auto index = builder.build();
  for (int i = 0; i < 60; ++i) {
    // Their edges go through the city.
    const GeoPoint edge = {places.between(13.1, 13.7), places.between(52.3, 52.7)};
    const GeoPoint center = i % 3 == 0 ? edge : places.any();
    const filter::GeoRadius circle{
        center, i % 3 == 0 ? places.between(1, 20'000) : filter::geo_distance(center, edge)};
    const auto answer = index->answer(circle, 20'000);
    REQUIRE(answer.has_value());
    uint64_t unsure = 0;
    for (uint32_t slot = 0; slot < all.size(); ++slot) {
      const bool truth = circle.contains(all[slot]);
      REQUIRE((truth || !answer->sure.contains(slot)));
      REQUIRE((!truth || answer->possible.contains(slot)));
      unsure += answer->possible.contains(slot) && !answer->sure.contains(slot);
    }
    CHECK(unsure < 100);
  }
}

TEST_CASE("geo answers: a polygon with very many corners is bounded work") {
  fields::FieldBuilder builder(schema_of(Kind::geo));
  Places places(14);
  std::vector<GeoPoint> all;
  for (uint32_t slot = 0; slot < 5000; ++slot) {
    all.push_back(places.any());
    auto values = fields::values_of_nothing();
    values.keys = {fields::key_of(all.back())};
    builder.set(slot, values);
  }
  const auto index = builder.build();
  filter::GeoPolygon polygon;
  for (int i = 0; i < 100'000; ++i) {
    const double angle = i * 6.283185307179586 / 100'000;
    const double size = 40 + 5 * std::sin(angle * 50);
    polygon.exterior.push_back({size * std::cos(angle), size * std::sin(angle)});
  }
  polygon.exterior.push_back(polygon.exterior.front());
  const auto answer = index->answer(polygon, 5000);
  REQUIRE(answer.has_value());
  CHECK(answer->sure.count() > 0);
  CHECK(answer->possible.count() < 1500);
  for (uint32_t slot = 0; slot < all.size(); slot += 10) {
    const bool truth = polygon.contains(all[slot]);
    REQUIRE((truth || !answer->sure.contains(slot)));
    REQUIRE((!truth || answer->possible.contains(slot)));
  }
}
