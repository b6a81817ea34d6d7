#include <doctest/doctest.h>

#include "payload/path.h"
#include "payload_text.h"

using namespace asyncstore::payload;

namespace {

Step key(std::string name) {
  return {.kind = Step::Kind::key, .key = std::move(name)};
}
Step index(uint32_t number) {
  return {.kind = Step::Kind::index, .index = number};
}
Step every() {
  return {.kind = Step::Kind::every};
}

std::string fault_of(std::string_view text) {
  const auto path = Path::parse(text);
  REQUIRE_MESSAGE(!path.ok(), std::string(text));
  CHECK(path.error().code == asyncstore::base::Code::invalid_argument);
  return path.error().message;
}

bool names(const std::string& message, const std::string& part) {
  CAPTURE(message);
  return message.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("payload path: the forms of the REST contract") {
  CHECK(path_of("a").steps() == std::vector{key("a")});
  CHECK(path_of("a.b").steps() == std::vector{key("a"), key("b")});
  CHECK(path_of("a[].b").steps() == std::vector{key("a"), every(), key("b")});
  CHECK(path_of("a[0].b").steps() == std::vector{key("a"), index(0), key("b")});
  CHECK(path_of("a[]").steps() == std::vector{key("a"), every()});
  CHECK(path_of("\"quoted.key\".x").steps() == std::vector{key("quoted.key"), key("x")});
  CHECK(path_of("foo[1][50].bar-baz[].\"qux[.]quux\"").steps() ==
        std::vector{key("foo"), index(1), index(50), key("bar-baz"), every(), key("qux[.]quux")});
  CHECK(path_of("größe.名前").steps() == std::vector{key("größe"), key("名前")});
  CHECK(path_of("\"\"").steps() == std::vector{key("")});
  CHECK(path_of("a[4294967295]").steps() == std::vector{key("a"), index(UINT32_MAX)});
  CHECK(path_of("a[007]").steps() == std::vector{key("a"), index(7)});
}

TEST_CASE("payload path: what is wrong, and where") {
  CHECK(names(fault_of(""), "a key is missing (at character 0)"));
  CHECK(names(fault_of("."), "a key is missing (at character 0)"));
  CHECK(names(fault_of("a."), "a key is missing (at character 2)"));
  CHECK(names(fault_of("a..b"), "a key is missing (at character 2)"));
  CHECK(names(fault_of("a.[0]"), "a key is missing (at character 2)"));
  CHECK(names(fault_of("[0].a"), "a key is missing (at character 0)"));
  CHECK(names(fault_of("\"a.b"), "the quote is not closed (at character 0)"));
  CHECK(names(fault_of("a.\"b\\\"c\""), "backslash (at character 4)"));
  CHECK(names(fault_of("a["), "the bracket is not closed (at character 2)"));
  CHECK(names(fault_of("a[0"), "the bracket is not closed (at character 2)"));
  CHECK(names(fault_of("a[-1]"), "not negative (at character 2)"));
  CHECK(names(fault_of("a[+1]"), "digits only"));
  CHECK(names(fault_of("a[1 ]"), "digits only"));
  CHECK(names(fault_of("a[*]"), "digits only"));
  CHECK(names(fault_of("a[4294967296]"), "larger than 4294967295"));
  CHECK(names(fault_of("a[" + times(1000, "9") + "]"), "larger than 4294967295"));
  CHECK(names(fault_of("a b"), "must be quoted"));
  CHECK(names(fault_of("$.a"), "must be quoted"));
  CHECK(names(fault_of("a]"), "must be quoted"));
  CHECK(names(fault_of("\"a\"b"), "\".\" is missing (at character 3)"));
  CHECK(names(fault_of("a[0]b"), "\".\" is missing (at character 4)"));
  CHECK(names(fault_of("a\xff"), "not UTF-8"));
  CHECK(fault_of(std::string_view("a\0b", 3)).starts_with(R"("a\u0000b" is not a JSON path)"));
}

TEST_CASE("payload path: at most 64 steps") {
  CHECK(path_of("a" + times(63, "[]")).steps().size() == 64);
  CHECK(names(fault_of("a" + times(64, "[]")), "more than 64 steps"));
  CHECK(!Path::parse("a" + times(1'000'000, "[0]")).ok());
  CHECK(!Path::parse(times(1'000'000, ".")).ok());
}
