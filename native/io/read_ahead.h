// Asking the kernel for pages before they are touched.
#pragma once

#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/bytes.h"

namespace asyncstore::io {

// Collects ranges of maps and asks for all their pages at once (MADV_WILLNEED, which starts the
// reads and does not wait for them): one process_madvise for many ranges where the kernel (5.13)
// and the sandbox allow it, else one madvise a range. It is advice: a range that cannot be read
// fails when it is touched. Belongs to one thread.
class ReadAhead {
 public:
  ReadAhead();
  ReadAhead(const ReadAhead&) = delete;
  ReadAhead& operator=(const ReadAhead&) = delete;
  ~ReadAhead();

  // `range` begins and ends at a page, inside one map.
  void add(base::Bytes range);
  void ask();

 private:
  static constexpr size_t k_ranges_max = 128;  // a wave, mostly; 2 KiB

  const int pid_fd_;  // -1: madvise each
  std::array<iovec, k_ranges_max> ranges_;
  size_t count_ = 0;
  bool at_once_;
};

}  // namespace asyncstore::io
