#include "io/mapped_row.h"

#include <sys/resource.h>

#include <chrono>
#include <cstring>

#include "base/assert.h"
#include "io/bus_guard.h"

namespace asyncstore::io {
namespace {

// A fault that waits for a fast device takes 40 to 70 µs, one that finds its page in memory about
// 2, and long rows have one for each of their pages.
constexpr int64_t k_resident_ns_max = 15'000;
constexpr int64_t k_resident_page_ns_max = 5'000;

int64_t now_ns() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
}

// The page faults of this thread that waited for a device.
int64_t major_faults() {
  rusage usage{};
  ::getrusage(RUSAGE_THREAD, &usage);
  return usage.ru_majflt;
}

}  // namespace

MappedRow::MappedRow()
    : copy_(std::make_unique_for_overwrite<std::byte[]>(base::k_read_bytes_max)) {
  install_bus_guard();
}

MappedRow::Outcome MappedRow::copy(const std::byte* from, uint32_t length) {
  ASSERT(length <= base::k_read_bytes_max);
  const int64_t begin_ns = now_ns();
  if (!guarded_copy(copy_.get(), from, length)) {
    return Outcome::failed;
  }
  const int64_t pages = length / base::k_page_bytes + 1;
  const int64_t resident_ns_max = k_resident_ns_max + pages * k_resident_page_ns_max;
  if (now_ns() - begin_ns <= resident_ns_max) {
    return Outcome::resident;
  }
  const int64_t faults_before = major_faults_;
  major_faults_ = major_faults();
  return major_faults_ != faults_before ? Outcome::waited : Outcome::resident;
}

}  // namespace asyncstore::io
