// Whether a source's rows have lately all been in memory.
#pragma once

#include <algorithm>
#include <cstdint>

namespace asyncstore::io {

// Rows in memory are cheapest by a copy from the map, without any system call (bench/native/
// readers_bench.cc: 0.7 µs a row of 1,536 bytes; by the ring 1.5, by preadv2(RWF_NOWAIT) 1.5, by
// mincore and the map 1.2). A row that is not in memory would block the thread there, for as long
// as the device takes. So the map must earn its trust by a run of rows found resident by other
// means, and the first row that waits takes it away. Waits thus cost at most one read per run; runs
// grow while they keep ending that way (a collection a little larger than memory).
class Residency {
 public:
  bool trusted() const { return run_ >= run_needed_; }

  void found(uint32_t rows) { run_ = std::min(run_ + rows, k_run_most); }

  // A row outside the map's path was not resident.
  void missed() { run_ = 0; }

  // A row that was trusted to be resident was not.
  void disappointed() {
    const bool served_well = run_ >= k_paid_off * run_needed_;
    run_needed_ = served_well ? k_run_min : std::min(run_needed_ * 2, k_run_max);
    run_ = 0;
  }

 private:
  static constexpr uint32_t k_run_min = 256;       // six waves of forty
  static constexpr uint32_t k_run_max = 64 << 10;  // a few seconds of searches
  static constexpr uint32_t k_paid_off = 16;
  static constexpr uint32_t k_run_most = k_paid_off * k_run_max;  // counting further says no more

  uint32_t run_ = 0;
  uint32_t run_needed_ = k_run_min;
};

}  // namespace asyncstore::io
