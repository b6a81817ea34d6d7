#include "base/result.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace asyncstore::base {

void assertion_failed(const char* expression, const char* file, int line) {
  std::fprintf(stderr, "asyncstore: assertion failed: %s (%s:%d)\n", expression, file, line);
  std::abort();
}

Error invalid_argument(std::string message) {
  return Error{Code::invalid_argument, std::move(message)};
}

Error corruption(std::string file, uint64_t offset_bytes, const std::string& what) {
  std::string message = what + " in " + file + " at byte " + std::to_string(offset_bytes);
  return Error{Code::corruption, std::move(message), std::move(file), offset_bytes};
}

Error io_error(const std::string& what, std::string file, uint64_t offset_bytes, int os_errno) {
  char text[128] = {};
  // The GNU strerror_r returns the text, which need not be in the buffer.
  const char* reason = strerror_r(os_errno, text, sizeof text);
  std::string message =
      what + " " + file + " at byte " + std::to_string(offset_bytes) + ": " + reason;
  return Error{Code::io, std::move(message), std::move(file), offset_bytes, os_errno};
}

}  // namespace asyncstore::base
