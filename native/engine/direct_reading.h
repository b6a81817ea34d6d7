// Whether originals are read past the page cache.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/memory.h"
#include "engine/options.h"

namespace asyncstore::engine {

// As the options say. `automatic` reads directly, with the store's own cache of rows, while the
// originals do not fit into the memory that is left; where they fit, or there is no such cache, the
// page cache serves better (docs/decisions/0016-rows-not-pages.md).
class DirectReading {
 public:
  explicit DirectReading(const Options& options)
      : by_memory_(options.direct_by_memory()), on_(options.direct_io == Choice::yes) {}

  bool on() const { return on_.load(std::memory_order_relaxed); }
  // Looks at the memory; `originals_bytes` are those of all vectors. True when on() has changed.
  bool look(uint64_t originals_bytes) {
    if (!by_memory_) {
      return false;
    }
    const uint64_t available = base::available_memory_bytes();
    // Back only when there is some room, or a store at the limit would go to and fro.
    const bool wanted = originals_bytes > (on() ? available / 4 * 3 : available);
    return on_.exchange(wanted, std::memory_order_relaxed) != wanted;
  }

 private:
  const bool by_memory_;
  std::atomic<bool> on_;
};

}  // namespace asyncstore::engine
