#include <doctest/doctest.h>

#include <numeric>

#include "index/row_order.h"
#include "index_rows.h"

using namespace asyncstore;
using namespace asyncstore::index;

namespace {

constexpr uint32_t k_dim = 24;

constexpr uint32_t k_apart_max = 60;

// The share of the 10 nearest rows of a row that are at most k_apart_max places from it.
double near_share(const TestRows& rows, const std::vector<uint32_t>& order) {
  std::vector<int64_t> place(order.size());
  for (uint32_t i = 0; i < order.size(); ++i) {
    place[order[i]] = i;
  }
  size_t near = 0;
  size_t all = 0;
  for (uint32_t row = 0; row < rows.count(); row += 20) {
    for (const uint32_t other : exact_rows(rows, rows.row(row), nullptr, 10)) {
      near += std::abs(place[row] - place[other]) <= k_apart_max ? 1 : 0;
      ++all;
    }
  }
  return static_cast<double>(near) / static_cast<double>(all);
}

}  // namespace

TEST_CASE("row order: every row once, near ones near") {
  const TestRows rows = TestRows::random(3000, k_dim, TestMetric::euclid, 61);
  const auto graph = build_graph(rows);
  std::vector<uint32_t> order(rows.count());
  REQUIRE(order_by_nearness(*graph, rows, {}, order).ok());
  std::vector<uint32_t> by_number(rows.count());
  std::iota(by_number.begin(), by_number.end(), 0U);
  // By number it is the row itself and 4 % of the others, wherever the rows are.
  CHECK(near_share(rows, order) > 2 * near_share(rows, by_number));
  std::sort(order.begin(), order.end());
  CHECK(order == by_number);
}

TEST_CASE("row order: few rows, and its end") {
  for (const uint32_t count : {0, 1, 2, 100}) {
    const TestRows rows = TestRows::random(count, k_dim, TestMetric::euclid, 62);
    const auto graph = build_graph(rows);
    std::vector<uint32_t> order(count);
    REQUIRE(order_by_nearness(*graph, rows, {}, order).ok());
    CHECK(std::set<uint32_t>(order.begin(), order.end()).size() == count);
  }
  const TestRows rows = TestRows::random(100, k_dim, TestMetric::euclid, 62);
  std::vector<uint32_t> order(100);
  const auto ended =
      order_by_nearness(*build_graph(rows), rows, [](uint64_t, uint64_t) { return false; }, order);
  REQUIRE(!ended.ok());
  CHECK(ended.error().code == base::Code::closed);
}

TEST_CASE("row order: a renumbered graph is the same graph") {
  const TestRows rows = TestRows::random(3000, k_dim, TestMetric::euclid, 63);
  for (const uint32_t m : {4U, 16U, k_m_max}) {
    CAPTURE(m);
    const auto graph = build_graph(rows, {.m = m});
    std::vector<uint32_t> order(rows.count());
    REQUIRE(order_by_nearness(*graph, rows, {}, order).ok());
    const auto made = graph->renumbered(order);
    REQUIRE(made.ok());
    const Graph& other = *made.value();
    REQUIRE(other.level_count() == graph->level_count());
    CHECK(other.level_count() > 1);
    std::vector<uint32_t> row_of(order.size());
    for (uint32_t row = 0; row < order.size(); ++row) {
      row_of[order[row]] = row;
    }
    LinkBuffer buffer;
    for (uint32_t number = 0; number < graph->level_count(); ++number) {
      const Level before = graph->level(number);
      const Level after = other.level(number);
      for (uint32_t place = 0; place < before.row_count(); ++place) {
        std::vector<uint32_t> expected;
        for (const uint32_t link : before.linked(place, buffer)) {
          expected.push_back(row_of[before.row(link)]);
        }
        const uint32_t row = row_of[before.row(place)];
        const uint32_t new_place = after.place(row);
        REQUIRE(after.row(new_place) == row);
        std::vector<uint32_t> found;
        for (const uint32_t link : after.linked(new_place, buffer)) {
          found.push_back(after.row(link));
        }
        REQUIRE(found == expected);
      }
    }
    // What is written can be loaded: the links are checked then.
    base::Region region(other.bytes().size(), false);
    REQUIRE(region.grow(other.bytes().size()));
    std::copy(other.bytes().begin(), other.bytes().end(), region.as<std::byte>());
    CHECK(Graph::load(std::move(region), other.bytes().size(), "graph").ok());
  }
}
