// The stages of searches: each is counted once for each search that came to it, on both readers.
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <map>
#include <numeric>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "engine/stage_clock.h"
#include "one_collection.h"

using namespace asyncstore;
using namespace asyncstore::engine_test;
using engine::SearchStage;
using engine::StageClock;
using engine::StageHistograms;

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::microseconds;

uint64_t count_of(const base::HistogramCounts& counts) {
  return std::accumulate(counts.buckets.begin(), counts.buckets.end(), uint64_t{0});
}

void work(microseconds time) {
  const auto end = Clock::now() + time;
  while (Clock::now() < end) {
  }
}

struct Times {
  std::map<SearchStage, uint64_t> count;
  std::map<SearchStage, microseconds> sum;
};

Times times_of(const StageHistograms& histograms) {
  Times times;
  for (size_t i = 0; i < engine::k_search_stages; ++i) {
    const base::HistogramCounts counts = histograms[i].counts();
    const auto stage = static_cast<SearchStage>(i);
    times.count[stage] = count_of(counts);
    times.sum[stage] = std::chrono::duration_cast<microseconds>(
        std::chrono::nanoseconds(static_cast<int64_t>(counts.sum_ns)));
  }
  return times;
}

// Which stages were counted since the last call, and how often.
class Counted {
 public:
  explicit Counted(engine::Engine& engine) : engine_(engine) { since(); }

  std::map<SearchStage, uint64_t> since() {
    const auto statistics = engine_.statistics();
    std::map<SearchStage, uint64_t> counted;
    for (size_t i = 0; i < engine::k_search_stages; ++i) {
      const uint64_t count = count_of(statistics.stages[i]);
      if (count > last_[i]) {
        counted[static_cast<SearchStage>(i)] = count - last_[i];
      }
      last_[i] = count;
    }
    return counted;
  }

 private:
  engine::Engine& engine_;
  std::array<uint64_t, engine::k_search_stages> last_{};
};

// Sealed points with a payload at "k", and some that are not sealed yet.
struct Fixture : OneCollection {
  explicit Fixture(engine::Choice scorer)
      : OneCollection({make_field("a", k_dim)}, nullptr, small_options(scorer)) {
    upsert(0, 400);
    REQUIRE(ok(store->optimize(collection)));
    upsert(400, 50);
  }
  void upsert(uint64_t first, uint64_t count) {
    static constexpr std::string_view k_payload = R"({"k":"v"})";
    engine::WriteJob job;
    std::vector<float> values;
    for (uint64_t id = first; id < first + count; ++id) {
      const auto vector = random_vector(k_dim, random);
      values.insert(values.end(), vector.begin(), vector.end());
      job.operation.ids.push_back(PointId::integer(id));
      job.operation.payloads.push_back(base::bytes_of(k_payload));
    }
    job.operation.fields = {{0, values.data(), nullptr}};
    REQUIRE(ok(write(std::move(job))));
  }
  engine::SearchRequest request() { return search_request(random_vector(k_dim, random), 10); }

  static constexpr uint32_t k_dim = 16;
  std::mt19937_64 random{1};
};

constexpr engine::Choice k_readers[] = {engine::Choice::no, engine::Choice::automatic};

}  // namespace

TEST_CASE("stages: what was entered counts once, with all of its time") {
  StageHistograms histograms;
  const auto begin = Clock::now();
  StageClock clock;
  clock.enter(SearchStage::preselect);
  work(microseconds(300));
  for (int wave = 0; wave < 2; ++wave) {
    clock.begin_wave(3);
    for (int row = 0; row < 3; ++row) {
      work(microseconds(100));
      clock.landed([] { work(microseconds(200)); });
    }
    clock.enter(SearchStage::rescore);
    work(microseconds(50));
  }
  clock.record(histograms);
  const auto all = std::chrono::duration_cast<microseconds>(Clock::now() - begin);
  Times times = times_of(histograms);
  for (const auto stage : {SearchStage::preselect, SearchStage::read, SearchStage::rescore}) {
    CHECK(times.count[stage] == 1);
  }
  for (const auto stage : {SearchStage::filter, SearchStage::group, SearchStage::payload}) {
    CHECK(times.count[stage] == 0);
  }
  CHECK(times.sum[SearchStage::preselect] >= microseconds(300));
  CHECK(times.sum[SearchStage::read] >= microseconds(600));
  CHECK(times.sum[SearchStage::rescore] >= microseconds(6 * 200 + 2 * 50));
  microseconds sum{0};
  for (const auto& [stage, time] : times.sum) {
    sum += time;
  }
  CHECK(sum <= all);
}

TEST_CASE("stages: of a large wave every row is scored, and few are timed for all") {
  StageHistograms histograms;
  StageClock clock;
  int scored = 0;
  clock.begin_wave(100);
  for (int row = 0; row < 100; ++row) {
    clock.landed([&] {
      ++scored;
      work(microseconds(20));
    });
  }
  clock.record(histograms);
  CHECK(scored == 100);
  Times times = times_of(histograms);
  CHECK(times.count[SearchStage::rescore] == 1);
  CHECK(times.sum[SearchStage::rescore] >= microseconds(100 * 20));
}

TEST_CASE("stages: a search counts in those that it comes to, on both readers") {
  using enum SearchStage;
  for (const auto scorer : k_readers) {
    CAPTURE(static_cast<int>(scorer));
    Fixture fixture(scorer);
    Counted counted(fixture.store->engine());
    struct Asked {
      const char* what;
      engine::SearchRequest request;
      std::set<SearchStage> stages;
    };
    std::vector<Asked> all = {{"as usual", fixture.request(), {preselect, read, rescore}},
                              {"estimates", fixture.request(), {preselect}},
                              {"exact", fixture.request(), {read, rescore}},
                              {"payload", fixture.request(), {preselect, read, rescore, payload}},
                              {"filter", fixture.request(), {filter, preselect, read, rescore}},
                              {"groups", fixture.request(), {preselect, read, rescore, group}}};
    all[1].request.rescore = false;
    all[2].request.exact = true;
    all[3].request.with.payload.kind = engine::PayloadSelection::Kind::all;
    const auto path = payload::Path::parse("k").value();
    all[4].request.filter = std::make_shared<const filter::Filter>(filter::Filter{
        {{filter::FieldCondition{path, {filter::MatchAny{filter::ValueSet({std::string("v")})}}}}},
        {},
        {},
        {}});
    all[5].request.groups = engine::GroupRequest{path, {.groups = 2, .size = 2}};
    for (const Asked& asked : all) {
      CAPTURE(asked.what);
      const uint64_t searches = fixture.store->engine().statistics().searches;
      constexpr uint64_t k_times = 3;
      for (uint64_t i = 0; i < k_times; ++i) {
        REQUIRE(ok(fixture.store->search(fixture.collection, asked.request)));
      }
      std::map<SearchStage, uint64_t> expected;
      for (const SearchStage stage : asked.stages) {
        expected[stage] = k_times;
      }
      CHECK(counted.since() == expected);
      CHECK(fixture.store->engine().statistics().searches == searches + k_times);
    }
  }
}

TEST_CASE("stages: of a batch each part counts, and statistics are read meanwhile") {
  for (const auto scorer : k_readers) {
    CAPTURE(static_cast<int>(scorer));
    Fixture fixture(scorer);
    engine::Engine& engine = fixture.store->engine();
    Counted counted(engine);
    std::atomic<bool> done{false};
    std::thread reader([&] {
      uint64_t last = 0;
      while (!done) {
        const auto statistics = engine.statistics();
        const uint64_t now = count_of(statistics.stages[static_cast<size_t>(SearchStage::read)]);
        CHECK(now >= last);
        last = now;
      }
    });
    engine::SearchRequest batch = fixture.request();
    batch.queries = random_vector(64 * Fixture::k_dim, fixture.random);
    std::vector<uint64_t> tickets;
    tickets.reserve(8);
    for (int i = 0; i < 8; ++i) {
      tickets.push_back(fixture.store->submit(
          [&](uint64_t ticket) { return engine.search_batch(ticket, fixture.collection, batch); }));
    }
    for (const uint64_t ticket : tickets) {
      CHECK(ok(fixture.store->wait(ticket)));
    }
    done = true;
    reader.join();
    CHECK(engine.statistics().searches == 8 * 64);
    auto parts = counted.since();
    CHECK(parts[SearchStage::preselect] >= 8);
    CHECK(parts[SearchStage::preselect] <= 8 * 64);
    CHECK(parts[SearchStage::read] == parts[SearchStage::preselect]);
    CHECK(parts[SearchStage::rescore] == parts[SearchStage::preselect]);
  }
}

TEST_CASE("tasks: none wait or run once all are answered") {
  Fixture fixture(engine::Choice::automatic);
  engine::Engine& engine = fixture.store->engine();
  std::vector<uint64_t> tickets;
  tickets.reserve(200);
  for (int i = 0; i < 200; ++i) {
    tickets.push_back(fixture.store->submit([&](uint64_t ticket) {
      return engine.search(ticket, fixture.collection, fixture.request());
    }));
  }
  for (const uint64_t ticket : tickets) {
    CHECK(ok(fixture.store->wait(ticket)));
  }
  CHECK(engine.statistics().tasks_waiting == 0);
  // A worker counts when it has answered.
  const auto end = Clock::now() + std::chrono::seconds(30);
  while (engine.statistics().tasks_running > 0) {
    REQUIRE(Clock::now() < end);
    std::this_thread::yield();
  }
}
