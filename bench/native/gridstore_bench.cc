// Measures Gridstore against RocksDB and LMDB, and its own space and speed at size.
//
//   gridstore_bench mixes [--values N] [--operations N] [--rounds N] [--threads N] [--only STORE]
//                         [--mix NAME]
//   gridstore_bench space [--values N] [--operations N]
//   gridstore_bench flat  [--values N]
//   common: [--folder PATH] [--flush-every N] [--json PATH]
//
// The mixes are those of the Bustle framework: read-heavy (95 % reads, 5 % updates), insert-heavy
// (80 % inserts, 20 % reads), update-heavy (half and half). The stores take turns, round by round,
// each with a new folder; ratios are medians over the rounds. Another thread flushes.
#include "gridstore_bench.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "base/thread.h"
#include "gridstore_bench_stores.h"
#include "gridstore_bench_values.h"

namespace asyncstore::bench {
namespace {

struct Mix {
  const char* name;
  uint32_t reads;    // percent
  uint32_t inserts;  // percent; the rest are updates
};
constexpr Mix k_mixes[] = {
    {"read-heavy", 95, 0}, {"insert-heavy", 20, 80}, {"update-heavy", 50, 0}};

struct Outcome {
  double mean_us = 0;
  double p99_us = 0;
  double p999_us = 0;
  double rate = 0;           // operations a second
  double disk_mib = 0;       // in the mean over the run
  double disk_most_mib = 0;  // and at its worst moment
};

double percentile(std::vector<uint32_t>& latencies_ns, double share) {
  const auto at = static_cast<size_t>(share * static_cast<double>(latencies_ns.size() - 1));
  std::nth_element(latencies_ns.begin(), latencies_ns.begin() + static_cast<ptrdiff_t>(at),
                   latencies_ns.end());
  return latencies_ns[at] / 1000.0;
}

// Flushes whenever so many more operations were done.
class Flusher {
 public:
  Flusher(Store& store, uint64_t every, const std::atomic<uint64_t>& done)
      : thread_([this, &store, every, &done] {
          base::describe_thread("flusher", base::k_nice_background);
          uint64_t next = every;
          while (!stop_.load()) {
            if (done.load(std::memory_order_relaxed) >= next) {
              store.flush();
              next += every;
            } else {
              std::this_thread::sleep_for(std::chrono::milliseconds(1));
            }
          }
        }) {}
  ~Flusher() {
    stop_ = true;
    thread_.join();
  }

 private:
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

// Looks every 50 ms how much disk a store takes: what one has at its end depends on whether it has
// just compacted.
class DiskWatch {
 public:
  explicit DiskWatch(const std::string& folder)
      : thread_([this, folder] {
          base::describe_thread("disk-watch", base::k_nice_background);
          while (!stop_.load()) {
            samples_mib_.push_back(disk_mib(folder));
            std::this_thread::sleep_for(std::chrono::milliseconds(50));
          }
        }) {}
  ~DiskWatch() { stop(); }

  // Fills in what was seen.
  void finish(Outcome& outcome) {
    stop();
    const double sum = std::accumulate(samples_mib_.begin(), samples_mib_.end(), 0.0);
    outcome.disk_mib = sum / static_cast<double>(samples_mib_.size());
    outcome.disk_most_mib = *std::max_element(samples_mib_.begin(), samples_mib_.end());
  }

 private:
  void stop() {
    stop_ = true;
    if (thread_.joinable()) {
      thread_.join();
    }
  }

  std::atomic<bool> stop_{false};
  std::vector<double> samples_mib_;
  std::thread thread_;
};

struct Shared {
  explicit Shared(const Mix& the_mix) : mix(the_mix) {}
  const Mix& mix;
  std::atomic<uint64_t> done{0};
  std::atomic<uint32_t> next_key{0};
  std::vector<std::atomic<uint32_t>> windows = std::vector<std::atomic<uint32_t>>(36'000);
};

// One thread's operations; its latencies.
std::vector<uint32_t> work(Store& store, const Values& values, Shared& shared, uint64_t operations,
                           uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<uint32_t> latencies_ns;
  latencies_ns.reserve(operations);
  std::vector<std::byte> value;
  const int64_t begin = now_ns();
  for (uint64_t i = 0; i < operations; ++i) {
    const uint64_t dice = random() % 100;
    const auto any = static_cast<uint32_t>(random() % shared.next_key.load());
    const bool inserts = dice >= shared.mix.reads && dice < shared.mix.reads + shared.mix.inserts;
    const uint32_t key = inserts ? shared.next_key.fetch_add(1) : any;
    const base::Bytes content = values.of(random());
    const int64_t start = now_ns();
    if (dice < shared.mix.reads) {
      // With two threads the youngest key may be on its way.
      if (!store.get(key, value) && shared.mix.inserts == 0) {
        die("a value is missing");
      }
    } else {
      store.put(key, content);
    }
    const int64_t stop = now_ns();
    latencies_ns.push_back(static_cast<uint32_t>(std::min<int64_t>(stop - start, UINT32_MAX)));
    shared.done.fetch_add(1, std::memory_order_relaxed);
    const auto window = static_cast<size_t>((stop - begin) / 100'000'000);
    shared.windows[std::min(window, shared.windows.size() - 1)].fetch_add(
        1, std::memory_order_relaxed);
  }
  return latencies_ns;
}

Outcome measure(const Settings& settings, const Kind& kind, const Mix& mix, uint32_t threads,
                uint32_t round, std::FILE* json) {
  const std::string folder = settings.folder + "/" + kind.name;
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  auto store = kind.open(folder);
  const Values values(round, true);
  Shared shared(mix);
  // Insert-heavy begins with a tenth of the values.
  const auto present =
      static_cast<uint32_t>(mix.inserts > 0 ? settings.values / 10 : settings.values);
  for (uint32_t key = 0; key < present; ++key) {
    store->put(key, values.of(key));
  }
  shared.next_key = present;
  store->flush();
  ::sync();

  std::vector<std::vector<uint32_t>> parts(threads);
  Outcome outcome;
  DiskWatch disk(folder);
  const int64_t begin = now_ns();
  {
    const Flusher flusher(*store, settings.flush_every, shared.done);
    std::vector<std::thread> workers;
    for (uint32_t i = 0; i < threads; ++i) {
      workers.emplace_back([&, i] {
        parts[i] = work(*store, values, shared, settings.operations / threads, round * 10 + i);
      });
    }
    for (auto& worker : workers) {
      worker.join();
    }
  }
  const double seconds = static_cast<double>(now_ns() - begin) / 1e9;
  store->flush();
  disk.finish(outcome);

  std::vector<uint32_t> latencies_ns;
  for (const auto& part : parts) {
    latencies_ns.insert(latencies_ns.end(), part.begin(), part.end());
  }
  double sum = 0;
  for (const uint32_t each : latencies_ns) {
    sum += each;
  }
  outcome.mean_us = sum / 1000.0 / static_cast<double>(latencies_ns.size());
  outcome.p99_us = percentile(latencies_ns, 0.99);
  outcome.p999_us = percentile(latencies_ns, 0.999);
  outcome.rate = static_cast<double>(latencies_ns.size()) / seconds;
  store.reset();
  if (json != nullptr) {
    for (size_t i = 0; i < shared.windows.size() && static_cast<double>(i) / 10 < seconds; ++i) {
      std::fprintf(json,
                   "{\"store\":\"%s\",\"mix\":\"%s\",\"threads\":%u,\"round\":%u,\"second\":%.1f,"
                   "\"operations\":%u}\n",
                   kind.name, mix.name, threads, round, static_cast<double>(i) / 10,
                   shared.windows[i].load());
    }
    std::fflush(json);
  }
  std::filesystem::remove_all(folder);
  return outcome;
}

double median_of(const std::vector<Outcome>& outcomes, double Outcome::*part) {
  std::vector<double> numbers;
  numbers.reserve(outcomes.size());
  for (const Outcome& outcome : outcomes) {
    numbers.push_back(outcome.*part);
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers[numbers.size() / 2];
}

// Of the rounds' ratios, not the ratio of two medians: a round's stores met the same machine.
double ratio_of(const std::vector<Outcome>& ours, const std::vector<Outcome>& theirs,
                double Outcome::*part) {
  std::vector<double> ratios;
  ratios.reserve(ours.size());
  for (size_t i = 0; i < ours.size(); ++i) {
    ratios.push_back(ours[i].*part / theirs[i].*part);
  }
  std::sort(ratios.begin(), ratios.end());
  return ratios[ratios.size() / 2];
}

void measure_mix(const Settings& settings, const Mix& mix, uint32_t threads, std::FILE* json) {
  std::map<std::string, std::vector<Outcome>> outcomes;
  for (uint32_t round = 1; round <= settings.rounds; ++round) {
    for (const Kind& kind : kinds()) {
      if (settings.only.empty() || settings.only == kind.name) {
        outcomes[kind.name].push_back(measure(settings, kind, mix, threads, round, json));
      }
    }
  }
  for (const Kind& kind : kinds()) {
    const auto& own = outcomes[kind.name];
    if (own.empty()) {
      continue;
    }
    std::printf("| %-12s | %u | %-14s | %7.2f | %7.1f | %8.1f | %8.0f | %8.0f | %5.0f |", mix.name,
                threads, kind.name, median_of(own, &Outcome::mean_us),
                median_of(own, &Outcome::p99_us), median_of(own, &Outcome::p999_us),
                median_of(own, &Outcome::rate), median_of(own, &Outcome::disk_mib),
                median_of(own, &Outcome::disk_most_mib));
    const auto& ours = outcomes["gridstore"];
    if (&own != &ours && ours.size() == own.size()) {
      std::printf(
          " gridstore is %.2f of its mean, %.2f of p99, %.2f of p99.9, %.2f of its disk (%.2f at "
          "most)",
          ratio_of(ours, own, &Outcome::mean_us), ratio_of(ours, own, &Outcome::p99_us),
          ratio_of(ours, own, &Outcome::p999_us), ratio_of(ours, own, &Outcome::disk_mib),
          ratio_of(ours, own, &Outcome::disk_most_mib));
    }
    std::printf("\n");
    std::fflush(stdout);
  }
}

void measure_mixes(const Settings& settings) {
  std::printf(
      "%lu values, %lu operations, %u rounds, a flush every %lu operations; no sync per write\n",
      settings.values, settings.operations, settings.rounds, settings.flush_every);
  for (const Kind& kind : kinds()) {
    std::printf("%s: %s\n", kind.name, kind.durability);
  }
  std::printf(
      "\n| mix          | t | store          | mean us | p99 us  | p99.9 us | op/s     | disk MiB "
      "| most  |\n");
  std::printf(
      "|--------------|---|----------------|---------|---------|----------|----------|----------|"
      "-------|\n");
  std::FILE* json = settings.json.empty() ? nullptr : std::fopen(settings.json.c_str(), "w");
  for (const Mix& mix : k_mixes) {
    for (uint32_t threads = 1; threads <= settings.threads; ++threads) {
      if (!settings.mix.empty() && settings.mix != mix.name) {
        continue;
      }
      measure_mix(settings, mix, threads, json);
    }
  }
  if (json != nullptr) {
    std::fclose(json);
  }
}

Settings parse(int count, char** arguments) {
  Settings settings;
  settings.what = count > 1 ? arguments[1] : "";
  for (int i = 2; i + 1 < count; i += 2) {
    const std::string name = arguments[i];
    const char* text = arguments[i + 1];
    const uint64_t number = std::strtoull(text, nullptr, 10);
    if (name == "--values") {
      settings.values = number;
    } else if (name == "--operations") {
      settings.operations = number;
    } else if (name == "--rounds") {
      settings.rounds = static_cast<uint32_t>(number);
    } else if (name == "--threads") {
      settings.threads = static_cast<uint32_t>(number);
    } else if (name == "--flush-every") {
      settings.flush_every = number;
    } else if (name == "--folder") {
      settings.folder = text;
    } else if (name == "--json") {
      settings.json = text;
    } else if (name == "--only") {
      settings.only = text;
    } else if (name == "--mix") {
      settings.mix = text;
    } else {
      die("unknown option " + name);
    }
  }
  return settings;
}

}  // namespace

int64_t now_ns() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
}

double disk_mib(const std::string& folder) {
  uint64_t blocks = 0;
  // A file may go while it is looked at.
  for (const auto& file : std::filesystem::recursive_directory_iterator(folder)) {
    struct stat status {};
    if (::stat(file.path().c_str(), &status) == 0 && S_ISREG(status.st_mode)) {
      blocks += static_cast<uint64_t>(status.st_blocks);
    }
  }
  return static_cast<double>(blocks) * 512 / (1 << 20);
}

}  // namespace asyncstore::bench

int main(int count, char** arguments) {
  using namespace asyncstore::bench;
  const Settings settings = parse(count, arguments);
  std::filesystem::create_directories(settings.folder);
  if (settings.what == "mixes") {
    measure_mixes(settings);
  } else if (settings.what == "space") {
    measure_space(settings);
  } else if (settings.what == "flat") {
    measure_flatness(settings);
  } else {
    die("say what to measure: mixes, space or flat");
  }
  return 0;
}
