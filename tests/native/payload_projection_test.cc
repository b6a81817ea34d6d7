#include <doctest/doctest.h>

#include "payload/limits.h"
#include "payload_text.h"

using namespace asyncstore::payload;

namespace {

constexpr const char* k_payload =
    R"({"a":{"b":[{"c":1,"x":9},{"c":2},{"d":{"e":3}}],"s":"t"},"f":3.0,"g":["g0","g1","g2"]})";

}  // namespace

TEST_CASE("payload remove: members at paths, absent ones are ignored") {
  CHECK(removed(R"({"a":1,"b":2,"c":3})", {"b"}) == R"({"a":1,"c":3})");
  CHECK(removed(R"({"a":1,"b":2,"c":3})", {"c", "a"}) == R"({"b":2})");
  CHECK(removed(R"({"a":1})", {"a"}) == "{}");
  CHECK(removed(R"({"a":{"b":1,"c":2}})", {"a.b"}) == R"({"a":{"c":2}})");
  CHECK(removed(R"({"a":{"b":1}})", {"a.b"}) == R"({"a":{}})");
  CHECK(removed(R"({"a":{"b":1}})", {"a.b", "a"}) == "{}");
  for (const char* path : {"x", "a.x", "a.b.c", "a[]", "a[].b", "a[0].b", "f.x", "g.x"}) {
    CAPTURE(path);
    CHECK(removed(R"({"a":{"b":1},"f":1,"g":[{"x":1}]})", {path}) ==
          R"({"a":{"b":1},"f":1,"g":[{"x":1}]})");
  }
  CHECK(removed("", {"a"}) == "{}");
  CHECK(removed(R"({"a":1})", {}) == R"({"a":1})");
  CHECK(removed(R"({"a":1,"\u0061":2,"b":3})", {"a"}) == R"({"b":3})");
}

TEST_CASE("payload remove: in every element, in one; an element as such is never removed") {
  CHECK(removed(k_payload, {"a.b[].c"}) ==
        R"({"a":{"b":[{"x":9},{},{"d":{"e":3}}],"s":"t"},"f":3.0,"g":["g0","g1","g2"]})");
  CHECK(removed(k_payload, {"a.b[0].c"}) ==
        R"({"a":{"b":[{"x":9},{"c":2},{"d":{"e":3}}],"s":"t"},"f":3.0,"g":["g0","g1","g2"]})");
  CHECK(removed(k_payload, {"a.b[]", "g"}) == R"({"a":{"b":[],"s":"t"},"f":3.0})");
  CHECK(removed(k_payload, {"g[0]"}) == k_payload);
  CHECK(removed(k_payload, {"g[9]", "a.b[9].c"}) == k_payload);
  CHECK(removed(R"({"a":[[1,2],[3]]})", {"a[][]"}) == R"({"a":[[],[]]})");
}

TEST_CASE("payload include: only what is named, parents are kept") {
  CHECK(included(k_payload, {"f"}) == R"({"f":3.0})");
  CHECK(included(k_payload, {"g", "f"}) == R"({"f":3.0,"g":["g0","g1","g2"]})");
  CHECK(included(k_payload, {"a.s"}) == R"({"a":{"s":"t"}})");
  CHECK(included(k_payload, {"a.b[].c"}) == R"({"a":{"b":[{"c":1},{"c":2},{}]}})");
  CHECK(included(k_payload, {"a.b[].d.e"}) == R"({"a":{"b":[{},{},{"d":{"e":3}}]}})");
  CHECK(included(k_payload, {"a.b[].c", "a.b[].x"}) == R"({"a":{"b":[{"c":1,"x":9},{"c":2},{}]}})");
  CHECK(included(k_payload, {"a.b[].c", "a"}) == included(k_payload, {"a"}));
  CHECK(included(k_payload, {"g[]"}) == R"({"g":["g0","g1","g2"]})");
  CHECK(included(k_payload, {"g[1]"}) == R"({"g":["g1"]})");
  CHECK(included(k_payload, {"a.b[2].d", "a.b[0]"}) ==
        R"({"a":{"b":[{"c":1,"x":9},{"d":{"e":3}}]}})");
  CHECK(included(k_payload, {"x"}) == "{}");
  CHECK(included(k_payload, {}) == "{}");
  CHECK(included("", {"a"}) == "{}");
}

TEST_CASE("payload include: where the path does not fit, the parent is empty and scalars go") {
  CHECK(included(R"({"a":{"b":1}})", {"a.x"}) == R"({"a":{}})");
  CHECK(included(R"({"a":{"b":1}})", {"a[].b"}) == R"({"a":{}})");
  CHECK(included(R"({"a":[{"b":1}]})", {"a.b"}) == R"({"a":[]})");
  CHECK(included(R"({"a":5})", {"a.b"}) == "{}");
  CHECK(included(R"({"a":[{"b":1,"c":2},5,null]})", {"a[].b"}) == R"({"a":[{"b":1}]})");
}

TEST_CASE("payload exclude: everything but what is named") {
  CHECK(excluded(k_payload, {"a"}) == R"({"f":3.0,"g":["g0","g1","g2"]})");
  CHECK(excluded(k_payload, {"a.b", "g"}) == R"({"a":{"s":"t"},"f":3.0})");
  CHECK(excluded(k_payload, {"a.b[].c", "g", "f"}) ==
        R"({"a":{"b":[{"x":9},{},{"d":{"e":3}}],"s":"t"}})");
  CHECK(excluded(k_payload, {"g[0]", "g[2]", "a"}) == R"({"f":3.0,"g":["g1"]})");
  CHECK(excluded(k_payload, {"g[]", "a"}) == R"({"f":3.0,"g":[]})");
  CHECK(excluded(k_payload, {"x", "f.y", "g.z"}) == k_payload);
  CHECK(excluded(k_payload, {}) == k_payload);
  CHECK(excluded("", {"a"}) == "{}");
}

TEST_CASE("payload projection: values stay byte for byte, keys keep their spelling") {
  const char* payload =
      R"({"\u0061":{"x":1.00,"y":98765432109876543210987654321},"b":"\u00e9\/","c":1E5})";
  CHECK(included(payload, {"a.y", "b"}) ==
        R"({"\u0061":{"y":98765432109876543210987654321},"b":"\u00e9\/"})");
  CHECK(excluded(payload, {"a.y", "b"}) == R"({"\u0061":{"x":1.00},"c":1E5})");
  CHECK(removed(payload, {"a.x"}) ==
        R"({"\u0061":{"y":98765432109876543210987654321},"b":"\u00e9\/","c":1E5})");
}

TEST_CASE("payload projection: an invalid payload is an error, too many paths are one") {
  CHECK(included("[", {"a"}).starts_with("error: The payload is not accepted: "));
  CHECK(excluded("[]", {"a"}) == "error: The payload is not a JSON object.");
  CHECK(removed(R"({"a":{"b":tru}})", {"a"}).starts_with("error: "));
  const std::vector<std::string> many(k_payload_paths_max, "a");
  CHECK(removed(R"({"a":1,"b":2})", many) == R"({"b":2})");
  std::vector<std::string> too_many = many;
  too_many.emplace_back("b");
  CHECK(removed(R"({"a":1})", too_many) == "error: 257 paths are given; at most 256 are allowed.");
}
