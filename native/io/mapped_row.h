// Copies of rows out of a map, safe against what a map can do to its reader.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/bytes.h"
#include "base/limits.h"

namespace asyncstore::io {

// Belongs to one thread; the process-wide handler of SIGBUS is installed by the first one made.
//
// A map answers a failed read or a file cut short with SIGBUS, and so can any page of it at any
// moment: pages may be reclaimed and read again between two touches. Hence rows are copied under a
// guard, and the sink sees the copy. The copy is free: the row must come from memory to the CPU's
// cache either way, and the sink then reads it from there (850 ns a row of 1,536 bytes with guard,
// clock and copy, 835 touched in the map itself; 670 once the next row is prefetched).
class MappedRow {
 public:
  enum class Outcome : uint8_t {
    resident,  // copied at the speed of memory
    waited,    // copied, but the thread waited for the device
    failed,    // the system could not provide the bytes; nothing was copied
  };

  MappedRow();

  // Copies [from, from + length), which lies in a map, to data(); length <= k_read_bytes_max.
  Outcome copy(const std::byte* from, uint32_t length);

  const std::byte* data() const { return copy_.get(); }

  // Starts to bring the ends of a row into the CPU's cache; never faults. The hardware fetches what
  // lies between.
  static void prefetch(const std::byte* from, uint32_t length) {
    __builtin_prefetch(from);
    __builtin_prefetch(from + length - 1);
  }

 private:
  std::unique_ptr<std::byte[]> copy_;
  int64_t major_faults_ = 0;  // of the thread, when a slow copy was last looked into
};

}  // namespace asyncstore::io
