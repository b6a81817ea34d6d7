// Telling the processor that a loop only waits.
#pragma once

namespace asyncstore::simd {

inline void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("isb");
#endif
}

}  // namespace asyncstore::simd
