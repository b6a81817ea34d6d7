// Reading mapped memory whose pages may fail to arrive.
#pragma once

#include <cstddef>

namespace asyncstore::io {

// Installs, once per process, a handler of SIGBUS that ends a guarded_copy() and hands every other
// SIGBUS to the handler that was there before (or to the default action). Handlers installed later,
// such as Python's faulthandler, work as long as they pass on what is not theirs; faulthandler
// prints a traceback first. Any thread.
void install_bus_guard();

// Copies `length` bytes; false when a page of `from` could not be read (the device failed, or the
// file is shorter than its map), `target` then holds any mixture. The two must not overlap. Any
// thread, after install_bus_guard().
bool guarded_copy(std::byte* target, const std::byte* from, size_t length);

}  // namespace asyncstore::io
