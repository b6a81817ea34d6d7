#include <doctest/doctest.h>

#include "payload/limits.h"
#include "payload_text.h"

using namespace asyncstore::payload;

namespace {

std::string fault_of(std::string_view text) {
  const auto status = check(asyncstore::base::bytes_of(text));
  REQUIRE_MESSAGE(!status.ok(), std::string(text.substr(0, 100)));
  CHECK(status.error().code == asyncstore::base::Code::invalid_argument);
  return status.error().message;
}

bool names(const std::string& message, const std::string& part) {
  CAPTURE(message);
  return message.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("payload check: JSON objects of all sorts are payloads") {
  for (const char* text :
       {"{}", " { } ", R"({"a":1})", "\t{\r\n\"a\" : [ 1 , 2 ] }\n", R"({"a":{"b":[{},[],null]}})",
        R"({"a":1,"a":2})", R"({"":""})", R"({"a":"\u00e9\ud83d\ude00\n\"\\\/\b\f\r\t"})",
        R"({"é":"名前😀"})", R"({"a":-0,"b":-0.0e-10,"c":1E+5,"d":0.1})", R"({"a":true,"b":false})",
        R"({"a":123456789012345678901234567890123456789012345678901234567890})",
        R"({"a":1e999999,"b":-1e-999999})", "{\"a\":\"\x7f\"}"}) {
    CAPTURE(text);
    CHECK(is_payload(text));
  }
}

TEST_CASE("payload check: what is no JSON object is refused") {
  for (const char* text : {"[]", "[{}]", "1", "\"a\"", "null", "true"}) {
    CHECK(names(fault_of(text), "is not a JSON object"));
  }
  for (const char* text : {"",
                           " ",
                           "{",
                           "}",
                           "{}{}",
                           "{} {}",
                           "{}}",
                           "{}]",
                           "{},",
                           "{}1",
                           "{a:1}",
                           "{'a':1}",
                           "{1:2}",
                           R"({"a")",
                           R"({"a"})",
                           R"({"a":})",
                           R"({"a":1,})",
                           R"({,"a":1})",
                           R"({"a" 1})",
                           R"({"a":1 "b":2})",
                           R"({"a":1;"b":2})",
                           R"({"a"::1})",
                           R"({"a":1:2})",
                           R"({"a":[1,]})",
                           R"({"a":[,1]})",
                           R"({"a":[1 2]})",
                           R"({"a":["b":1]})",
                           R"({"a":[1:2]})",
                           R"({"a":[})",
                           R"({"a":[1})",
                           R"({"a":{"b":1})",
                           R"({"a":{"b":1]})",
                           R"({"a":1]})",
                           R"({"a":[1}})",
                           R"({"a":tru})",
                           R"({"a":truee})",
                           R"({"a":True})",
                           R"({"a":nul})",
                           R"({"a":NaN})",
                           R"({"a":Infinity})",
                           R"({"a":01})",
                           R"({"a":-})",
                           R"({"a":+1})",
                           R"({"a":1.})",
                           R"({"a":.5})",
                           R"({"a":1e})",
                           R"({"a":1e+})",
                           R"({"a":0x10})",
                           R"({"a":1_000})",
                           R"({"a":--1})",
                           R"({"a":1"b":2})",
                           R"({"a":"b"c})",
                           R"({"a":"b""c"})",
                           R"({"a"b:1})",
                           R"({"a":1/**/})",
                           "{\"a\":1}//",
                           "\xef\xbb\xbf{}",
                           "{\"a\":\v1}",
                           "{\xc2\xa0}"}) {
    CAPTURE(text);
    CHECK(!is_payload(text));
  }
}

TEST_CASE("payload check: strings that are not valid are refused") {
  for (const char* text :
       {R"({"a":"\x"})", R"({"a":"\u12"})", R"({"a":"\u12g4"})", R"({"a":"\ud800"})",
        R"({"a":"\udc00"})", R"({"a":"\ud800\ud800"})", R"({"a":"\ud800x"})", R"({"\ud800":1})",
        R"({"\q":1})", "{\"a\":\"\n\"}", "{\"a\":\"\x01\"}", "{\"\t\":1}"}) {
    CAPTURE(text);
    CHECK(!is_payload(text));
  }
  CHECK(!is_payload(std::string_view("{\"a\":\"\0\"}", 9)));
  CHECK(!is_payload(std::string_view("{}\0", 3)));
  CHECK(!is_payload(std::string_view("{\0}", 3)));
  CHECK(!is_payload(std::string_view("\0{}", 3)));
}

TEST_CASE("payload check: the message says what and where") {
  CHECK(names(fault_of(""), "The payload is not accepted: it is empty"));
  CHECK(names(fault_of(R"({"a":tru})"), "not a JSON value (at byte 5)"));
  CHECK(names(fault_of(R"({"a":1,"b":"\x"})"), "invalid escape (at byte 11)"));
  CHECK(names(fault_of(R"({"\x":1})"), "a key with an invalid escape (at byte 1)"));
  CHECK(names(fault_of("{\"a\":\"é\xff\"}"), "not UTF-8 (at byte 8)"));
  CHECK(names(fault_of("{\"a\":\"b"), "a string that is not closed"));
  CHECK(names(fault_of("{\"a\":\"b"), "(at byte 5)"));
  CHECK(names(fault_of("{\"a\":\"b\nc\"}"), "control character (at byte 5)"));
  CHECK(names(fault_of(R"({"a":1} {})"), "more follows after its end (at byte 8)"));
  CHECK(names(fault_of(R"({"a":[1 2]})"), "wrong or missing after this token (at byte 6)"));
}

TEST_CASE("payload check: bytes that are not UTF-8 are refused, wherever they are") {
  for (const char* bytes : {"\x80", "\xc0\x80", "\xc3", "\xe2\x82", "\xed\xa0\x80",
                            "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80", "\xff\xfe"}) {
    CAPTURE(bytes);
    CHECK(names(fault_of(std::string("{\"a\":\"") + bytes + "\"}"), "not UTF-8 (at byte 6)"));
    CHECK(names(fault_of(std::string("{\"") + bytes + "\":1}"), "not UTF-8 (at byte 2)"));
    CHECK(!is_payload(std::string("{}") + bytes));
    CHECK(!is_payload(bytes));
  }
}

TEST_CASE("payload check: 64 levels, not one more") {
  const auto nested = [](size_t levels) {
    return times(levels - 1, "{\"a\":") + "{}" + times(levels - 1, "}");
  };
  CHECK(is_payload(nested(k_payload_depth_max)));
  CHECK(names(fault_of(nested(k_payload_depth_max + 1)), "more than 64 levels deep (at byte 320)"));
  const auto in_arrays = [](size_t levels) {
    return "{\"a\":" + times(levels - 1, "[") + times(levels - 1, "]") + "}";
  };
  CHECK(is_payload(in_arrays(k_payload_depth_max)));
  CHECK(!is_payload(in_arrays(k_payload_depth_max + 1)));
}

TEST_CASE("payload check: the size is limited, also where it is whitespace") {
  const size_t frame = std::string_view(R"({"a":""})").size();
  std::string text = R"({"a":")" + std::string(k_payload_bytes_max - frame, 'x') + R"("})";
  REQUIRE(text.size() == k_payload_bytes_max);
  CHECK(is_payload(text));
  text += ' ';
  CHECK(names(fault_of(text), "has 16777217 bytes; at most 16777216 are allowed"));
}
