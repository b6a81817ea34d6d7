#ifndef ASYNCSTORE_WITHOUT_URING

#include "io/ring.h"

#include <sched.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <span>
#include <string>

// Flags that liburing 2.3 or its kernel headers may not name yet.
#ifndef IORING_SETUP_SUBMIT_ALL
#define IORING_SETUP_SUBMIT_ALL (1U << 7)
#endif
#ifndef IORING_SETUP_COOP_TASKRUN
#define IORING_SETUP_COOP_TASKRUN (1U << 8)
#endif
#ifndef IORING_SETUP_TASKRUN_FLAG
#define IORING_SETUP_TASKRUN_FLAG (1U << 9)
#endif
#ifndef IORING_SETUP_SINGLE_ISSUER
#define IORING_SETUP_SINGLE_ISSUER (1U << 12)
#endif
#ifndef IORING_SETUP_DEFER_TASKRUN
#define IORING_SETUP_DEFER_TASKRUN (1U << 13)
#endif

namespace asyncstore::io {
namespace {

// Best first. SINGLE_ISSUER ties the ring to the thread that enables it, hence R_DISABLED: rings
// are made on one thread and used on another.
constexpr std::array<unsigned, 3> k_setups = {
    IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG |
        IORING_SETUP_SUBMIT_ALL | IORING_SETUP_R_DISABLED,
    IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SUBMIT_ALL,
    0,
};

// kernel.io_uring_disabled (Linux 6.6): 1 leaves it to CAP_SYS_ADMIN and a group, 2 to nobody.
int uring_disabled_by_sysctl() {
  std::FILE* file = std::fopen("/proc/sys/kernel/io_uring_disabled", "re");
  if (file == nullptr) {
    return 0;
  }
  int value = 0;
  const int count = std::fscanf(file, "%d", &value);
  std::fclose(file);
  return count == 1 ? value : 0;
}

bool may_pass(int outcome) {
  return outcome == -EINTR || outcome == -EAGAIN || outcome == -EBUSY || outcome == -ENOMEM;
}

}  // namespace

base::Error unsupported_uring(int os_errno) {
  std::string message;
  switch (os_errno) {
    case EPERM:
      if (const int value = uring_disabled_by_sysctl(); value != 0) {
        message = "io_uring is switched off on this machine (sysctl kernel.io_uring_disabled = " +
                  std::to_string(value) +
                  "); run `sysctl kernel.io_uring_disabled=0` as root, or set async_scorer to "
                  "false or auto";
      } else {
        message =
            "io_uring is blocked, as Docker's default seccomp profile does; run the container with "
            "--security-opt seccomp=<a profile that allows io_uring_setup, io_uring_enter and "
            "io_uring_register>, or set async_scorer to false or auto";
      }
      break;
    case ENOSYS:
      message =
          "this kernel has no io_uring (it is older than Linux 5.1 or built without it); use a "
          "newer kernel, or set async_scorer to false or auto";
      break;
    case ENOMEM:
      message =
          "io_uring may not lock the memory it needs; raise the limit (`ulimit -l`, "
          "RLIMIT_MEMLOCK, "
          "LimitMEMLOCK= of systemd), or set async_scorer to false or auto";
      break;
    default:
      message = std::string("io_uring does not work here (") + std::strerror(os_errno) +
                "); set async_scorer to false or auto";
  }
  return base::Error{base::Code::unsupported, std::move(message), {}, 0, os_errno};
}

base::Result<std::unique_ptr<Ring>> Ring::make(uint32_t entries, uint32_t setups_skipped) {
  std::unique_ptr<Ring> made(new Ring());
  int outcome = -EINVAL;
  for (const unsigned flags : std::span(k_setups).subspan(setups_skipped)) {
    io_uring_params params{};
    params.flags = flags;
    outcome = io_uring_queue_init_params(entries, &made->ring_, &params);
    if (outcome == 0) {
      made->deferred_start_ = (flags & IORING_SETUP_R_DISABLED) != 0;
      return made;
    }
    made->ring_.ring_fd = -1;  // Nothing for the destructor to close.
    if (outcome != -EINVAL) {
      break;
    }
  }
  return unsupported_uring(-outcome);
}

Ring::~Ring() {
  if (ring_.ring_fd >= 0) {
    io_uring_queue_exit(&ring_);
  }
}

void Ring::start() {
  if (!started_) {
    started_ = true;
    ASSERT(!deferred_start_ || io_uring_enable_rings(&ring_) == 0);
  }
}

io_uring_sqe* Ring::next_sqe() {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
  ASSERT(sqe != nullptr);
  return sqe;
}

void Ring::submit() {
  for (uint32_t tries = 0; io_uring_sq_ready(&ring_) > 0 && tries < base::k_read_retries_max;
       ++tries) {
    const int outcome = io_uring_submit(&ring_);
    ASSERT(outcome >= 0 || may_pass(outcome));
    if (outcome == -EBUSY || outcome == -EAGAIN) {
      return;  // Completions have to be taken first; the caller comes back with the next reap().
    }
  }
}

void Ring::submit_and_wait() {
  const int outcome = io_uring_submit_and_wait(&ring_, 1);
  ASSERT(outcome >= 0 || may_pass(outcome));
  if (outcome < 0 && outcome != -EINTR && ready() == 0) {
    sched_yield();  // The kernel is out of memory for the moment; sleeping in the ring failed too.
  }
}

const io_uring_cqe& Ring::peek(uint32_t position) {
  // Rings of 128-byte sqes or 32-byte cqes are not asked for, so entries lie side by side.
  return ring_.cq.cqes[(*ring_.cq.khead + position) & ring_.cq.ring_mask];
}

void Ring::collect() {
  const unsigned flags = IO_URING_READ_ONCE(*ring_.sq.kflags);
  if ((flags & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) != 0) {
    const int outcome = io_uring_get_events(&ring_);
    ASSERT(outcome >= 0 || may_pass(outcome));
  }
}

}  // namespace asyncstore::io

#endif  // ASYNCSTORE_WITHOUT_URING
