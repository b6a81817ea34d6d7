// What the parts of gridstore_bench share.
#pragma once

#include <cstdint>
#include <string>

namespace asyncstore::bench {

struct Settings {
  std::string what;
  std::string folder = "/tmp/asyncstore-gridstore-bench";
  std::string json = {};  // throughput over time, a line a tenth of a second
  std::string only = {};  // one store
  std::string mix = {};   // one mix
  uint64_t values = 500'000;
  uint64_t operations = 1'000'000;
  uint64_t flush_every = 100'000;
  uint32_t rounds = 3;
  uint32_t threads = 2;  // 1 … this
};

int64_t now_ns();
double disk_mib(const std::string& folder);

// How much disk many random updates take; gridstore_bench_size.cc.
void measure_space(const Settings& settings);
// Whether puts, reads, updates and opening take the same time a value, however many there are.
void measure_flatness(const Settings& settings);

}  // namespace asyncstore::bench
