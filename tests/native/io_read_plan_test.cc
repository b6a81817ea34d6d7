#include <doctest/doctest.h>

#include <random>
#include <utility>

#include "io/read_plan.h"
#include "io_temporary_folder.h"

using namespace asyncstore;
using namespace asyncstore::io_test;

namespace {

uint32_t bytes(const io::Source&) {
  return 1;
}
uint32_t sectors(const io::Source&) {
  return 512;
}

struct TwoSources {
  TwoSources() {
    write_file(folder / "a", random_bytes(10, 1));
    first = io::Source::open(folder / "a", {}).value();
    second = io::Source::open(folder / "a", {}).value();
  }
  io::ReadRequest request(io::Source& source, uint64_t offset, uint32_t length) {
    return {&source, offset, length, 0, nullptr};
  }
  TemporaryFolder folder;
  std::shared_ptr<io::Source> first;
  std::shared_ptr<io::Source> second;
};

using Ranges = std::vector<std::pair<uint64_t, uint64_t>>;

Ranges ranges_of(const io::ReadPlan& plan) {
  Ranges ranges;
  for (const io::PlannedRead& read : plan.reads()) {
    ranges.emplace_back(read.offset, read.offset + read.length);
  }
  return ranges;
}

}  // namespace

TEST_CASE_FIXTURE(TwoSources, "read plan: sorts by source and place, joins what touches") {
  io::ReadPlan plan({0, 1000});
  plan.make(std::vector<io::ReadRequest>{request(*second, 0, 10), request(*first, 50, 10),
                                         request(*first, 0, 10), request(*first, 10, 5),
                                         request(*first, 0, 10), request(*first, 52, 3)},
            bytes);
  CHECK(ranges_of(plan) == Ranges{{0, 15}, {50, 60}, {0, 10}});
  CHECK(plan.reads()[0].request_count == 3);
  CHECK(plan.reads()[1].request_count == 2);
  CHECK(plan.reads()[1].wanted_length == 10);
  CHECK(plan.reads()[2].source == second.get());
}

TEST_CASE_FIXTURE(TwoSources, "read plan: gaps up to gap_bytes") {
  io::ReadPlan plan({100, 1000});
  plan.make(std::vector<io::ReadRequest>{request(*first, 0, 10), request(*first, 110, 10),
                                         request(*first, 221, 10)},
            bytes);
  CHECK(ranges_of(plan) == Ranges{{0, 120}, {221, 231}});
}

TEST_CASE_FIXTURE(TwoSources, "read plan: join_bytes_max, but what lies inside is always joined") {
  io::ReadPlan plan({0, 1000});
  plan.make(std::vector<io::ReadRequest>{request(*first, 0, 600), request(*first, 600, 400),
                                         request(*first, 1000, 400)},
            bytes);
  CHECK(ranges_of(plan) == Ranges{{0, 1000}, {1000, 1400}});
  plan.make(std::vector<io::ReadRequest>{request(*first, 0, 5000), request(*first, 0, 5000),
                                         request(*first, 100, 10), request(*first, 4999, 2)},
            bytes);
  CHECK(ranges_of(plan) == Ranges{{0, 5000}, {4999, 5001}});
}

TEST_CASE_FIXTURE(TwoSources,
                  "read plan: direct reads are widened, and joined where sectors touch") {
  io::ReadPlan plan({0, 4096});
  plan.make(std::vector<io::ReadRequest>{request(*first, 0, 100), request(*first, 600, 100),
                                         request(*first, 1537, 512)},
            sectors);
  CHECK(ranges_of(plan) == Ranges{{0, 1024}, {1536, 2560}});
  CHECK(plan.reads()[0].wanted_length == 700);
  CHECK(plan.reads()[1].wanted_length == 513);
}

TEST_CASE_FIXTURE(TwoSources, "read plan: every request lies in its read") {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    const uint32_t join_bytes_max = static_cast<uint32_t>(random() % 20'000);
    io::ReadPlan plan({static_cast<uint32_t>(random() % 2000), join_bytes_max});
    std::vector<io::ReadRequest> wave;
    for (uint32_t i = 0; i < 200; ++i) {
      wave.push_back({random() % 2 == 0 ? first.get() : second.get(), random() % 500'000,
                      static_cast<uint32_t>(1 + random() % 4000), i, nullptr});
    }
    plan.make(wave, seed % 2 == 0 ? bytes : sectors);
    uint32_t next = 0;
    for (const io::PlannedRead& read : plan.reads()) {
      CHECK(read.first_request == next);
      next += read.request_count;
      CHECK((read.request_count == 1 || read.length <= join_bytes_max || join_bytes_max < 5000));
      uint64_t wanted_end = 0;
      for (const auto& request : plan.requests().subspan(read.first_request, read.request_count)) {
        CHECK(request.source == read.source);
        CHECK(request.offset >= read.offset);
        wanted_end = std::max(wanted_end, request.offset + request.length);
      }
      CHECK(wanted_end == read.offset + read.wanted_length);
      CHECK(read.wanted_length <= read.length);
    }
    CHECK(next == wave.size());
  }
}
