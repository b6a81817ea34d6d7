// Whether io_uring works here, found out by using it.
#ifndef ASYNCSTORE_WITHOUT_URING

#include <algorithm>
#include <array>
#include <cerrno>

#include "io/reader.h"
#include "io/ring.h"

namespace asyncstore::io {
namespace {

// The outcome of one read through `ring`: a count of bytes, or a negated errno.
int read_once(Ring& ring, int fd, base::MutableBytes target) {
  ring.start();
  io_uring_sqe* sqe = ring.next_sqe();
  io_uring_prep_read(sqe, fd, target.data(), static_cast<unsigned>(target.size()), 0);
  while (ring.ready() == 0) {
    ring.submit_and_wait();
  }
  const int outcome = ring.peek(0).res;
  ring.take();
  return outcome;
}

}  // namespace

base::Status probe_uring(const std::string& path) {
  TRY_ASSIGN(const std::shared_ptr<Source> source, Source::open(path, {}));
  TRY_ASSIGN(const std::unique_ptr<Ring> ring, Ring::make(1));
  std::array<std::byte, base::k_sector_bytes> first_bytes;
  for (uint32_t tries = 0; tries < base::k_read_retries_max; ++tries) {
    const int outcome = read_once(*ring, source->fd(), first_bytes);
    if (outcome > 0) {
      return {};
    }
    if (outcome == 0) {
      return base::io_error("io_uring could not be tried on the empty file", path, 0, ENODATA);
    }
    if (outcome == -EINVAL || outcome == -EOPNOTSUPP || outcome == -EPERM || outcome == -ENOSYS) {
      return unsupported_uring(-outcome);  // IORING_OP_READ is there from Linux 5.6 on.
    }
    if (outcome != -EINTR && outcome != -EAGAIN && outcome != -EBUSY) {
      return base::io_error("cannot read", path, 0, -outcome);
    }
  }
  return unsupported_uring(EAGAIN);
}

}  // namespace asyncstore::io

#endif  // ASYNCSTORE_WITHOUT_URING
