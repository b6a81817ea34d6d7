#include "engine/completion_queue.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/assert.h"

namespace asyncstore::engine {

namespace {
thread_local CompletionQueue::Holding* t_holding = nullptr;
}

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
  push({ticket, std::nullopt, std::move(value), false});
}

void CompletionQueue::fail(uint64_t ticket, base::Error error) {
  push({ticket, std::move(error), {}, false});
}

void CompletionQueue::push(Completion completion) {
  Holding* const holding = t_holding != nullptr && &t_holding->queue_ == this ? t_holding : nullptr;
  bool tells;
  {
    const std::lock_guard lock(mutex_);
    tells = holding == nullptr && !told_;
    told_ = told_ || tells;
    waiting_.push_back(std::move(completion));
  }
  if (holding != nullptr) {
    holding->note();
  } else if (tells) {
    signal();
  }
}

void CompletionQueue::tell() {
  bool tells;
  {
    const std::lock_guard lock(mutex_);
    tells = !waiting_.empty() && !told_;
    told_ = told_ || tells;
  }
  if (tells) {
    signal();
  }
}

// Cannot fail: the counter is far from its end, since drain() resets it.
void CompletionQueue::signal() const {
  static_cast<void>(eventfd_write(fd_, 1));
}

std::vector<Completion> CompletionQueue::drain() {
  // First the descriptor, then the queue: what is pushed in between signals again.
  eventfd_t count;
  static_cast<void>(eventfd_read(fd_, &count));
  const std::lock_guard lock(mutex_);
  told_ = false;
  std::vector<Completion> drained = std::exchange(waiting_, {});
  for (Completion& completion : drained) {
    completion.is_dropped = !dropped_.empty() && dropped_.erase(completion.ticket) > 0;
  }
  any_dropped_.store(!dropped_.empty(), std::memory_order_relaxed);
  return drained;
}

void CompletionQueue::drop(uint64_t ticket) {
  const std::lock_guard lock(mutex_);
  dropped_.insert(ticket);
  any_dropped_.store(true, std::memory_order_relaxed);
}

bool CompletionQueue::is_dropped(uint64_t ticket) const {
  if (!any_dropped_.load(std::memory_order_relaxed)) {
    return false;
  }
  const std::lock_guard lock(mutex_);
  return dropped_.contains(ticket);
}

CompletionQueue::Holding::Holding(CompletionQueue& queue) : queue_(queue) {
  ASSERT(t_holding == nullptr);
  t_holding = this;
}

CompletionQueue::Holding::~Holding() {
  tell();
  t_holding = nullptr;
}

void CompletionQueue::Holding::tell() {
  if (std::exchange(any_, false)) {
    queue_.tell();
  }
}

void CompletionQueue::Holding::tell_after(std::chrono::microseconds wait) {
  if (any_ && std::chrono::steady_clock::now() - since_ >= wait) {
    tell();
  }
}

void CompletionQueue::Holding::note() {
  if (!std::exchange(any_, true)) {
    since_ = std::chrono::steady_clock::now();
  }
}

}  // namespace asyncstore::engine
