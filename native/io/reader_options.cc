#include "io/reader_options.h"

#include <string>

namespace asyncstore::io {

base::Status check(const ReaderOptions& options) {
  if (options.depth == 0 || options.depth > base::k_io_depth_max) {
    return base::invalid_argument("the depth of a reader is " + std::to_string(options.depth) +
                                  "; it must be between 1 and " +
                                  std::to_string(base::k_io_depth_max));
  }
  return {};
}

const char* name(ReaderKind kind) {
  switch (kind) {
    case ReaderKind::io_uring:
      return "io_uring";
    case ReaderKind::mmap:
      return "mmap";
  }
  ASSERT(false);
  return "";
}

}  // namespace asyncstore::io
