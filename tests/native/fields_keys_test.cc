#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "fields/keys.h"

using namespace asyncstore;
using fields::integer_keys;
using fields::integer_of;
using fields::key_of;
using fields::KeyRange;
using fields::real_keys;
using fields::real_of;
using filter::Bounds;
using filter::Number;

namespace {

constexpr int64_t k_two_to_53 = int64_t{1} << 53;

// Numbers where something might go wrong, and some others.
std::vector<Number> numbers() {
  std::vector<Number> numbers;
  for (const int64_t base : {INT64_MIN, -k_two_to_53, int64_t{0}, k_two_to_53, INT64_MAX}) {
    for (int64_t step = -3; step <= 3; ++step) {
      const auto value =
          static_cast<int64_t>(static_cast<uint64_t>(base) + static_cast<uint64_t>(step));
      numbers.emplace_back(value);
      const auto real = static_cast<double>(value);
      for (const double near :
           {real, std::nextafter(real, INFINITY), real + 0.5, std::nextafter(real, -INFINITY)}) {
        numbers.emplace_back(near);
      }
    }
  }
  for (const double real : {-0.0, 1e300, -1e300, std::numeric_limits<double>::denorm_min(),
                            -std::numeric_limits<double>::denorm_min()}) {
    numbers.emplace_back(real);
  }
  return numbers;
}

double nearest(const Number& number) {
  return std::visit([](auto value) { return static_cast<double>(value); }, number);
}

}  // namespace

TEST_CASE("keys: their order is that of the values, and they give them back") {
  const auto all = numbers();
  for (const Number& a : all) {
    CHECK(real_of(key_of(nearest(a))) == nearest(a));
    for (const Number& b : all) {
      CHECK((key_of(nearest(a)) <=> key_of(nearest(b))) ==
            std::strong_order(nearest(a) + 0.0, nearest(b) + 0.0));
      const auto* left = std::get_if<int64_t>(&a);
      const auto* right = std::get_if<int64_t>(&b);
      if (left != nullptr && right != nullptr) {
        CHECK(integer_of(key_of(*left)) == *left);
        CHECK((key_of(*left) <=> key_of(*right)) == (*left <=> *right));
      }
    }
  }
}

TEST_CASE("keys: a range holds what lies within the bounds") {
  const auto all = numbers();
  constexpr uint64_t k_seed = 3;
  CAPTURE(k_seed);
  std::mt19937_64 random(k_seed);
  const auto draw = [&]() -> std::optional<Number> {
    return random() % 3 == 0 ? std::nullopt : std::optional(all[random() % all.size()]);
  };
  for (int i = 0; i < 20'000; ++i) {
    Bounds<Number> bounds;
    // Most often one or two of them: four leave nothing.
    (i % 2 == 0 ? bounds.gt : bounds.gte) = draw();
    (i % 3 == 0 ? bounds.lt : bounds.lte) = draw();
    const KeyRange integers = integer_keys(bounds);
    const auto reals = real_keys(bounds);
    for (const Number& value : all) {
      const bool truth = within(bounds, value);
      if (const auto* integer = std::get_if<int64_t>(&value)) {
        REQUIRE(integers.contains(key_of(*integer)) == truth);
      }
      const uint64_t key = key_of(nearest(value));
      REQUIRE((!reals.sure.contains(key) || truth));
      REQUIRE((reals.possible.contains(key) || !truth));
      if (std::abs(nearest(value)) < static_cast<double>(k_two_to_53)) {
        REQUIRE(reals.sure.contains(key) == truth);
        REQUIRE(reals.possible.contains(key) == truth);
      }
    }
  }
}

TEST_CASE("keys: nothing lies beside NaN or beyond the ends") {
  const Number nan = std::numeric_limits<double>::quiet_NaN();
  const Number infinite = std::numeric_limits<double>::infinity();
  for (auto bound :
       {&Bounds<Number>::gt, &Bounds<Number>::gte, &Bounds<Number>::lt, &Bounds<Number>::lte}) {
    Bounds<Number> bounds;
    bounds.*bound = nan;
    CHECK(integer_keys(bounds).empty());
    CHECK(real_keys(bounds).possible.empty());
  }
  CHECK(integer_keys(Bounds<Number>{infinite, {}, {}, {}}).empty());
  CHECK(!integer_keys(Bounds<Number>{{}, {}, infinite, {}}).empty());
  CHECK(integer_keys(Bounds<int64_t>{INT64_MAX, {}, {}, {}}).empty());
  CHECK(integer_keys(Bounds<int64_t>{{}, {}, INT64_MIN, {}}).empty());
  CHECK(integer_keys(Bounds<int64_t>{}) == KeyRange{});
}
