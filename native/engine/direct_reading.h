// Whether originals are read past the page cache.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/memory.h"
#include "engine/options.h"

namespace asyncstore::engine {

// As the options say; `automatic` reads directly when the originals would not fit into the memory
// that is left. Then a page cache would be a poor one of rows (four of five bytes of a page were
// not asked for), and pages that come and go at every read cost more than they save.
class DirectReading {
 public:
  explicit DirectReading(Choice choice) : choice_(choice), on_(choice == Choice::yes) {}

  bool on() const { return on_.load(std::memory_order_relaxed); }
  // Looks at the memory; `originals_bytes` are those of all vectors. True when on() has changed.
  bool look(uint64_t originals_bytes) {
    if (choice_ != Choice::automatic) {
      return false;
    }
    const uint64_t available = base::available_memory_bytes();
    // Back only when there is some room, or a store at the limit would go to and fro.
    const bool wanted = originals_bytes > (on() ? available / 4 * 3 : available);
    return on_.exchange(wanted, std::memory_order_relaxed) != wanted;
  }

 private:
  const Choice choice_;
  std::atomic<bool> on_;
};

}  // namespace asyncstore::engine
