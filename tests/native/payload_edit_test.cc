#include <doctest/doctest.h>

#include "payload/limits.h"
#include "payload_text.h"

using namespace asyncstore::payload;

TEST_CASE("payload merge: top-level keys are set in their places, new ones appended") {
  CHECK(merged(R"({"a":1,"b":2})", R"({"a":3})") == R"({"a":3,"b":2})");
  CHECK(merged(R"({"a":1,"b":2})", R"({"d":4,"b":3,"c":5})") == R"({"a":1,"b":3,"d":4,"c":5})");
  CHECK(merged(R"({"a":{"x":1,"y":2}})", R"({"a":{"z":3}})") == R"({"a":{"z":3}})");
  CHECK(merged(R"({"a":1})", "{}") == R"({"a":1})");
  CHECK(merged("{}", R"({"a":1})") == R"({"a":1})");
  CHECK(merged("", R"({"a":1})") == R"({"a":1})");
  CHECK(merged("", "{}") == "{}");
  CHECK(merged(R"({"a":1})", R"({"a":null})") == R"({"a":null})");
}

TEST_CASE("payload merge: values stay byte for byte") {
  const std::string values =
      R"("big":123456789012345678901234567890,"one":1.0,"int":1,"exp":1E+05,"neg":-0,)"
      R"("esc":"\u00e9\/\n\ud83d\ude00é","deep":{"z":[1.50,{"y":-0.0}],"a":""})";
  CHECK(merged("{" + values + "}", R"({"new":1.00})") == "{" + values + R"(,"new":1.00})");
  CHECK(merged(R"({"old":1.00})", "{" + values + "}") == R"({"old":1.00,)" + values + "}");
  CHECK(merged_at(R"({"k":{"old":1.00}})", "k", "{" + values + "}") ==
        R"({"k":{"old":1.00,)" + values + "}}");
}

TEST_CASE("payload merge: whitespace between tokens goes, inside strings it stays") {
  CHECK(merged(" { \"a b\" :\t[ 1 , \" x \" ] } ", "\n{ \"c\" : { } }\r") ==
        R"({"a b":[1," x "],"c":{}})");
}

TEST_CASE("payload merge: keys are compared by what they mean, and keep their spelling") {
  CHECK(merged(R"({"\u0061":1})", R"({"a":2})") == R"({"\u0061":2})");
  CHECK(merged(R"({"a\/b":1})", R"({"a/b":2})") == R"({"a\/b":2})");
  CHECK(merged(R"({"\ud83d\ude00":1})", R"({"😀":2})") == R"({"\ud83d\ude00":2})");
  CHECK(merged(R"({"é":1})", R"({"\u00E9":2})") == R"({"é":2})");
  CHECK(merged(R"({"A":1})", R"({"a":2})") == R"({"A":1,"a":2})");
  CHECK(merged(R"({"":1})", R"({"":2})") == R"({"":2})");
}

TEST_CASE("payload merge: of a key that stands twice the last value counts, at the first place") {
  CHECK(merged(R"({"a":1,"b":2,"a":3})", "{}") == R"({"a":3,"b":2})");
  CHECK(merged(R"({"a":1,"b":2,"a":3})", R"({"a":4})") == R"({"a":4,"b":2})");
  CHECK(merged(R"({"b":0})", R"({"a":1,"b":2,"a":3})") == R"({"b":2,"a":3})");
  CHECK(merged(R"({"b":{"a":1,"a":2}})", "{}") == R"({"b":{"a":1,"a":2}})");
}

TEST_CASE("payload merge at a path: inside objects, which are created if missing") {
  CHECK(merged_at(R"({"a":{"x":1}})", "a", R"({"y":2})") == R"({"a":{"x":1,"y":2}})");
  CHECK(merged_at(R"({"a":{"b":{"x":1}}})", "a.b", R"({"x":2})") == R"({"a":{"b":{"x":2}}})");
  CHECK(merged_at("{}", "a.b.c", R"({"x":1})") == R"({"a":{"b":{"c":{"x":1}}}})");
  CHECK(merged_at("", "a", R"({"x":1})") == R"({"a":{"x":1}})");
  CHECK(merged_at(R"({"a":{}})", "a.b", "{}") == R"({"a":{"b":{}}})");
  CHECK(merged_at(R"({"a.b":{}})", "\"a.b\"", R"({"x":1})") == R"({"a.b":{"x":1}})");
  CHECK(merged_at("{}", "\"a\tb\"", R"({"x":1})") == R"({"a\u0009b":{"x":1}})");
  CHECK(merged_at("{}", "größe", R"({"x":1})") == R"({"größe":{"x":1}})");
}

TEST_CASE("payload merge at a path: one element, every element") {
  const char* payload = R"({"arr":[{"x":{"n":1}},{"y":2},5]})";
  CHECK(merged_at(payload, "arr[0].x", R"({"n":7})") == R"({"arr":[{"x":{"n":7}},{"y":2},5]})");
  CHECK(merged_at(payload, "arr[1]", R"({"n":7})") == R"({"arr":[{"x":{"n":1}},{"y":2,"n":7},5]})");
  CHECK(merged_at(payload, "arr[2]", R"({"n":7})") == R"({"arr":[{"x":{"n":1}},{"y":2},{"n":7}]})");
  CHECK(merged_at(payload, "arr[3]", R"({"n":7})") == payload);
  CHECK(merged_at(payload, "arr[4294967295].x", R"({"n":7})") == payload);
  CHECK(merged_at(payload, "arr[].x", R"({"m":3})") ==
        R"({"arr":[{"x":{"n":1,"m":3}},{"y":2,"x":{"m":3}},{"x":{"m":3}}]})");
  CHECK(merged_at(R"({"a":[[{}],[{},{}]]})", "a[][]", R"({"b":1})") ==
        R"({"a":[[{"b":1}],[{"b":1},{"b":1}]]})");
  CHECK(merged_at(R"({"a":[]})", "a[].b", R"({"c":1})") == R"({"a":[]})");
}

TEST_CASE("payload merge at a path: what is of another kind than the path says is replaced") {
  CHECK(merged_at(R"({"a":10})", "a.b.c", R"({"x":1})") == R"({"a":{"b":{"c":{"x":1}}}})");
  CHECK(merged_at(R"({"a":[1]})", "a", R"({"x":1})") == R"({"a":{"x":1}})");
  CHECK(merged_at(R"({"a":null})", "a", R"({"x":1})") == R"({"a":{"x":1}})");
  CHECK(merged_at(R"({"a":{"b":1}})", "a[].c", R"({"x":1})") == R"({"a":[]})");
  CHECK(merged_at(R"({"a":"s"})", "a[0]", R"({"x":1})") == R"({"a":[]})");
  CHECK(merged_at("{}", "key1.key2[].key3", R"({"c":1})") == R"({"key1":{"key2":[]}})");
  CHECK(merged_at("{}", "key1.key2[3]", R"({"c":1})") == R"({"key1":{"key2":[]}})");
}

TEST_CASE("payload replace at a path: any value takes the place") {
  CHECK(replaced_at(R"({"a":{"b":1,"c":2}})", "a.b", "[1.0, 2]") == R"({"a":{"b":[1.0,2],"c":2}})");
  CHECK(replaced_at(R"({"a":{"b":1}})", "a", R"({"c":3})") == R"({"a":{"c":3}})");
  CHECK(replaced_at("", "a.b", " null ") == R"({"a":{"b":null}})");
  CHECK(replaced_at(R"({"a":[1,2,3]})", "a[1]", "\"x\"") == R"({"a":[1,"x",3]})");
  CHECK(replaced_at(R"({"a":[1,2,3]})", "a[]", "-1e400") == R"({"a":[-1e400,-1e400,-1e400]})");
  CHECK(replaced_at(R"({"a":[1]})", "a[1]", "2") == R"({"a":[1]})");
  CHECK(replaced_at(R"({"a":[{"b":1},{}]})", "a[].b", "2") == R"({"a":[{"b":2},{"b":2}]})");
  for (const char* value : {"", " ", "1 2", "1,2", "1],[2", "tru", "\"a", "\"a\" \"b\"", "{}[]"}) {
    CAPTURE(value);
    CHECK(replaced_at("{}", "a", value).starts_with("error: The value for the payload"));
  }
}

TEST_CASE("payload edit: an invalid payload or change is an error that says which") {
  CHECK(merged("[1]", "{}") == "error: The payload is not a JSON object.");
  CHECK(merged("{", "{}").starts_with("error: The payload is not accepted: "));
  CHECK(merged("{}", "[]") == "error: The change of the payload is not a JSON object.");
  CHECK(merged("{}", "").starts_with("error: The change of the payload is not accepted: "));
  CHECK(merged_at("{}", "a", "1") == "error: The change of the payload is not a JSON object.");
}

TEST_CASE("payload edit: depth is that of the path and the change together") {
  const std::string path = "a" + times(62, ".a");
  CHECK(is_payload(merged_at("{}", path, "{}")));
  CHECK(merged_at("{}", path, R"({"b":{}})") ==
        "error: The payload would be 65 levels deep; at most 64 are allowed.");
  CHECK(is_payload(replaced_at("{}", path + ".a", "1")));
  CHECK(replaced_at("{}", path + ".a", "[]").starts_with("error: The payload would be 65 levels"));
  // The payload does not matter.
  CHECK(merged_at(R"({"a":1})", "a" + times(63, "[]"), "{}").starts_with("error: "));
}

TEST_CASE("payload edit: a result beyond the size is an error, however small the change") {
  const std::string half = "\"" + std::string(k_payload_bytes_max / 2, 'x') + "\"";
  const std::string too_large = "error: The payload would become larger than 16777216 bytes.";
  CHECK(merged("{\"a\":" + half + "}", "{\"b\":" + half + "}") == too_large);
  CHECK(merged("{\"a\":" + half + "}", "{\"a\":" + half + "}") == "{\"a\":" + half + "}");
  const std::string elements = "{\"a\":[1" + times(1'000'000, ",1") + "]}";
  CHECK(merged_at(elements, "a[]", "{\"b\":\"" + std::string(100'000, 'x') + "\"}") == too_large);
  CHECK(replaced_at(elements, "a[]", half) == too_large);
}
