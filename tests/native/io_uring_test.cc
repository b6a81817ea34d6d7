#include <doctest/doctest.h>
#include <sys/mman.h>

#include <fstream>
#include <sstream>

#include "io/uring_reader.h"
#include "reader_conformance.h"

using namespace asyncstore;
using namespace asyncstore::io_test;

TEST_CASE("source: two descriptors, an alignment, and a map that leaves room") {
  const TemporaryFolder folder;
  write_file(folder / "a", random_bytes(5000, 1));
  const auto source = io::Source::open(folder / "a", {.direct = true, .map_bytes = 1 << 20});
  REQUIRE(source.ok());
  CHECK(source.value()->size().value() == 5000);
  CHECK(source.value()->map().value().size() == 1 << 20);
  CHECK(source.value()->map().value().data() == source.value()->map().value().data());
  CHECK(source.value()->direct_alignment() >= 512);
  CHECK((source.value()->direct_alignment() & (source.value()->direct_alignment() - 1)) == 0);
  const auto other = io::Source::open(folder / "a", {});
  CHECK(other.value()->direct_fd() == -1);
  CHECK(other.value()->id() != source.value()->id());
  const auto missing = io::Source::open(folder / "no", {});
  REQUIRE(!missing.ok());
  CHECK(missing.error().file == folder / "no");
}

#ifdef ASYNCSTORE_WITHOUT_URING

TEST_CASE("io_uring: a build without it says so") {
  const base::Status probe = io::probe_uring("/etc/passwd");
  REQUIRE(!probe.ok());
  CHECK(probe.error().code == base::Code::unsupported);
  CHECK(probe.error().message.find("this build has no io_uring") != std::string::npos);
  CHECK(io::make_uring_reader({}).error().code == base::Code::unsupported);
}

#else

namespace {

// The files that the kernel has registered for the ring, as text.
std::string registered_files(io::Ring& ring) {
  std::ifstream info("/proc/self/fdinfo/" + std::to_string(ring.raw()->ring_fd));
  std::stringstream text;
  text << info.rdbuf();
  return text.str();
}

bool works() {
  if (!uring_missing_because().empty()) {
    MESSAGE("skipped: ", uring_missing_because());
  }
  return uring_missing_because().empty();
}

std::unique_ptr<io::Reader> make_reader(const io::ReaderOptions& options) {
  auto reader = io::make_uring_reader(options);
  REQUIRE(reader.ok());
  return std::move(reader.value());
}

}  // namespace

TEST_CASE("io_uring: forget lets go of the file") {
  if (!works()) {
    return;
  }
  const TemporaryFolder folder;
  KnownFile file = make_known_file(folder, "registered", 10'000, 1, true);
  auto ring = std::move(io::Ring::make(8).value());
  io::FileTable files(*ring);
  ring->start();
  io::FileTable::Entry* entry = files.entry(*file.source);
  REQUIRE(entry != nullptr);
  if (entry->state.registered) {
    CHECK(registered_files(*ring).find("registered") != std::string::npos);
  }
  files.forget(file.source->id());
  CHECK(registered_files(*ring).find("registered") == std::string::npos);
}

TEST_CASE("io_uring: rows that touch, or come twice, are read once") {
  if (!works()) {
    return;
  }
  const TemporaryFolder folder;
  KnownFile file = make_known_file(folder, "rows", 100'000, 1, true);
  const auto reader = make_reader({.gap_bytes = 100});
  CheckingSink sink;
  reader->submit(std::vector<io::ReadRequest>{
      request_of(file, 0, 1000, 0), request_of(file, 1000, 1000, 1), request_of(file, 0, 1000, 2),
      request_of(file, 2100, 900, 3), request_of(file, 50'000, 1000, 4)});
  drain(*reader, sink);
  CHECK(sink.times_landed.size() == 5);
  CHECK(reader->statistics().requests == 5);
  CHECK(reader->statistics().reads_submitted == 2);
  CHECK(reader->statistics().read_bytes == 4000);
}

TEST_CASE("io_uring: rows that stay in memory come past the ring") {
  if (!works()) {
    return;
  }
  const TemporaryFolder folder;
  KnownFile file = make_known_file(folder, "warm", 1 << 20, 1, false);
  const auto locked = file.source->map();  // nothing may reclaim the pages meanwhile
  if (::mlock(locked.value().data(), locked.value().size()) != 0) {
    MESSAGE("skipped: pages cannot be locked");
    return;
  }
  const auto reader = make_reader({});
  CheckingSink sink;
  for (uint32_t wave = 0; wave < 100; ++wave) {
    std::vector<io::ReadRequest> rows;
    for (uint32_t i = 0; i < 40; ++i) {
      rows.push_back(request_of(file, (wave * 40 + i) * 7919 % 1'000'000, 1536, wave * 40 + i));
    }
    reader->submit(rows);
    drain(*reader, sink);
  }
  CHECK(sink.times_landed.size() == 4000);
  CHECK(reader->statistics().rows_mapped > 2000);
  ::munlock(locked.value().data(), locked.value().size());
}

TEST_CASE("io_uring: a probe of an empty or missing file blames the file") {
  if (!works()) {
    return;
  }
  const TemporaryFolder folder;
  write_file(folder / "empty", {});
  CHECK(io::probe_uring(folder / "empty").error().code == base::Code::io);
  CHECK(io::probe_uring(folder / "missing").error().code == base::Code::io);
}

TEST_CASE("io_uring: the reasons for its absence say what to do") {
  for (const int os_errno : {EPERM, ENOSYS, ENOMEM, EINVAL}) {
    const base::Error error = io::unsupported_uring(os_errno);
    CHECK(error.code == base::Code::unsupported);
    CHECK(error.message.find("set async_scorer to false or auto") != std::string::npos);
  }
  CHECK(io::unsupported_uring(ENOMEM).message.find("RLIMIT_MEMLOCK") != std::string::npos);
  CHECK(io::unsupported_uring(ENOSYS).message.find("5.1") != std::string::npos);
}

#endif
