#include "reader_conformance.h"

#include <doctest/doctest.h>

#include <cstring>

#include "io/cached_reader.h"
#include "io/fault_reader.h"
#include "io/uring_reader.h"

namespace asyncstore::io_test {
namespace {

using ReaderResult = base::Result<std::unique_ptr<io::Reader>>;

ReaderResult make_uring(io::ReaderOptions options, bool direct) {
  options.direct = direct;
  return io::make_uring_reader(options);
}

#ifndef ASYNCSTORE_WITHOUT_URING
// With what kernels before 5.19 offer.
ReaderResult make_plain_uring(const io::ReaderOptions& options) {
  TRY_ASSIGN(auto ring, io::Ring::make(options.depth + 1, 2));
  TRY_ASSIGN(auto pool, io::BufferPool::make(options.pool_bytes + (1 << 20)));
  return ReaderResult(std::make_unique<io::UringReader>(options, std::move(ring), std::move(pool)));
}
#endif

// A cache so small that rows come and go.
ReaderResult make_cached(const io::ReaderOptions& options) {
  TRY_ASSIGN(auto below, make_uring(options, true));
  return ReaderResult(std::make_unique<io::CachedReader>(
      std::move(below), std::make_shared<io::RowCache>(uint64_t{4} << 20), true));
}

ReaderResult make_faultless(const io::ReaderOptions& options) {
  TRY_ASSIGN(auto below, io::make_mmap_reader(options));
  return ReaderResult(std::make_unique<io::FaultReader>(std::move(below), io::FaultPlan{}));
}

ReaderResult make_shuffled(const io::ReaderOptions& options) {
  TRY_ASSIGN(auto below, io::make_mmap_reader(options));
  io::FaultPlan plan;
  plan.reorder = true;
  plan.seed = 3;
  for (uint64_t k = 0; k < 10'000; k += 3) {
    plan.faults[k] = io::Fault::delay;
  }
  return ReaderResult(std::make_unique<io::FaultReader>(std::move(below), std::move(plan)));
}

std::vector<Flavour> make_flavours() {
  std::vector<Flavour> made = {
      {"mmap", false, [](auto options) { return io::make_mmap_reader(options); }},
      {"mmap through FaultReader", false, [](auto options) { return make_faultless(options); }},
      {"mmap delayed and shuffled", false, [](auto options) { return make_shuffled(options); }},
  };
  if (uring_missing_because().empty()) {
    made.push_back({"io_uring", false, [](auto options) { return make_uring(options, false); }});
    made.push_back(
        {"io_uring direct", true, [](auto options) { return make_uring(options, true); }});
    made.push_back({"io_uring direct behind a cache", true,
                    [](auto options) { return make_cached(options); }});
#ifndef ASYNCSTORE_WITHOUT_URING
    made.push_back({"io_uring of an old kernel", false,
                    [](auto options) { return make_plain_uring(options); }});
#endif
  }
  return made;
}

}  // namespace

const std::string& uring_missing_because() {
  static const std::string reason = [] {
    const TemporaryFolder folder;
    write_file(folder / "probe", random_bytes(4096, 1));
    const base::Status status = io::probe_uring(folder / "probe");
    return status.ok() ? std::string() : status.error().message;
  }();
  return reason;
}

const std::vector<Flavour>& flavours() {
  static const std::vector<Flavour> made = make_flavours();
  return made;
}

KnownFile make_known_file(const TemporaryFolder& folder, const std::string& name, uint64_t size,
                          uint64_t seed, bool direct) {
  KnownFile file{folder / name, random_bytes(size, seed), nullptr};
  write_file(file.path, file.content);
  auto source = io::Source::open(file.path, {.direct = direct, .map_bytes = 0, .kept = true});
  REQUIRE(source.ok());
  file.source = source.value();
  return file;
}

void CheckingSink::landed(const io::ReadRequest& request, base::Bytes data,
                          const base::Error* error) {
  ++times_landed[request.index];
  const auto& file = *static_cast<const KnownFile*>(request.context);
  if (error != nullptr) {
    errors.emplace(request.index, *error);
    CHECK(data.empty());
  } else {
    REQUIRE(data.size() == request.length);
    REQUIRE(request.offset + request.length <= file.content.size());
    CHECK(std::memcmp(data.data(), file.content.data() + request.offset, data.size()) == 0);
  }
  if (then) {
    then(request);
  }
}

void each_landed_once(const CheckingSink& sink, uint32_t count) {
  REQUIRE(sink.times_landed.size() == count);
  for (const auto& [index, times] : sink.times_landed) {
    CAPTURE(index);
    CHECK(times == 1);
  }
}

io::ReadRequest request_of(KnownFile& file, uint64_t offset, uint32_t length, uint32_t index) {
  return {file.source.get(), offset, length, index, &file};
}

void drain(io::Reader& reader, io::Sink& sink) {
  while (reader.pending() > 0) {
    CHECK(reader.reap(sink, true) > 0);
  }
}

std::unique_ptr<io::Reader> make(const Flavour& flavour, io::ReaderOptions options) {
  auto reader = flavour.make(options);
  REQUIRE_MESSAGE(reader.ok(), flavour.name);
  return std::move(reader.value());
}

}  // namespace asyncstore::io_test
