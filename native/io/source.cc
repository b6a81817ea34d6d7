#include "io/source.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cerrno>
#include <cstdlib>

#include "base/limits.h"

namespace asyncstore::io {
namespace {

using base::io_error;
using base::Result;

int open_retrying(const std::string& path, int flags) {
  while (true) {
    const int fd = ::open(path.c_str(), flags | O_CLOEXEC);
    if (fd >= 0 || errno != EINTR) {
      return fd;
    }
  }
}

// Where the kernel does not say (before 6.1, or a file system that is silent), a read tells:
// sectors of 512 bytes if one can be read, else pages.
uint32_t direct_alignment_by_read(int direct_fd) {
  void* buffer = std::aligned_alloc(base::k_page_bytes, base::k_page_bytes);
  if (buffer == nullptr) {
    return base::k_page_bytes;
  }
  const ssize_t count = ::pread(direct_fd, buffer, base::k_sector_bytes, 0);
  std::free(buffer);
  return count >= 0 ? base::k_sector_bytes : base::k_page_bytes;
}

uint32_t direct_alignment_of(int direct_fd) {
#ifdef STATX_DIOALIGN
  struct statx status {};
  if (::statx(direct_fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &status) == 0 &&
      (status.stx_mask & STATX_DIOALIGN) != 0 && status.stx_dio_offset_align != 0) {
    const uint32_t asked = std::max(status.stx_dio_offset_align, status.stx_dio_mem_align);
    return std::bit_ceil(std::max(asked, base::k_sector_bytes));
  }
#endif
  return direct_alignment_by_read(direct_fd);
}

}  // namespace

Result<std::shared_ptr<Source>> Source::open(const std::string& path, Options options) {
  static std::atomic<uint64_t> next_id{1};
  std::shared_ptr<Source> source(new Source());
  source->path_ = path;
  source->id_ = next_id.fetch_add(1, std::memory_order_relaxed);
  source->map_bytes_ = options.map_bytes;
  source->kept_ = options.kept;
  source->fd_ = open_retrying(path, O_RDONLY);
  if (source->fd_ < 0) {
    return io_error("cannot open", path, 0, errno);
  }
  // Advice only: where the file system does not take it, reads are still right.
  (void)::posix_fadvise(source->fd_, 0, 0, POSIX_FADV_RANDOM);
  if (options.direct) {
    source->direct_fd_ = open_retrying(path, O_RDONLY | O_DIRECT);
  }
  if (source->direct_fd_ >= 0) {
    source->direct_alignment_ = direct_alignment_of(source->direct_fd_);
    // The buffers of io/ are aligned to pages; no file system of today asks for more.
    if (source->direct_alignment_ > base::k_page_bytes) {
      ::close(source->direct_fd_);
      source->direct_fd_ = -1;
      source->direct_alignment_ = base::k_sector_bytes;
    }
  }
  return source;
}

Source::~Source() {
  if (map_.data() != nullptr) {
    ::munmap(const_cast<std::byte*>(map_.data()), map_.size());
  }
  if (direct_fd_ >= 0) {
    ::close(direct_fd_);
  }
  if (fd_ >= 0) {
    ::close(fd_);
  }
}

Result<uint64_t> Source::size() const {
  struct stat status {};
  if (::fstat(fd_, &status) != 0) {
    return io_error("cannot ask for the size of", path_, 0, errno);
  }
  return static_cast<uint64_t>(status.st_size);
}

Result<base::Bytes> Source::map() {
  const std::lock_guard lock(map_mutex_);
  if (map_.data() != nullptr) {
    return map_;
  }
  // What a damaged file has beyond it does not count.
  TRY_ASSIGN(const uint64_t present, size());
  const uint64_t length = map_bytes_ > 0 ? map_bytes_ : present;
  if (length == 0) {
    return map_;  // An empty file that does not grow cannot be mapped and has nothing to read.
  }
  void* begin = ::mmap(nullptr, length, PROT_READ, MAP_SHARED, fd_, 0);
  if (begin == MAP_FAILED) {
    return io_error("cannot map", path_, 0, errno);
  }
  (void)::madvise(begin, length, MADV_RANDOM);
  map_ = base::Bytes(static_cast<const std::byte*>(begin), length);
  return map_;
}

}  // namespace asyncstore::io
