// What the system is told of a thread.
#pragma once

namespace asyncstore::base {

// How far a thread steps back for the thread of the event loop, which must run the moment it wakes.
// Measured with 64 searches on two cores (bench/questions/loop_lag.py): a 1 ms timer fires 1.2 ms
// late (p99) with 10, 2.0 ms with 0; searches a second are the same.
inline constexpr int k_nice_work = 10;
inline constexpr int k_nice_background = 15;

// Names the calling thread (at most 15 characters) and lowers its priority.
void describe_thread(const char* name, int nice);

}  // namespace asyncstore::base
