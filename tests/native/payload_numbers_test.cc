// Lists of numbers in JSON, as float32.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "payload/numbers.h"

namespace asyncstore::payload {
namespace {

using Numbers = std::vector<float>;

TEST_CASE("Numbers in JSON: lists of them") {
  CHECK(*parse_numbers("[1]") == Numbers{1});
  CHECK(*parse_numbers("[-0.5,2e3,1E-2]") == Numbers{-0.5F, 2000, 0.01F});
  CHECK(*parse_numbers(" [\t1 ,\r\n 2.25 ] ") == Numbers{1, 2.25F});
  CHECK(*parse_numbers("[0,0.0,123456789012345678901234567890]") == Numbers{0, 0, 1.2345679e29F});
  CHECK(std::signbit(parse_numbers("[-0]")->front()));
  // Nearer to nothing than to any float32.
  CHECK(*parse_numbers("[1e-300]") == Numbers{0});
}

TEST_CASE("Numbers in JSON: rounded to a double first, as elsewhere") {
  // Halfway between two floats once it is a double; beyond the half before.
  const std::string_view text = "[1.00000005960464477541]";
  CHECK(parse_numbers(text)->front() == static_cast<float>(1.00000005960464477541));
}

TEST_CASE("Numbers in JSON: what is none") {
  for (const std::string_view text :
       {"",         "[",       "[]",         "]",       "1",      "[1",       "[1,]",
        "[,1]",     "[1 2]",   "[1]]",       "[1],",    "[[1]]",  "[1,[2]]",  "[true]",
        "[null]",   "[\"1\"]", "{\"a\":1}",  "[01]",    "[-01]",  "[1.]",     "[.5]",
        "[-.5]",    "[+1]",    "[-]",        "[1e]",    "[1e+]",  "[inf]",    "[-inf]",
        "[nan]",    "[NaN]",   "[Infinity]", "[0x1p3]", "[1.e3]", "[3.5e38]", "[1e999]",
        "[-1e999]", "[1_0]",   "[1\v]"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_numbers(text).has_value());
  }
}

TEST_CASE("Numbers in JSON: the outermost of float32") {
  const float most = std::numeric_limits<float>::max();
  CHECK(*parse_numbers("[3.4028234663852886e38,-3.4028234663852886e38]") == Numbers{most, -most});
}

}  // namespace
}  // namespace asyncstore::payload
