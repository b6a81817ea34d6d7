// Measures the readers against a plain memory map and against the device.
//
//   readers_bench [--file PATH] [--size-mib N] [--rounds N] [--seconds N] [--only cold|rate|warm]
//
// The file is made when it is not there, and read through once with O_DIRECT, which fills the cache
// of a virtual machine's host and not the machine's own. Between cold measurements its pages are
// dropped with posix_fadvise(DONTNEED), which needs no root. The methods take turns, round by
// round, each with fresh random rows, so that a device whose speed drifts is the same for all.
#include <sys/resource.h>
#include <sys/utsname.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "io/reader.h"
#include "readers_bench_file.h"

using namespace asyncstore;
using namespace asyncstore::bench;

namespace {

constexpr uint32_t k_row_bytes = 1536;

// Time on the clock and of the CPU, in microseconds.
struct Cost {
  double wall_us = 0;
  double cpu_us = 0;
};

Cost now() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto us = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_usec);
  };
  const auto wall = std::chrono::steady_clock::now().time_since_epoch();
  return {std::chrono::duration<double, std::micro>(wall).count(),
          us(usage.ru_utime) + us(usage.ru_stime)};
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values.empty() ? 0 : values[values.size() / 2];
}

// Stands for scoring: every byte of the row is looked at.
uint64_t score(const std::byte* row, size_t length) {
  uint64_t sum = 0;
  for (size_t i = 0; i + 8 <= length; i += 8) {
    uint64_t word;
    std::memcpy(&word, row + i, 8);
    sum += word;
  }
  return sum;
}
volatile uint64_t g_score;

struct ScoringSink final : io::Sink {
  void landed(const io::ReadRequest&, base::Bytes data, const base::Error* error) override {
    if (error != nullptr) {
      die(error->message);
    }
    g_score = g_score + score(data.data(), data.size());
    ++rows;
  }
  uint64_t rows = 0;
};

std::vector<io::ReadRequest> random_rows(io::Source& source, uint32_t count,
                                         std::mt19937_64& random) {
  const uint64_t rows = must(source.size()) / k_row_bytes;
  std::vector<io::ReadRequest> wave;
  for (uint32_t i = 0; i < count; ++i) {
    wave.push_back({&source, random() % rows * k_row_bytes, k_row_bytes, i, nullptr});
  }
  return wave;
}

// A way of reading one wave to its end.
struct Method {
  const char* name;
  std::unique_ptr<io::Reader> reader;  // null: the map, row by row
};

std::vector<Method> make_methods(bool with_direct) {
  std::vector<Method> methods;
  methods.push_back({"map, row by row", nullptr});
  methods.push_back({"MmapReader", must(io::make_mmap_reader({}))});
  auto uring = io::make_uring_reader({});
  if (!uring.ok()) {
    std::printf("without UringReader: %s\n", uring.error().message.c_str());
    return methods;
  }
  methods.push_back({"UringReader buffered", std::move(uring.value())});
  if (with_direct) {
    methods.push_back({"UringReader direct", must(io::make_uring_reader({.direct = true}))});
  }
  return methods;
}

Cost run_wave(Method& method, io::Source& source, const std::vector<io::ReadRequest>& wave) {
  const base::Bytes map = must(source.map());
  const Cost begin = now();
  if (method.reader == nullptr) {
    for (const io::ReadRequest& row : wave) {
      g_score = g_score + score(map.data() + row.offset, row.length);
    }
  } else {
    ScoringSink sink;
    method.reader->submit(wave);
    while (method.reader->pending() > 0) {
      method.reader->reap(sink, true);
    }
  }
  const Cost end = now();
  return {end.wall_us - begin.wall_us, end.cpu_us - begin.cpu_us};
}

struct Series {
  std::vector<double> wall_us;
  std::vector<double> cpu_us;
};

double mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) {
    sum += value;
  }
  return sum / static_cast<double>(values.size());
}

// CPU is a mean: the kernel counts it in ticks on some machines.
void print_series(const std::vector<Method>& methods, const std::vector<Series>& series,
                  uint32_t rows) {
  const double map_us = median(series[0].wall_us);
  const double reader_us = median(series[1].wall_us);
  for (size_t i = 0; i < methods.size(); ++i) {
    const double wall_us = median(series[i].wall_us);
    std::printf("| %4u | %-21s | %9.1f | %8.0f | %9.1f | %6.2f | %6.2f |\n", rows, methods[i].name,
                wall_us, wall_us * 1000 / rows, mean(series[i].cpu_us), map_us / wall_us,
                reader_us / wall_us);
  }
}

void print_head(const char* title) {
  std::printf("\n%s\n", title);
  std::printf(
      "| rows | method                | median µs |  ns/row  | CPU µs    | × map  | × Mmap |\n");
  std::printf(
      "|------|-----------------------|-----------|----------|-----------|--------|--------|\n");
}

void measure_cold(const Settings& settings) {
  print_head("Cold: one wave of random rows of 1,536 bytes, page cache dropped before each");
  std::mt19937_64 random(2);
  for (const uint32_t rows : {15u, 40u, 240u}) {
    auto methods = make_methods(true);
    std::vector<Series> series(methods.size());
    for (int round = 0; round < settings.rounds; ++round) {
      for (size_t i = 0; i < methods.size(); ++i) {
        drop_pages(settings);
        const auto source = must(io::Source::open(settings.file, {.direct = true, .map_bytes = 0}));
        const Cost cost = run_wave(methods[i], *source, random_rows(*source, rows, random));
        series[i].wall_us.push_back(cost.wall_us);
        series[i].cpu_us.push_back(cost.cpu_us);
        if (methods[i].reader != nullptr) {
          methods[i].reader->forget(source->id());
        }
      }
    }
    print_series(methods, series, rows);
  }
}

// Each method has a source, and so a map, of its own: page tables fill up as the rounds go by. The
// first rounds are told apart from the last ones.
void measure_warm(const Settings& settings) {
  const LockedFile locked(settings);
  std::mt19937_64 random(3);
  for (const uint32_t rows : {15u, 40u, 240u}) {
    auto methods = make_methods(false);
    std::vector<std::shared_ptr<io::Source>> sources;
    for (size_t i = 0; i < methods.size(); ++i) {
      sources.push_back(must(io::Source::open(settings.file, {.direct = false, .map_bytes = 0})));
    }
    const int rounds = static_cast<int>(400'000 / rows / 4);
    std::vector<Series> first(methods.size());
    std::vector<Series> last(methods.size());
    for (int round = 0; round < rounds; ++round) {
      for (size_t i = 0; i < methods.size(); ++i) {
        const Cost cost = run_wave(methods[i], *sources[i], random_rows(*sources[i], rows, random));
        if (round < 20 || round >= rounds - 400) {
          Series& series = round < 20 ? first[i] : last[i];
          series.wall_us.push_back(cost.wall_us);
          series.cpu_us.push_back(cost.cpu_us);
        }
      }
    }
    print_head("Warm: all pages in memory; the first 20 rounds on a fresh map");
    print_series(methods, first, rows);
    print_head("Warm: the last rounds, page tables filled");
    print_series(methods, last, rows);
    for (const Method& method : methods) {
      if (method.reader != nullptr) {
        const io::ReaderStatistics counted = method.reader->statistics();
        std::printf("%s: %.1f %% of the rows from the map\n", method.name,
                    100.0 * static_cast<double>(counted.rows_mapped) /
                        static_cast<double>(counted.requests));
      }
    }
  }
}

// Submits another wave as soon as one is done.
struct RefillingSink final : io::Sink {
  void landed(const io::ReadRequest& request, base::Bytes data, const base::Error* error) override {
    if (error != nullptr) {
      die(error->message);
    }
    g_score = g_score + score(data.data(), data.size());
    ++rows;
    auto* left = static_cast<uint32_t*>(request.context);
    if (--*left == 0 && !stopping) {
      refill(*left);
    }
  }
  void refill(uint32_t& left) {
    auto wave = random_rows(*source, 40, random);
    left = 40;
    for (io::ReadRequest& row : wave) {
      row.context = &left;
    }
    reader->submit(wave);
  }
  io::Reader* reader = nullptr;
  io::Source* source = nullptr;
  std::mt19937_64 random{4};
  uint64_t rows = 0;
  bool stopping = false;
};

void measure_rate(const Settings& settings, bool direct) {
  auto made = io::make_uring_reader({.depth = 128, .direct = direct});
  if (!made.ok()) {
    return;
  }
  drop_pages(settings);
  const auto source = must(io::Source::open(settings.file, {.direct = true, .map_bytes = 0}));
  RefillingSink sink;
  sink.reader = made.value().get();
  sink.source = source.get();
  std::vector<uint32_t> left(16, 0);
  const Cost begin = now();
  for (uint32_t& wave : left) {
    sink.refill(wave);
  }
  while (now().wall_us - begin.wall_us < settings.seconds * 1e6) {
    sink.reader->reap(sink, true);
  }
  const Cost end = now();
  const double seconds = (end.wall_us - begin.wall_us) / 1e6;
  std::printf("| UringReader %-8s | %9.0f | %5.2f |\n", direct ? "direct" : "buffered",
              static_cast<double>(sink.rows) / seconds,
              (end.cpu_us - begin.cpu_us) / 1e6 / seconds);
  sink.stopping = true;
  while (sink.reader->pending() > 0) {
    sink.reader->reap(sink, true);
  }
}

// The device's own rate. Fields of fio's terse version 3: 8 is the rate of reads; 88 and 89 are the
// percentages of user and system time.
void measure_fio(const Settings& settings) {
  const std::string command =
      "fio --name=r --filename=" + settings.file +
      " --rw=randread --bs=4k --direct=1 --ioengine=io_uring --iodepth=128 --runtime=" +
      std::to_string(settings.seconds) + " --time_based --minimal 2>/dev/null";
  std::FILE* fio = ::popen(command.c_str(), "re");
  char line[4096] = {};
  const bool there = fio != nullptr && std::fgets(line, sizeof line, fio) != nullptr;
  if (fio != nullptr) {
    ::pclose(fio);
  }
  std::vector<std::string> fields(1);
  for (const char* at = line; there && *at != '\0'; ++at) {
    if (*at == ';') {
      fields.emplace_back();
    } else {
      fields.back().push_back(*at);
    }
  }
  if (fields.size() < 90) {
    std::printf("| fio                  | not found |       |\n");
    return;
  }
  std::printf("| fio, 4 KiB direct    | %9s | %5.2f |\n", fields[7].c_str(),
              (std::atof(fields[87].c_str()) + std::atof(fields[88].c_str())) / 100);
}

void measure_rates(const Settings& settings) {
  std::printf("\nRate: 16 waves of 40 rows in flight, depth 128, cold\n");
  std::printf("| method               |    rows/s | cores |\n");
  std::printf("|----------------------|-----------|-------|\n");
  measure_fio(settings);
  measure_rate(settings, true);
  measure_rate(settings, false);
  measure_rate(settings, true);
  measure_fio(settings);
}

void print_machine(const Settings& settings) {
  utsname system{};
  ::uname(&system);
  std::string cpu = "unknown CPU";
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("model name")) {
      cpu = line.substr(line.find(':') + 2);
      break;
    }
  }
  std::printf("%s, %u cores; %s %s; %s, %llu MiB; %d rounds\n", cpu.c_str(),
              std::thread::hardware_concurrency(), system.sysname, system.release,
              settings.file.c_str(), static_cast<unsigned long long>(settings.size_mib),
              settings.rounds);
}

Settings parse(int count, char** words) {
  Settings settings;
  for (int i = 1; i + 1 < count; i += 2) {
    const std::string word = words[i];
    const std::string value = words[i + 1];
    if (word == "--file") {
      settings.file = value;
    } else if (word == "--size-mib") {
      settings.size_mib = std::stoull(value);
    } else if (word == "--rounds") {
      settings.rounds = std::stoi(value);
    } else if (word == "--seconds") {
      settings.seconds = std::stoi(value);
    } else if (word == "--only") {
      settings.only = value;
    } else {
      die("unknown option " + word);
    }
  }
  return settings;
}

}  // namespace

int main(int count, char** words) {
  const Settings settings = parse(count, words);
  print_machine(settings);
  make_file(settings);
  read_through(settings, O_DIRECT);
  const auto wanted = [&](const char* part) {
    return settings.only.empty() || settings.only == part;
  };
  if (wanted("cold")) {
    measure_cold(settings);
  }
  if (wanted("rate")) {
    measure_rates(settings);
  }
  if (wanted("warm")) {
    measure_warm(settings);
  }
  return 0;
}
