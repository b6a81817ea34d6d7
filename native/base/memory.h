// How much memory there is to be had.
#pragma once

#include <cstdint>
#include <string>

namespace asyncstore::base {

// Bytes that this process may still fill, with its own data or with pages of files, before
// something else has to go: the least of what the machine has available and of what each control
// group that the process is in (version 1 or 2, up to the root) leaves, pages of files that it may
// drop counted as free. Reads a few files of the kernel.
uint64_t available_memory_bytes();

// The same with these folders for /proc and /sys/fs/cgroup.
uint64_t available_memory_bytes(const std::string& proc, const std::string& cgroups);

}  // namespace asyncstore::base
