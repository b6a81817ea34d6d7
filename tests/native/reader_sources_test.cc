#include <doctest/doctest.h>

#include "reader_conformance.h"

using namespace asyncstore;
using namespace asyncstore::io_test;
using io::ReadRequest;

TEST_CASE("readers: sources come and go") {
  for (const Flavour& flavour : flavours()) {
    CAPTURE(flavour.name);
    const TemporaryFolder folder;
    const auto reader = make(flavour);
    // More sources than the table has places; every second one is forgotten.
    for (uint32_t i = 0; i < 1200; ++i) {
      KnownFile file = make_known_file(folder, std::to_string(i % 7), 5000, i, flavour.direct);
      CheckingSink sink;
      const std::vector<ReadRequest> wave = {request_of(file, 10, 1000, 0),
                                             request_of(file, 3000, 2000, 1)};
      reader->submit(wave);
      drain(*reader, sink);
      each_landed_once(sink, 2);
      CHECK(sink.errors.empty());
      if (i % 2 == 0) {
        reader->forget(file.source->id());
      }
      reader->forget(UINT64_MAX);  // unknown: nothing happens
    }
  }
}

TEST_CASE("readers: more files at once than a reader can remember") {
  for (const Flavour& flavour : flavours()) {
    CAPTURE(flavour.name);
    const TemporaryFolder folder;
    KnownFile file = make_known_file(folder, "rows", 600 << 10, 1, flavour.direct);
    std::vector<KnownFile> places(600, file);  // one file, 600 sources
    std::vector<ReadRequest> wave;
    for (uint32_t i = 0; i < places.size(); ++i) {
      auto source = io::Source::open(file.path, {.direct = false, .map_bytes = 0});
      if (!source.ok()) {  // the limit of open files, often 1,024
        break;
      }
      places[i].source = source.value();
      wave.push_back(request_of(places[i], i * 1000, 1000, i));
    }
    REQUIRE(wave.size() > 100);
    const auto reader = make(flavour, {.depth = 1024});
    CheckingSink sink;
    reader->submit(wave);
    drain(*reader, sink);
    each_landed_once(sink, static_cast<uint32_t>(wave.size()));
    CHECK(sink.errors.empty());
  }
}

TEST_CASE("readers: bad options are refused") {
  for (const Flavour& flavour : flavours()) {
    if (flavour.name == "io_uring of an old kernel") {
      continue;  // made without make_uring_reader()
    }
    CAPTURE(flavour.name);
    for (const uint32_t depth : {0u, base::k_io_depth_max + 1}) {
      auto reader = flavour.make({.depth = depth});
      REQUIRE(!reader.ok());
      CHECK(reader.error().code == base::Code::invalid_argument);
    }
  }
}
