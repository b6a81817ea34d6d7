// The error of a read that wants more than the file has.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace asyncstore::io {

// An io error with os_errno 0: the operating system did nothing wrong, the file is too short.
inline base::Error past_end(const std::string& path, uint64_t offset, uint64_t length,
                            uint64_t size) {
  std::string message = "cannot read " + path + " at byte " + std::to_string(offset) +
                        ": the file ends at " + std::to_string(size) + ", wanted bytes up to " +
                        std::to_string(offset + length);
  return base::Error{base::Code::io, std::move(message), path, offset, 0};
}

}  // namespace asyncstore::io
