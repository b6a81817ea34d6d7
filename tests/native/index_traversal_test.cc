#include <doctest/doctest.h>

#include "index/scan_cost.h"
#include "index/traversal.h"
#include "index_rows.h"

using namespace asyncstore;
using namespace asyncstore::index;

namespace {
constexpr uint32_t k_dim = 24;
}

TEST_CASE("nearest rows: kept in order") {
  NearestRows nearest;
  nearest.reset(4);
  bool next = false;
  uint32_t row = 0;
  CHECK(!nearest.take(&row));
  CHECK(nearest.push(-1.0F, 7, &next));
  CHECK(next);
  CHECK(nearest.push(0.5F, 9, &next));
  CHECK(nearest.push(0.5F, 3, &next));
  CHECK(nearest.take(&row));
  CHECK(row == 3);  // of equals the smaller number
  CHECK(nearest.push(-std::numeric_limits<float>::infinity(), 1, &next));
  CHECK(!next);
  CHECK(
      !nearest.push(-std::numeric_limits<float>::infinity(), 0, &next));  // no nearer than the last
  CHECK(nearest.push(2.0F, k_rows_max - 1, &next));
  CHECK(next);
  CHECK(nearest.size() == 4);
  std::vector<uint32_t> rows;
  while (nearest.take(&row)) {
    rows.push_back(row);
  }
  CHECK(rows == std::vector<uint32_t>{k_rows_max - 1, 9, 7});
  CHECK(nearest.similarity(0) == 2.0F);
  CHECK(nearest.similarity(1) == 0.5F);
  CHECK(nearest.row(1) == 3);
  CHECK(nearest.similarity(3) == -1.0F);
}

TEST_CASE("traversal: any slices give the same") {
  const TestRows rows = TestRows::random(3000, k_dim, TestMetric::euclid, 41);
  const TestRows queries = TestRows::random(5, k_dim, TestMetric::euclid, 42);
  std::vector<bool> admits(rows.count());
  for (uint32_t row = 0; row < rows.count(); ++row) {
    admits[row] = row % 7 == 0;
  }
  const TestFilter filter(admits);
  const auto graph = build_graph(rows, {.m = 8, .ef_construct = 40});
  for (uint32_t q = 0; q < queries.count(); ++q) {
    const TestQuery query(rows, queries.row(q));
    for (const RowFilter* given :
         {static_cast<const RowFilter*>(nullptr), static_cast<const RowFilter*>(&filter)}) {
      const auto whole = found_rows(*graph, query, given, 50);
      CHECK(whole.size() == 50);
      for (const uint32_t slice : {1U, 7U, 64U, 1000U}) {
        CHECK(found_rows(*graph, query, given, 50, slice) == whole);
      }
    }
  }
}

TEST_CASE("traversal: a step is bounded") {
  const TestRows rows = TestRows::random(3000, k_dim, TestMetric::euclid, 43);
  const auto graph = build_graph(rows);
  LevelWalk walk;
  const TestQuery query(rows, rows.row(5));
  Traversal traversal(*graph, query, nullptr, 100, walk);
  bool done = false;
  while (!done) {
    const uint64_t before = walk.evaluations();
    done = traversal.step(50);
    CHECK(walk.evaluations() - before < 50 + k_list_rows_max);
  }
}

TEST_CASE("traversal: only admitted rows, and the nearest of them") {
  constexpr uint32_t k_rows = 6000;
  const TestRows rows = TestRows::random(k_rows, k_dim, TestMetric::euclid, 51);
  const TestRows queries = TestRows::random(30, k_dim, TestMetric::euclid, 51);
  const auto graph = build_graph(rows);
  std::mt19937_64 random(52);
  for (const uint32_t percent : {50, 10, 3}) {
    // Scattered rows, and those around one row.
    std::vector<bool> scattered(k_rows);
    for (uint32_t row = 0; row < k_rows; ++row) {
      scattered[row] = random() % 100 < percent;
    }
    std::vector<bool> gathered(k_rows);
    for (const uint32_t row : exact_rows(rows, rows.row(17), nullptr, k_rows * percent / 100)) {
      gathered[row] = true;
    }
    for (const std::vector<bool>& admits : {scattered, gathered}) {
      CAPTURE(percent);
      const TestFilter filter(admits);
      for (const uint32_t row : found_rows(*graph, TestQuery(rows, queries.row(0)), &filter, 100)) {
        CHECK(filter.admits(row));
      }
      CHECK(recall(*graph, rows, queries, &filter, 100) > 0.9);
    }
  }
}

// A list of links is longer than what is compared, or asked of a filter, at once.
TEST_CASE("traversal: as many links as a row may have") {
  const TestRows rows = TestRows::random(5000, k_dim, TestMetric::euclid, 53);
  const TestRows queries = TestRows::random(30, k_dim, TestMetric::euclid, 54);
  const auto graph = build_graph(rows, {.m = k_m_max, .ef_construct = 200});
  LinkBuffer buffer;
  size_t most = 0;
  for (uint32_t row = 0; row < rows.count(); ++row) {
    most = std::max(most, graph->level(0).linked(row, buffer).size());
  }
  CHECK(most > k_list_rows_max);
  CHECK(recall(*graph, rows, queries, nullptr, 100) > 0.99);
  std::vector<bool> admits(rows.count());
  for (uint32_t row = 0; row < rows.count(); ++row) {
    admits[row] = row % 10 == 0;
  }
  const TestFilter filter(admits);
  CHECK(recall(*graph, rows, queries, &filter, 100) > 0.97);
  const TestQuery query(rows, queries.row(0));
  for (const uint32_t row : found_rows(*graph, query, &filter, 100)) {
    CHECK(filter.admits(row));
  }
  CHECK(found_rows(*graph, query, &filter, 50, 7) == found_rows(*graph, query, &filter, 50));
}

TEST_CASE("scan cost: a scan for few admitted rows, the graph for many") {
  CHECK(scan_is_cheaper(1'000'000, 1'000, 100));
  CHECK(scan_is_cheaper(1'000'000, 0, 100));
  CHECK(scan_is_cheaper(3'000, 3'000, 1'000));
  CHECK(!scan_is_cheaper(1'000'000, 1'000'000, 100));
  CHECK(!scan_is_cheaper(1'000'000, 300'000, 100));
  CHECK(scan_is_cheaper(1'000'000, 1'000'000, 500'000));
}
