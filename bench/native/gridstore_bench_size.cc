// Gridstore's own space and speed at size.
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <random>
#include <vector>

#include "gridstore/gridstore.h"
#include "gridstore_bench.h"
#include "gridstore_bench_stores.h"
#include "gridstore_bench_values.h"

namespace asyncstore::bench {
namespace {

using gridstore::Gridstore;

void must(const base::Status& status) {
  if (!status.ok()) {
    die(status.error().message);
  }
}

std::unique_ptr<Gridstore> open_grid(const Settings& settings, uint64_t flush_number) {
  gridstore::Options options;
  options.owner = 1;
  auto opened =
      Gridstore::open(io::make_posix_storage(), settings.folder + "/grid", options, flush_number);
  if (!opened.ok()) {
    die(opened.error().message);
  }
  return std::move(opened.value());
}

// Milliseconds of the writer's part, and of the other threads'.
struct FlushTime {
  double plan_ms = 0;
  double committed_ms = 0;
  double other_ms = 0;
};

FlushTime flush(Gridstore& store) {
  FlushTime time;
  const int64_t begin = now_ns();
  auto plan = store.plan_flush();
  const int64_t planned = now_ns();
  if (!plan) {
    return time;
  }
  must(store.prepare(*plan, store.flush_number() + 1));
  must(store.finish(*plan));
  const int64_t finished = now_ns();
  store.committed(std::move(plan));
  time.plan_ms = static_cast<double>(planned - begin) / 1e6;
  time.committed_ms = static_cast<double>(now_ns() - finished) / 1e6;
  time.other_ms = static_cast<double>(finished - planned) / 1e6;
  return time;
}

// Page faults that waited for the device: what the kernel took out of the cache meanwhile.
int64_t major_faults() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage.ru_majflt;
}

// Groups of 64, as a writer that drains its inbox makes them.
constexpr uint64_t k_group = 64;

template <typename Put>
double put_many(Gridstore& store, uint64_t count, uint64_t flush_every, Put put) {
  int64_t flushing = 0;
  const int64_t begin = now_ns();
  for (uint64_t i = 0; i < count; ++i) {
    must(put(i));
    if (i % k_group == k_group - 1) {
      must(store.write_out());
      store.release(nullptr);
    }
    if (i % flush_every == flush_every - 1) {
      must(store.write_out());
      const int64_t before = now_ns();
      flush(store);
      flushing += now_ns() - before;
    }
  }
  must(store.write_out());
  store.release(nullptr);
  return static_cast<double>(now_ns() - begin - flushing) / 1e3 / static_cast<double>(count);
}

// The kernel takes what was not used for a while out of its cache: brings it back.
void read_all_files(const std::string& folder) {
  std::vector<char> part(size_t{1} << 20);
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    std::ifstream file(entry.path(), std::ios::binary);
    while (file.read(part.data(), static_cast<std::streamsize>(part.size()))) {
    }
  }
}

void print_space(const char* when, const Gridstore& store, double value_bytes) {
  const auto counted = store.statistics();
  const double live = static_cast<double>(counted.live_bytes);
  std::printf("%-28s %9.0f MiB live, %9.0f MiB of files: %.3f of live, %.3f of the values as put\n",
              when, live / (1 << 20), static_cast<double>(counted.file_bytes) / (1 << 20),
              static_cast<double>(counted.file_bytes) / live,
              static_cast<double>(counted.file_bytes) / value_bytes);
  std::printf("%-28s %9lu blocks live, %lu waiting, %lu free; %.1f MiB of RAM\n", "",
              counted.live_blocks, counted.waiting_blocks, counted.free_blocks,
              static_cast<double>(counted.ram_bytes) / (1 << 20));
}

}  // namespace

void measure_space(const Settings& settings) {
  for (const bool text : {false, true}) {
    std::filesystem::remove_all(settings.folder + "/grid");
    auto store = open_grid(settings, 0);
    const Values values(1, text);
    std::printf("%s, mean %.0f bytes\n", text ? "JSON" : "does not compress", values.mean_bytes());
    const double value_bytes = values.mean_bytes() * static_cast<double>(settings.values);
    std::mt19937_64 random(2);
    const double put_us = put_many(*store, settings.values, settings.flush_every, [&](uint64_t i) {
      return store->put(static_cast<uint32_t>(i), values.of(random()));
    });
    std::printf("put in order: %.2f us a value\n", put_us);
    print_space("after the first puts", *store, value_bytes);
    const uint64_t parts = 10;
    for (uint64_t part = 1; part <= parts; ++part) {
      const double us =
          put_many(*store, settings.operations / parts, settings.flush_every, [&](uint64_t) {
            return store->put(static_cast<uint32_t>(random() % settings.values),
                              values.of(random()));
          });
      std::printf("update %9lu: %.2f us\n", part * settings.operations / parts, us);
    }
    print_space("after the updates", *store, value_bytes);
  }
  std::filesystem::remove_all(settings.folder + "/grid");
}

void measure_flatness(const Settings& settings) {
  const uint64_t regions = (uint64_t{1} << 30) / (gridstore::k_region_blocks * uint64_t{128});
  std::printf(
      "Finding free space reads at most %lu bytes of gaps for a GiB: 2 a region for a run\n"
      "inside one, 4 more where it must cross regions.\n\n",
      6 * regions);
  std::printf(
      "| values   | put us | update us | delete us | read us | of these from disk | plan ms |"
      " committed ms | flush ms | open ms |\n"
      "|----------|--------|-----------|-----------|---------|--------------------|---------|"
      "--------------|----------|---------|\n");
  for (uint64_t count = settings.values / 10; count <= settings.values; count *= 10) {
    std::filesystem::remove_all(settings.folder + "/grid");
    auto store = open_grid(settings, 0);
    const Values values(1, true);
    std::mt19937_64 random(3);
    const double put_us = put_many(*store, count, 1'000'000, [&](uint64_t i) {
      return store->put(static_cast<uint32_t>(i), values.of(i));
    });
    flush(*store);
    const double update_us = put_many(*store, 1'000'000, UINT64_MAX, [&](uint64_t) {
      return store->put(static_cast<uint32_t>(random() % count), values.of(random()));
    });
    const FlushTime time = flush(*store);
    read_all_files(settings.folder + "/grid");
    constexpr uint64_t k_reads = 1'000'000;
    const int64_t faults = major_faults();
    const int64_t begin = now_ns();
    for (uint64_t i = 0; i < k_reads; ++i) {
      if (!store->read(static_cast<uint32_t>(random() % count)).ok()) {
        die("a value is missing");
      }
    }
    const double read_us = static_cast<double>(now_ns() - begin) / 1e3 / k_reads;
    const int64_t from_disk = major_faults() - faults;
    const double delete_us = put_many(*store, count / 2, UINT64_MAX, [&](uint64_t) {
      store->remove(static_cast<uint32_t>(random() % count));
      return base::Status();
    });
    flush(*store);
    const uint64_t number = store->flush_number();
    store.reset();
    std::vector<double> open_ms;
    for (int i = 0; i < 3; ++i) {
      const int64_t start = now_ns();
      store = open_grid(settings, number);
      open_ms.push_back(static_cast<double>(now_ns() - start) / 1e6);
      store.reset();
    }
    std::sort(open_ms.begin(), open_ms.end());
    std::printf(
        "| %8lu | %6.2f | %9.2f | %9.2f | %7.2f | %18ld | %7.1f | %12.1f | %8.0f | %7.1f |\n",
        count, put_us, update_us, delete_us, read_us, from_disk, time.plan_ms, time.committed_ms,
        time.other_ms, open_ms[1]);
    std::fflush(stdout);
  }
  std::filesystem::remove_all(settings.folder + "/grid");
}

}  // namespace asyncstore::bench
