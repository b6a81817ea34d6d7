// Assertions for programmer errors. They are on in every build: the store would rather stop than
// write what it no longer understands.
#pragma once

namespace asyncstore::base {
[[noreturn]] void assertion_failed(const char* expression, const char* file, int line);
}  // namespace asyncstore::base

#define ASSERT(expression)       \
  (static_cast<bool>(expression) \
       ? static_cast<void>(0)    \
       : ::asyncstore::base::assertion_failed(#expression, __FILE__, __LINE__))
