#include "engine/completion_queue.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace asyncstore::engine {

base::Result<std::unique_ptr<CompletionQueue>> CompletionQueue::create() {
  const int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (fd < 0) {
    return base::io_error("cannot make an event descriptor for", "completions", 0, errno);
  }
  return std::unique_ptr<CompletionQueue>(new CompletionQueue(fd));
}

CompletionQueue::~CompletionQueue() {
  close(fd_);
}

void CompletionQueue::complete(uint64_t ticket, Value value) {
  push({ticket, std::nullopt, std::move(value)});
}

void CompletionQueue::fail(uint64_t ticket, base::Error error) {
  push({ticket, std::move(error), {}});
}

void CompletionQueue::push(Completion completion) {
  bool first;
  {
    const std::lock_guard lock(mutex_);
    first = waiting_.empty();
    waiting_.push_back(std::move(completion));
  }
  if (first) {
    // Cannot fail: the counter is far from its end, since drain() resets it.
    static_cast<void>(eventfd_write(fd_, 1));
  }
}

std::vector<Completion> CompletionQueue::drain() {
  // First the descriptor, then the queue: what is pushed in between signals again.
  eventfd_t count;
  static_cast<void>(eventfd_read(fd_, &count));
  const std::lock_guard lock(mutex_);
  return std::exchange(waiting_, {});
}

}  // namespace asyncstore::engine
