// A file that the readers of io/ read rows from.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace asyncstore::io {

// Two descriptors of one file (through the page cache, and O_DIRECT where asked for and possible)
// and, once somebody asks, a map of it. Shared by all workers; all members are safe from any
// thread. Reading ahead is switched off (POSIX_FADV_RANDOM, MADV_RANDOM): rows are asked for one by
// one.
class Source {
 public:
  struct Options {
    bool direct = false;     // also open with O_DIRECT; where that fails, direct_fd() is -1
    uint64_t map_bytes = 0;  // how far the file may grow; 0: it does not grow
    // Bytes that were read once never change, so that a cache may keep them.
    bool kept = false;
  };
  static base::Result<std::shared_ptr<Source>> open(const std::string& path, Options options);

  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;
  ~Source();

  const std::string& path() const { return path_; }
  int fd() const { return fd_; }
  int direct_fd() const { return direct_fd_; }
  // What O_DIRECT asks of offsets, lengths and buffers; a power of two of at least 512.
  uint32_t direct_alignment() const { return direct_alignment_; }
  bool kept() const { return kept_; }
  // Never the same for two sources of one process.
  uint64_t id() const { return id_; }

  // The present size, asked of the kernel at each call.
  base::Result<uint64_t> size() const;

  // The map, made at the first call: map_bytes, or the size then where that is 0. Bytes past the
  // end of the file must not be touched.
  base::Result<base::Bytes> map();

 private:
  Source() = default;

  std::string path_;
  int fd_ = -1;
  int direct_fd_ = -1;
  uint32_t direct_alignment_ = 512;
  uint64_t id_ = 0;
  uint64_t map_bytes_ = 0;
  bool kept_ = false;
  std::mutex map_mutex_;
  base::Bytes map_;
};

}  // namespace asyncstore::io
