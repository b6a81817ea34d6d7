// The best points of the best groups, in one search, against brute force.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "one_collection.h"

using namespace asyncstore;
using namespace asyncstore::engine_test;
using engine::Groups;
using engine::Kind;
using filter::Scalar;

namespace {

constexpr uint32_t k_dim = 16;
constexpr uint32_t k_points = 1500;

struct Grouped {
  std::vector<float> vector;
  std::vector<int64_t> keys;  // several make an array
  std::string payload;
};

// Points with the numbers of their groups at "k", drawn at random, so that they lie anywhere.
struct Fixture : OneCollection {
  explicit Fixture(uint8_t bits = 4) : OneCollection({field(bits)}) {}

  static segment::Field field(uint8_t bits) {
    segment::Field field = make_field("a", k_dim, segment::Distance::dot,
                                      segment::Datatype::float32, quantize::Kind::rabitq);
    field.quantization.bits = bits;
    return field;
  }
  uint64_t below(uint64_t limit) { return random() % limit; }

  void create_index() {
    engine::WriteJob job;
    job.operation.kind = Kind::create_index;
    job.operation.payload_index = engine::IndexDefinition{
        {payload::Path::parse("k").value(), "k", fields::Kind::integer}, {}};
    REQUIRE(ok(write(std::move(job))));
  }
  void build_index() { REQUIRE(ok(store->build_index(collection, "k"))); }

  // Writes points anew, each into one of `groups` groups; one of `arrays` into several.
  void upsert(uint64_t first, uint64_t count, uint32_t groups, uint32_t arrays) {
    std::normal_distribution<float> normal;
    engine::WriteJob job;
    job.operation.kind = Kind::upsert;
    std::vector<float> values;
    for (uint64_t id = first; id < first + count; ++id) {
      Grouped& point = points[id];
      point.keys = {static_cast<int64_t>(below(groups))};
      while (below(arrays) == 0) {
        point.keys.push_back(static_cast<int64_t>(below(groups)));
      }
      point.payload = R"({"k":[)";
      for (const int64_t key : point.keys) {
        point.payload += (point.payload.back() == '[' ? "" : ",") + std::to_string(key);
      }
      point.payload += "]}";
      point.vector.clear();
      for (uint32_t i = 0; i < k_dim; ++i) {
        point.vector.push_back(normal(random));
      }
      values.insert(values.end(), point.vector.begin(), point.vector.end());
      job.operation.ids.push_back(PointId::integer(id));
      job.operation.payloads.push_back(base::bytes_of(std::string_view(point.payload)));
    }
    job.operation.fields = {{0, values.data(), nullptr}};
    REQUIRE(ok(write(std::move(job))));
  }
  void remove(uint64_t id) {
    REQUIRE(ok(write(delete_job({PointId::integer(id)}))));
    points.erase(id);
  }

  float similarity(uint64_t id, const std::vector<float>& query) const {
    float sum = 0;
    for (uint32_t i = 0; i < k_dim; ++i) {
      sum += points.at(id).vector[i] * query[i];
    }
    return sum;
  }

  // Keys with the ids of their best points, the best first.
  using Found = std::vector<std::pair<int64_t, std::vector<uint64_t>>>;
  Found expected(const std::vector<float>& query, engine::GroupCounts wanted,
                 const std::set<uint64_t>& passing) const {
    std::vector<std::pair<float, uint64_t>> ranked;
    ranked.reserve(passing.size());
    for (const uint64_t id : passing) {
      ranked.emplace_back(-similarity(id, query), id);
    }
    std::sort(ranked.begin(), ranked.end());
    Found found;
    for (const auto& [score, id] : ranked) {
      for (const int64_t key : points.at(id).keys) {
        auto group = std::find_if(found.begin(), found.end(),
                                  [&](const auto& one) { return one.first == key; });
        if (group == found.end()) {
          if (found.size() == wanted.groups) {
            continue;
          }
          group = found.insert(found.end(), {key, {}});
        }
        if (group->second.size() < wanted.size &&
            (group->second.empty() || group->second.back() != id)) {
          group->second.push_back(id);
        }
      }
    }
    return found;
  }

  engine::SearchRequest request(std::vector<float> query, engine::GroupCounts wanted) {
    engine::SearchRequest made =
        search_request(std::move(query), uint64_t{wanted.groups} * wanted.size);
    made.hnsw_ef = 100;
    made.groups = engine::GroupRequest{payload::Path::parse("k").value(), wanted};
    return made;
  }
  Groups search(const engine::SearchRequest& request) {
    Completion completion = store->search(collection, request);
    REQUIRE(ok(completion));
    return std::get<Groups>(std::move(completion.value));
  }
  static Found found_in(const Groups& groups) {
    Found found;
    for (const auto& group : groups.groups) {
      auto& [key, ids] = found.emplace_back();
      key = std::get<int64_t>(group.key);
      for (const uint32_t hit : group.hits) {
        ids.push_back(groups.rows.ids[hit].low);
      }
    }
    return found;
  }

  static std::string text(const Found& found) {
    std::string shown;
    for (const auto& [key, ids] : found) {
      shown += std::to_string(key) + ":";
      for (const uint64_t id : ids) {
        shown += " " + std::to_string(id);
      }
      shown += "; ";
    }
    return shown;
  }

  std::set<uint64_t> all() const {
    std::set<uint64_t> ids;
    for (const auto& [id, point] : points) {
      ids.insert(id);
    }
    return ids;
  }
  std::vector<float> query() {
    std::normal_distribution<float> normal;
    std::vector<float> drawn;
    for (uint32_t i = 0; i < k_dim; ++i) {
      drawn.push_back(normal(random));
    }
    return drawn;
  }
  // What an index lets one search tell: all of it.
  void check(engine::GroupCounts wanted) {
    for (int round = 0; round < 10; ++round) {
      const auto drawn = query();
      const Groups groups = search(request(drawn, wanted));
      CHECK(groups.are_all);
      CHECK(std::all_of(groups.groups.begin(), groups.groups.end(),
                        [](const auto& group) { return group.is_settled; }));
      REQUIRE(text(found_in(groups)) == text(expected(drawn, wanted, all())));
      for (size_t hit = 0; hit < groups.rows.ids.size(); ++hit) {
        const float exact = similarity(groups.rows.ids[hit].low, drawn);
        CHECK(groups.rows.scores[hit] == doctest::Approx(exact));
      }
    }
  }

  std::map<uint64_t, Grouped> points;
  std::mt19937_64 random{7};
};

// Of thousands of points some would be nearer to each other than errors of 4 bits tell.
struct FineFixture : Fixture {
  FineFixture() : Fixture(8) {}
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "groups: one search finds all their points where an index names them") {
  create_index();
  build_index();
  upsert(0, k_points, 200, 1000000);
  SUBCASE("before sealing") {}
  SUBCASE("after sealing") {
    REQUIRE(ok(store->optimize(collection)));
  }
  SUBCASE("of several segments, with points written anew and points that are gone") {
    REQUIRE(ok(store->optimize(collection)));
    upsert(k_points / 2, 100, 200, 1000000);
    for (uint64_t id = 0; id < 60; ++id) {
      remove(id * 11);
    }
  }
  check({5, 3});
  check({1, 1});
  check({8, 20});
}

// Each of the two workers compares some of the points.
TEST_CASE_FIXTURE(FineFixture, "groups: so many points that another worker takes part") {
  constexpr uint64_t k_many = 10'000;
  constexpr uint32_t k_groups = 20;
  create_index();
  build_index();
  for (uint64_t first = 0; first < k_many; first += 1000) {
    upsert(first, 1000, k_groups, 5);
  }
  SUBCASE("before sealing") {}
  SUBCASE("after sealing") {
    REQUIRE(ok(store->optimize(collection)));
  }
  SUBCASE("of several segments, with points written anew and points that are gone") {
    REQUIRE(ok(store->optimize(collection)));
    upsert(k_many / 2, 500, k_groups, 5);
    for (uint64_t id = 0; id < 60; ++id) {
      remove(id * 11);
    }
  }
  // Bounds of errors hold for all but few in a thousand.
  size_t right = 0;
  size_t all_hits = 0;
  for (int round = 0; round < 10; ++round) {
    const auto drawn = query();
    const Found found = found_in(search(request(drawn, {8, 20})));
    const Found wanted = expected(drawn, {8, 20}, all());
    REQUIRE(found.size() == wanted.size());
    for (size_t group = 0; group < found.size(); ++group) {
      REQUIRE(found[group].first == wanted[group].first);
      const auto& ids = found[group].second;
      REQUIRE(ids.size() == wanted[group].second.size());
      CHECK(std::set<uint64_t>(ids.begin(), ids.end()).size() == ids.size());
      for (const uint64_t id : wanted[group].second) {
        right += std::count(ids.begin(), ids.end(), id);
        ++all_hits;
      }
    }
  }
  CHECK(right >= all_hits - all_hits / 500);
}

TEST_CASE_FIXTURE(Fixture, "groups: a point is in each group of its array") {
  create_index();
  build_index();
  upsert(0, k_points, 100, 3);
  REQUIRE(ok(store->optimize(collection)));
  check({5, 3});
  check({10, 4});
}

TEST_CASE_FIXTURE(Fixture, "groups: filters, thresholds and points that are left out") {
  create_index();
  build_index();
  upsert(0, k_points, 100, 1000000);
  REQUIRE(ok(store->optimize(collection)));
  std::set<uint64_t> passing;
  std::vector<PointId> some;
  for (uint64_t id = 0; id < k_points; id += 2) {
    passing.insert(id);
    some.push_back(PointId::integer(id));
  }
  for (int round = 0; round < 10; ++round) {
    const auto drawn = query();
    auto wanted = request(drawn, {4, 3});
    wanted.filter =
        std::make_shared<const filter::Filter>(filter::Filter{{{filter::HasId{some}}}, {}, {}, {}});
    const auto best = expected(drawn, {1, 2}, passing);
    for (const uint64_t id : best[0].second) {
      wanted.excluded.push_back(PointId::integer(id));
    }
    auto left = passing;
    for (const uint64_t id : best[0].second) {
      left.erase(id);
    }
    REQUIRE(text(found_in(search(wanted))) == text(expected(drawn, {4, 3}, left)));
    wanted.score_threshold = 6;
    std::erase_if(left, [&](uint64_t id) { return similarity(id, drawn) < 6; });
    REQUIRE(text(found_in(search(wanted))) == text(expected(drawn, {4, 3}, left)));
  }
}

TEST_CASE_FIXTURE(Fixture, "groups: what a search cannot tell it says") {
  upsert(0, k_points, 200, 1000000);
  const auto drawn = query();
  const auto check_some = [&] {
    const Groups some = search(request(drawn, {5, 3}));
    const auto best = expected(drawn, {5, 3}, all());
    CHECK_FALSE(std::all_of(some.groups.begin(), some.groups.end(),
                            [](const auto& group) { return group.is_settled; }));
    for (const auto& [key, ids] : found_in(some)) {
      const auto whole =
          std::find_if(best.begin(), best.end(), [&](const auto& one) { return one.first == key; });
      REQUIRE(whole != best.end());
      CHECK(std::equal(ids.begin(), ids.end(), whole->second.begin()));
    }
  };
  check_some();    // without an index
  create_index();  // which is not made yet
  check_some();
  build_index();
  check({5, 3});
  auto by_estimates = request(drawn, {5, 3});
  by_estimates.rescore = false;
  CHECK_FALSE(search(by_estimates).groups.empty());
  // All groups are known where the index has no others.
  upsert(0, k_points, 3, 1000000);
  check({5, 3});
}
