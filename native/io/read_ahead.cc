#include "io/read_ahead.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace asyncstore::io {

// By number: the C library's wrappers are younger than the calls.
ReadAhead::ReadAhead()
    : pid_fd_(static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0))), at_once_(pid_fd_ >= 0) {}

ReadAhead::~ReadAhead() {
  if (pid_fd_ >= 0) {
    ::close(pid_fd_);
  }
}

void ReadAhead::add(base::Bytes range) {
  if (range.empty()) {
    return;
  }
  ranges_[count_++] = {const_cast<std::byte*>(range.data()), range.size()};
  if (count_ == k_ranges_max) {
    ask();
  }
}

void ReadAhead::ask() {
  if (count_ > 0 && at_once_) {
    const long advised =
        ::syscall(SYS_process_madvise, pid_fd_, ranges_.data(), count_, MADV_WILLNEED, 0);
    // A range that it stopped at is left out with those behind it; they are read when touched.
    at_once_ = advised >= 0 || (errno != ENOSYS && errno != EPERM && errno != EINVAL);
    count_ = at_once_ ? 0 : count_;
  }
  for (size_t i = 0; i < count_; ++i) {
    (void)::madvise(ranges_[i].iov_base, ranges_[i].iov_len, MADV_WILLNEED);
  }
  count_ = 0;
}

}  // namespace asyncstore::io
