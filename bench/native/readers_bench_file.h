// The file that readers_bench reads: made, warmed, dropped and locked.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "io/source.h"

namespace asyncstore::bench {

inline constexpr uint64_t k_block_bytes = 4 << 20;

struct Settings {
  std::string file = "/tmp/asyncstore-readers-bench.dat";
  uint64_t size_mib = 1280;
  int rounds = 30;
  int seconds = 3;
  std::string only = {};
};

[[noreturn]] inline void die(const std::string& what) {
  std::fprintf(stderr, "readers_bench: %s\n", what.c_str());
  std::exit(1);
}

template <typename T>
T must(base::Result<T> result) {
  if (!result.ok()) {
    die(result.error().message);
  }
  return std::move(result.value());
}

inline void make_file(const Settings& settings) {
  const int fd = ::open(settings.file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) {
    die("cannot open " + settings.file + ": " + std::strerror(errno));
  }
  std::vector<uint64_t> block(k_block_bytes / 8);
  std::mt19937_64 random(1);
  const uint64_t size = settings.size_mib << 20;
  for (auto at = static_cast<uint64_t>(::lseek(fd, 0, SEEK_END)); at < size; at += k_block_bytes) {
    std::generate(block.begin(), block.end(), std::ref(random));
    if (::pwrite(fd, block.data(), k_block_bytes, static_cast<off_t>(at)) <= 0) {
      die("cannot write " + settings.file + ": " + std::strerror(errno));
    }
  }
  ::fsync(fd);
  ::close(fd);
}

// Reads the whole file in sequence.
inline void read_through(const Settings& settings, int flags) {
  const int fd = ::open(settings.file.c_str(), O_RDONLY | O_CLOEXEC | flags);
  void* block = std::aligned_alloc(4096, k_block_bytes);
  off_t at = 0;
  for (ssize_t count = 1; count > 0; at += count) {
    count = ::pread(fd, block, k_block_bytes, at);
  }
  std::free(block);
  ::close(fd);
}

inline void drop_pages(const Settings& settings) {
  const int fd = ::open(settings.file.c_str(), O_RDONLY | O_CLOEXEC);
  ::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
  ::close(fd);
}

// Holds all pages of the file in memory: some machines reclaim pages nobody used for a second
// (DAMON), and a percent of rows that are not there after all would hide what is measured here.
class LockedFile {
 public:
  explicit LockedFile(const Settings& settings)
      : source_(must(io::Source::open(settings.file, {.direct = false, .map_bytes = 0}))),
        map_(must(source_->map())) {
    if (::mlock(map_.data(), map_.size()) != 0) {
      std::printf("\nnot root: pages cannot be locked, some may be missing in \"Warm\"\n");
      read_through(settings, 0);
    }
  }
  ~LockedFile() { ::munlock(map_.data(), map_.size()); }

 private:
  std::shared_ptr<io::Source> source_;
  base::Bytes map_;
};

}  // namespace asyncstore::bench
