#include <doctest/doctest.h>

#include <cerrno>

#include "io/fault_reader.h"
#include "reader_conformance.h"

using namespace asyncstore;
using namespace asyncstore::io_test;

namespace {

struct Faulty {
  Faulty() : file(make_known_file(folder, "rows", 100'000, 1, false)) {}

  std::unique_ptr<io::FaultReader> reader(io::FaultPlan plan) {
    auto below = io::make_mmap_reader({});
    return std::make_unique<io::FaultReader>(std::move(below.value()), std::move(plan));
  }

  // Rows in the order of the file, so that the k-th below is the k-th here.
  void submit(io::Reader& reader, uint32_t count) {
    std::vector<io::ReadRequest> wave;
    for (uint32_t i = 0; i < count; ++i) {
      wave.push_back(request_of(file, i * 1000, 500, i));
    }
    reader.submit(wave);
  }

  TemporaryFolder folder;
  KnownFile file;
  CheckingSink sink;
};

}  // namespace

TEST_CASE_FIXTURE(Faulty, "fault reader: the k-th request fails, the others do not") {
  const auto faulty = reader({.faults = {{3, io::Fault::io_error}, {7, io::Fault::end_of_file}}});
  submit(*faulty, 10);
  drain(*faulty, sink);
  CHECK(sink.times_landed.size() == 10);
  REQUIRE(sink.errors.size() == 2);
  CHECK(sink.errors.at(3).os_errno == EIO);
  CHECK(sink.errors.at(3).offset_bytes == 3000);
  CHECK(sink.errors.at(7).os_errno == 0);
  CHECK(sink.errors.at(7).code == base::Code::io);
}

TEST_CASE_FIXTURE(Faulty, "fault reader: what is delayed comes with a later reap") {
  const auto faulty = reader({.faults = {{1, io::Fault::delay}, {2, io::Fault::delay}}});
  submit(*faulty, 5);
  CHECK(faulty->reap(sink, true) == 3);
  CHECK(faulty->pending() == 2);
  CHECK(!sink.times_landed.contains(1));
  CHECK(faulty->reap(sink, true) == 2);
  CHECK(sink.times_landed.size() == 5);
}

TEST_CASE_FIXTURE(Faulty, "fault reader: a waiting reap delivers even when all is delayed") {
  const auto faulty = reader({.faults = {{0, io::Fault::delay}}});
  submit(*faulty, 1);
  CHECK(faulty->reap(sink, true) == 1);
}

TEST_CASE_FIXTURE(Faulty, "fault reader: the same seed shuffles the same way") {
  std::vector<std::vector<uint32_t>> orders;
  for (const uint64_t seed : {1u, 1u, 2u}) {
    const auto faulty = reader({.reorder = true, .seed = seed});
    std::vector<uint32_t>& order = orders.emplace_back();
    sink.then = [&](const io::ReadRequest& request) { order.push_back(request.index); };
    submit(*faulty, 50);
    drain(*faulty, sink);
  }
  CHECK(orders[0] == orders[1]);
  CHECK(orders[0] != orders[2]);
}
