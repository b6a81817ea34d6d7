#include "points/point_id.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <vector>

using asyncstore::points::PointId;

TEST_CASE("point id: integers print in decimal") {
  CHECK(PointId::integer(0).text() == "0");
  CHECK(PointId::integer(42).text() == "42");
  CHECK(PointId::integer(UINT64_MAX).text() == "18446744073709551615");
}

TEST_CASE("point id: all three spellings of a UUID are one id") {
  const auto id = PointId::parse_uuid("550e8400-e29b-41d4-a716-446655440000");
  REQUIRE(id.has_value());
  CHECK(id->is_uuid);
  CHECK(id->high == 0x550e8400e29b41d4);
  CHECK(id->low == 0xa716446655440000);
  CHECK(id->text() == "550e8400-e29b-41d4-a716-446655440000");
  CHECK(PointId::parse_uuid("550E8400-E29B-41D4-A716-446655440000") == id);
  CHECK(PointId::parse_uuid("550e8400e29b41d4a716446655440000") == id);
  CHECK(PointId::parse_uuid("urn:uuid:550e8400-e29b-41d4-a716-446655440000") == id);
}

TEST_CASE("point id: what is not a UUID is not taken for one") {
  for (const char* text :
       {"", "42", "550e8400-e29b-41d4-a716-44665544000", "550e8400-e29b-41d4-a716-4466554400000",
        "550e8400-e29b-41d4-a716-44665544000g", "550e8400+e29b-41d4-a716-446655440000",
        "550e8400e29b-41d4-a716-4466554400000", "{550e8400-e29b-41d4-a716-446655440000}",
        "550e8400e29b41d4a71644665544000", "-50e8400e29b41d4a716446655440000", "urn:uuid:",
        "URN:UUID:550e8400-e29b-41d4-a716-446655440000", "550e8400-e29b-41d4-a716-446655440000 ",
        "550e8400-e29b-41d4-a716-44665544\xC3\xA9"
        "0"}) {
    CAPTURE(text);
    CHECK(!PointId::parse_uuid(text).has_value());
  }
  CHECK(!PointId::parse_uuid(std::string_view("550e8400-e29b-41d4-a716-44665544000\0", 36)));
}

TEST_CASE("point id: integers come before UUIDs, UUIDs in the order of their text") {
  constexpr uint64_t k_seed = 7;
  CAPTURE(k_seed);
  std::mt19937_64 random(k_seed);
  std::vector<PointId> ids = {PointId::integer(0),
                              PointId::integer(UINT64_MAX),
                              {true, 0, 0},
                              {true, UINT64_MAX, UINT64_MAX}};
  for (int i = 0; i < 300; ++i) {
    const uint64_t mask = ~uint64_t{0} >> random() % 64;
    ids.push_back(random() % 2 == 0 ? PointId::integer(random() & mask)
                                    : PointId{true, random() & mask, random()});
  }
  std::sort(ids.begin(), ids.end());
  for (size_t i = 1; i < ids.size(); ++i) {
    const PointId& a = ids[i - 1];
    const PointId& b = ids[i];
    CAPTURE(a.text());
    CAPTURE(b.text());
    CHECK(a.is_uuid <= b.is_uuid);
    if (a.is_uuid == b.is_uuid) {
      CHECK((a.is_uuid ? a.text() <= b.text() : a.low <= b.low));
    }
  }
}

TEST_CASE("point id: text and back") {
  constexpr uint64_t k_seed = 8;
  CAPTURE(k_seed);
  std::mt19937_64 random(k_seed);
  for (int i = 0; i < 1000; ++i) {
    const PointId id{true, random() >> random() % 64, random() >> random() % 64};
    CHECK(id.text().size() == 36);
    CHECK(PointId::parse_uuid(id.text()) == id);
  }
}
