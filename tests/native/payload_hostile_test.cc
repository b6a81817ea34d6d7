// Hostile texts: whatever comes in, what comes out is a valid payload or invalid_argument.
#include <doctest/doctest.h>

#include <random>

#include "payload/limits.h"
#include "payload_text.h"

using namespace asyncstore::payload;
using namespace std::string_view_literals;

namespace {

using Random = std::mt19937_64;

// Every operation on `payload`, with `other` as what is merged into it.
void attack(std::string_view payload, std::string_view other) {
  const bool valid = payload.empty() || is_payload(payload);
  CHECK(!merged(payload, other).starts_with("error: ") == (valid && is_payload(other)));
  for (const char* path : {"a", "a.b", "b[].c", "b[1].c"}) {
    for (const std::string& result : {merged(payload, other), merged_at(payload, path, other),
                                      replaced_at(payload, path, other), removed(payload, {path}),
                                      included(payload, {path, "n"}), excluded(payload, {path})}) {
      CAPTURE(result);
      const bool error = result.starts_with("error: ");
      CHECK((error || (valid && is_payload(result))));
    }
  }
}

std::string mutated(std::string text, Random& random) {
  constexpr std::string_view k_tokens = "{}[]:,\"\\/ue0-+.1tfn\n\0\x80\xc3\xff\xed "sv;
  for (uint64_t changes = 1 + random() % 4; changes > 0 && !text.empty(); --changes) {
    const size_t at = random() % text.size();
    switch (random() % 6) {
      case 0:
        text[at] = k_tokens[random() % k_tokens.size()];
        break;
      case 1:
        text.insert(at, 1, k_tokens[random() % k_tokens.size()]);
        break;
      case 2:
        text.erase(at, 1 + random() % 3);
        break;
      case 3:
        text.resize(at);
        break;
      case 4:
        text.insert(at, text.substr(random() % text.size(), random() % 20));
        break;
      default:
        text[at] = static_cast<char>(random());
    }
  }
  return text;
}

}  // namespace

TEST_CASE("payload hostile: mutations of valid payloads") {
  constexpr uint64_t k_seed = 11;
  CAPTURE(k_seed);
  Random random(k_seed);
  const std::string seeds[] = {
      R"({"a":{"b":1,"\u0062":[true,false,null]},"b":[{"c":"\ud83d\ude00"},{"c":-1.5e+10}],"n":""})",
      R"({"a":[[],{},[{}],"\\\"x"],"b":[1,{"c":{"a":{"b":0}}}],"é":"名前","a":"again"})",
      "{ \"a\" : { \"b\" : { } } ,\n\t\"b\" : [ { \"c\" : 1 } , [ 2 , 3 ] ] , \"n\" : 0.0 }"};
  size_t accepted = 0;
  for (int i = 0; i < 3000; ++i) {
    CAPTURE(i);
    const std::string payload = mutated(seeds[random() % 3], random);
    const std::string other = mutated(seeds[random() % 3], random);
    CAPTURE(payload);
    CAPTURE(other);
    accepted += is_payload(payload) ? 1 : 0;
    attack(payload, other);
    attack(seeds[0], other);
  }
  // Both kinds were met.
  CHECK(accepted > 0);
  CHECK(accepted < 3000);
}

TEST_CASE("payload hostile: random bytes, of every length around the size of a block") {
  constexpr uint64_t k_seed = 12;
  CAPTURE(k_seed);
  Random random(k_seed);
  for (size_t size = 0; size < 300; ++size) {
    std::string noise(size, '\0');
    for (char& c : noise) {
      c = static_cast<char>(random());
    }
    attack(noise, noise);
    attack("{\"a\":\"" + noise + "\"}", "{\"" + noise + "\":1}");
    CHECK(is_payload("{\"a\":\"" + std::string(size, 'x') + "\"}"));
    CHECK(!is_payload("{\"a\":\"" + std::string(size, 'x')));
    CHECK(!is_payload("{\"a\":1" + std::string(size, ' ')));
  }
}

TEST_CASE("payload hostile: every prefix of a payload is refused") {
  const std::string text =
      R"({"a":{"b":[1,-2.5e3,"x\ud83d\ude00é",true,null,[[],{}]]},"c":{"d":{"e":"f"}}})";
  REQUIRE(is_payload(text));
  for (size_t size = 0; size < text.size(); ++size) {
    CAPTURE(size);
    CHECK(!is_payload(std::string_view(text).substr(0, size)));
  }
}

TEST_CASE("payload hostile: deep nesting, huge numbers, long keys") {
  constexpr size_t k_many = 1'000'000;
  for (const char* open : {"[", "{\"a\":", "{", "[{\"a\":", "\"", "\\", ",", ":", "]", "}"}) {
    CAPTURE(open);
    CHECK(!is_payload(times(k_many, open)));
    CHECK(!is_payload("{\"a\":" + times(k_many, open) + "}"));
    CHECK(replaced_at("{}", "a", times(k_many, open)).starts_with("error: "));
  }
  CHECK(!is_payload("{\"a\":" + times(k_many, "[") + times(k_many, "]") + "}"));
  const std::string number = times(k_many, "9");
  for (const std::string& huge : {number, "-" + number, "0." + number, "1e" + number}) {
    const std::string text = "{\"a\":" + huge + "}";
    CHECK(merged("", text) == text);
    CHECK(removed(text, {"b"}) == text);
    CHECK(!is_payload("{\"a\":" + huge + "x}"));
  }
  const std::string key = times(k_many, "\\u0061");
  CHECK(merged("{\"" + key + "\":1}", "{\"" + times(k_many, "a") + "\":2}") ==
        "{\"" + key + "\":2}");
}

TEST_CASE("payload hostile: many members and elements take no more than their share of time") {
  std::string members = "{\"k\":0";
  for (int i = 0; i < 100'000; ++i) {
    members += ",\"k" + std::to_string(i) + "\":" + std::to_string(i);
  }
  members += "}";
  CHECK(merged(members, members) == members);
  CHECK(included(members, {"k99999"}) == R"({"k99999":99999})");
  const std::string elements = "{\"a\":[{}" + times(500'000, ",{}") + "]}";
  CHECK(merged_at(elements, "a[]", "{}") == elements);
  CHECK(removed(elements, {"a[].b", "a[0].b", "a[499999].c"}) == elements);
}

TEST_CASE("payload hostile: paths of random characters") {
  constexpr uint64_t k_seed = 13;
  CAPTURE(k_seed);
  Random random(k_seed);
  constexpr std::string_view k_characters = "ab.[]\"\\0129-_ \0\xc3\xa9\xff"sv;
  for (int i = 0; i < 20'000; ++i) {
    std::string text(random() % 12, '\0');
    for (char& c : text) {
      c = k_characters[random() % k_characters.size()];
    }
    CAPTURE(text);
    const auto path = Path::parse(text);
    if (path.ok()) {
      const auto result = merge_at({}, path.value(), asyncstore::base::bytes_of("{}"));
      CHECK(is_payload(text_of(result)));
    } else {
      CHECK(path.error().message.find("is not a JSON path") != std::string::npos);
    }
  }
}
