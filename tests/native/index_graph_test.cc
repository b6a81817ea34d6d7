#include <doctest/doctest.h>

#include <cstring>

#include "index/graph.h"
#include "index_rows.h"

using namespace asyncstore;
using namespace asyncstore::index;

namespace {

constexpr uint32_t k_dim = 24;

bool same_bytes(const Graph& a, const Graph& b) {
  return a.bytes().size() == b.bytes().size() &&
         std::memcmp(a.bytes().data(), b.bytes().data(), a.bytes().size()) == 0;
}

// Rows that cannot be reached in level 0 from any row of the level above.
uint32_t unreached(const Graph& graph) {
  const Level level = graph.level(0);
  LinkBuffer buffer;
  std::vector<bool> reached(graph.row_count());
  std::vector<uint32_t> queue = {graph.level_count() > 1 ? graph.level(1).row(0) : 0};
  reached[queue[0]] = true;
  for (size_t i = 0; i < queue.size(); ++i) {
    for (const uint32_t other : level.linked(queue[i], buffer)) {
      if (!reached[other]) {
        reached[other] = true;
        queue.push_back(other);
      }
    }
  }
  return graph.row_count() - static_cast<uint32_t>(queue.size());
}

uint64_t links_apart_of(base::Bytes graph) {
  GraphHeader header;
  std::memcpy(&header, graph.data(), sizeof header);
  return header.links_apart;
}

base::Result<std::unique_ptr<Graph>> load(std::span<const std::byte> bytes) {
  base::Region region(bytes.size(), false);
  REQUIRE(region.grow(bytes.size()));
  if (!bytes.empty()) {
    std::memcpy(region.as<std::byte>(), bytes.data(), bytes.size());
  }
  return Graph::load(std::move(region), bytes.size(), "a.graph");
}

}  // namespace

TEST_CASE("graph: finds what a scan finds") {
  for (const TestMetric metric : {TestMetric::dot, TestMetric::euclid, TestMetric::manhattan}) {
    CAPTURE(static_cast<int>(metric));
    const TestRows all = TestRows::random(4100, k_dim, metric, 11);
    TestRows rows(k_dim, metric);
    TestRows queries(k_dim, metric);
    for (uint32_t row = 0; row < all.count(); ++row) {
      (row < 4000 ? rows : queries).add({all.row(row), all.row(row) + k_dim});
    }
    const auto graph = build_graph(rows);
    REQUIRE(graph != nullptr);
    CHECK(unreached(*graph) == 0);
    // The largest dot products are those of few long rows, to which a heuristic made for distances
    // leads less surely.
    CHECK(recall(*graph, rows, queries, nullptr, 64) > (metric == TestMetric::dot ? 0.9 : 0.97));
    CHECK(recall(*graph, rows, queries, nullptr, 400) > (metric == TestMetric::dot ? 0.97 : 0.995));
  }
}

TEST_CASE("graph: the same for any number of threads") {
  const TestRows rows = TestRows::random(3000, k_dim, TestMetric::euclid, 5);
  const Graph::Options options{.m = 8, .ef_construct = 40, .seed = 3, .threads = 1};
  const auto one = build_graph(rows, options);
  for (const uint32_t threads : {1, 2, 4}) {
    Graph::Options other = options;
    other.threads = threads;
    CHECK(same_bytes(*one, *build_graph(rows, other)));
  }
  Graph::Options other = options;
  other.seed = 4;
  CHECK(!same_bytes(*one, *build_graph(rows, other)));
}

TEST_CASE("graph: few rows") {
  for (const uint32_t count : {0, 1, 2, 3, 63, 64, 65, 66, 130}) {
    CAPTURE(count);
    const TestRows rows = TestRows::random(count, k_dim, TestMetric::euclid, count + 1);
    const auto graph = build_graph(rows, {.m = 4, .ef_construct = 10});
    REQUIRE(graph != nullptr);
    CHECK(graph->row_count() == count);
    const TestRows query = TestRows::random(1, k_dim, TestMetric::euclid, 99);
    const TestQuery similarity(rows, query.row(0));
    CHECK(found_rows(*graph, similarity, nullptr, 200) ==
          exact_rows(rows, query.row(0), nullptr, 200));
    const TestFilter nothing(std::vector<bool>(count, false));
    CHECK(found_rows(*graph, similarity, &nothing, 200).empty());
    auto loaded = load(graph->bytes());
    REQUIRE(loaded.ok());
    CHECK(same_bytes(*graph, *loaded.value()));
  }
}

TEST_CASE("graph: thousands of equal rows") {
  const TestRows others = TestRows::random(1500, k_dim, TestMetric::euclid, 21);
  TestRows rows(k_dim, TestMetric::euclid);
  std::vector<bool> equal;
  for (uint32_t row = 0; row < 4500; ++row) {
    equal.push_back(row % 3 != 0);
    const float* own = others.row(equal.back() ? 7 : row / 3);
    rows.add({own, own + k_dim});
  }
  const auto graph = build_graph(rows, {.m = 8, .ef_construct = 40});
  REQUIRE(graph != nullptr);
  CHECK(unreached(*graph) == 0);
  // Those that have no equals are found from any query, past the equal ones.
  const TestFilter distinct([&] {
    equal.flip();
    return equal;
  }());
  const TestRows queries = TestRows::random(50, k_dim, TestMetric::euclid, 22);
  CHECK(recall(*graph, rows, queries, &distinct, 64) > 0.9);
  CHECK(found_rows(*graph, TestQuery(rows, others.row(7)), nullptr, 20).size() == 20);
}

TEST_CASE("graph: rows that are nowhere near") {
  class Nowhere final : public RowSimilarity {
    void similarities(uint32_t, std::span<const uint32_t> others, float* out) const override {
      std::fill(out, out + others.size(), -std::numeric_limits<float>::infinity());
    }
  };
  auto built = Graph::build(2000, Nowhere(), {.m = 8, .ef_construct = 20}, {});
  REQUIRE(built.ok());
  CHECK(unreached(*built.value()) == 0);
}

TEST_CASE("graph: progress and its end") {
  const TestRows rows = TestRows::random(3000, k_dim, TestMetric::euclid, 8);
  uint64_t last = 0;
  auto built = Graph::build(rows.count(), rows, {}, [&](uint64_t done, uint64_t total) {
    CHECK(done >= last);
    CHECK(done <= total);
    CHECK(total == rows.count());
    last = done;
    return true;
  });
  REQUIRE(built.ok());
  CHECK(last == rows.count());
  for (const uint64_t end : {uint64_t{0}, uint64_t{100}, uint64_t{2500}, uint64_t{3000}}) {
    uint32_t later = 0;
    auto ended = Graph::build(rows.count(), rows, {.threads = 2}, [&](uint64_t done, uint64_t) {
      later += done >= end ? 1 : 0;
      return done < end;
    });
    REQUIRE(!ended.ok());
    CHECK(ended.error().code == base::Code::closed);
    CHECK(later == 1);
  }
}

TEST_CASE("graph: bytes that lie") {
  const TestRows rows = TestRows::random(400, k_dim, TestMetric::euclid, 31);
  const auto graph = build_graph(rows, {.m = 4, .ef_construct = 20});
  const base::Bytes good = graph->bytes();
  REQUIRE(graph->level_count() == 3);
  const TestQuery query(rows, rows.row(0));
  std::vector<std::byte> bytes(good.begin(), good.end());
  // A wrong link that stays inside its level is not to be seen; then a search must end as ever.
  size_t refused = 0;
  for (size_t offset = 0; offset + 4 <= bytes.size(); offset += 4) {
    uint32_t value = 0;
    std::memcpy(&value, good.data() + offset, 4);
    for (const uint32_t wrong : {value ^ 1U, value + 400, 0x80000000U, k_no_link, 0U}) {
      std::memcpy(bytes.data() + offset, &wrong, 4);
      auto loaded = load(bytes);
      if (loaded.ok()) {
        CHECK(found_rows(*loaded.value(), query, nullptr, 10).size() <= 10);
      } else {
        ++refused;
        CHECK(loaded.error().code == base::Code::corruption);
        CHECK(loaded.error().file == "a.graph");
      }
      if (wrong != value && offset < sizeof(GraphHeader)) {
        CHECK(!loaded.ok());
      }
    }
    std::memcpy(bytes.data() + offset, &value, 4);
  }
  CHECK(refused > 0);
  for (size_t size = 0; size < good.size(); size += 7) {
    CHECK(!load(good.first(size)).ok());
  }
  bytes.push_back(std::byte{0});
  CHECK(!load(bytes).ok());
}

TEST_CASE("graph: a link out of its level is refused wherever it is") {
  const TestRows rows = TestRows::random(400, k_dim, TestMetric::euclid, 31);
  const auto graph = build_graph(rows, {.m = 4, .ef_construct = 20});
  const base::Bytes good = graph->bytes();
  const GraphLayout layout(400, 4, links_apart_of(good));
  const LevelLayout& lowest = layout.levels[0];
  REQUIRE(layout.size_bytes == good.size());
  REQUIRE(lowest.links_apart > 0);
  std::vector<std::byte> bytes(good.begin(), good.end());
  const auto refused = [&](uint64_t offset, uint32_t wrong, uint32_t link_bytes) {
    uint32_t value = 0;
    std::memcpy(&value, &bytes[offset], link_bytes);
    std::memcpy(&bytes[offset], &wrong, link_bytes);
    auto loaded = load(bytes);
    std::memcpy(&bytes[offset], &value, link_bytes);
    return !loaded.ok() && loaded.error().code == base::Code::corruption;
  };
  for (uint64_t row = 0; row < 400; ++row) {
    for (uint64_t place = 0; place < lowest.list_links; ++place) {
      const uint64_t offset = lowest.links_offset + row * lowest.list_bytes() + place * 3;
      CHECK(refused(offset, 400, 3));
      CHECK(refused(offset, 0xFFFFFF, 3));
    }
    // Where links apart begin, and how many links there are.
    const uint64_t end =
        lowest.links_offset + row * lowest.list_bytes() + uint64_t{lowest.list_links} * 3;
    CHECK(refused(end, 0xFFFF, 2));
    CHECK(refused(end + 2, 9, 1));
    CHECK(refused(end + 3, 1, 1));
  }
  for (uint64_t number = 0; number < lowest.links_apart; ++number) {
    CHECK(refused(lowest.apart_offset + number * 3, 400, 3));
  }
  for (uint64_t first = 0; first < lowest.firsts(); ++first) {
    CHECK(refused(lowest.firsts_offset + first * 8, 0x10000, 4));
    CHECK(refused(lowest.firsts_offset + first * 8 + 4, 1, 4));
  }
  for (uint32_t number = 1; number < layout.level_count; ++number) {
    const LevelLayout& level = layout.levels[number];
    for (uint64_t link = 0; link < uint64_t{level.rows} * level.links_max; ++link) {
      CHECK(refused(level.links_offset + link * 4, level.rows, 4));
    }
  }
}

TEST_CASE("graph: links of four bytes, where there are many rows") {
  CHECK(GraphLayout(1U << 24, 16, 0).levels[0].link_bytes == 3);
  CHECK(GraphLayout((1U << 24) + 1, 16, 0).levels[0].link_bytes == 4);
  GraphLayout layout(300, 4, 600);
  LevelLayout& level = layout.levels[0];
  level.link_bytes = 4;
  level.apart_offset = base::round_up(level.lists_end(), 64);
  std::vector<uint64_t> storage(level.end() / 8 + 1);
  const Level view(reinterpret_cast<std::byte*>(storage.data()), level);
  const auto link = [](uint32_t row, uint32_t i) { return 0x80000000U - 1 - 7 * row - i; };
  uint64_t apart = 0;
  for (uint32_t row = 0; row < level.rows; ++row) {
    if (row % k_apart_rows == 0) {
      view.firsts()[row / k_apart_rows] = apart;
    }
    const uint32_t links = row % 8;
    const ListEnd end{static_cast<uint16_t>(apart - view.firsts()[row / k_apart_rows]),
                      static_cast<uint8_t>(links), 0};
    for (uint32_t i = 0; i < links; ++i) {
      const uint32_t value = link(row, i);
      std::memcpy(i < level.list_links ? view.list(row) + size_t{i} * 4 : view.apart(apart++),
                  &value, 4);
    }
    std::memcpy(view.list(row) + size_t{level.list_links} * 4, &end, sizeof end);
  }
  LinkBuffer buffer;
  for (uint32_t row = 0; row < level.rows; ++row) {
    const std::span<const uint32_t> links = view.linked(row, buffer);
    REQUIRE(links.size() == row % 8);
    for (uint32_t i = 0; i < links.size(); ++i) {
      CHECK(links[i] == link(row, i));
    }
  }
}
