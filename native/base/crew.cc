#include "base/crew.h"

#include <algorithm>
#include <system_error>

#include "base/thread.h"

namespace asyncstore::base {

Crew::Crew(uint32_t threads) {
  helpers_.reserve(threads);
  for (uint32_t member = 1; member < threads; ++member) {
    try {
      helpers_.emplace_back([this, member] { help(member); });
    } catch (const std::system_error&) {
      break;  // a limit of the system; the work is the same with fewer
    }
  }
}

Crew::~Crew() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  begins_.notify_all();
  for (std::thread& helper : helpers_) {
    helper.join();
  }
}

bool Crew::run(uint32_t count, uint32_t portion, const Work& work, const Tick& tick) {
  const Job job{count, portion, &work};
  next_.store(0, std::memory_order_relaxed);
  stopped_.store(false, std::memory_order_relaxed);
  // A job of one portion is not worth waking anybody.
  const bool alone = count <= portion || helpers_.empty();
  if (!alone) {
    const std::lock_guard lock(mutex_);
    job_ = job;
    ++job_number_;
    working_ = static_cast<uint32_t>(helpers_.size());
    begins_.notify_all();
  }
  bool stopped = false;
  while (work_once(job, 0)) {
    if (!tick(std::min(next_.load(std::memory_order_relaxed), count))) {
      stopped_.store(true, std::memory_order_relaxed);
      stopped = true;
    }
  }
  if (!alone) {
    std::unique_lock lock(mutex_);
    ends_.wait(lock, [this] { return working_ == 0; });
  }
  return !stopped;
}

bool Crew::work_once(const Job& job, uint32_t member) {
  if (stopped_.load(std::memory_order_relaxed)) {
    return false;
  }
  // At most count + size() · portion: no overflow, as numbers of rows leave the highest bit free.
  const uint32_t begin = next_.fetch_add(job.portion, std::memory_order_relaxed);
  if (begin >= job.count) {
    return false;
  }
  (*job.work)(member, begin, std::min(begin + job.portion, job.count));
  return true;
}

void Crew::help(uint32_t member) {
  describe_thread("as-crew", k_nice_background);
  uint64_t done = 0;
  std::unique_lock lock(mutex_);
  for (;;) {
    begins_.wait(lock, [&] { return closing_ || job_number_ != done; });
    if (closing_) {
      return;
    }
    done = job_number_;
    const Job job = job_;
    lock.unlock();
    while (work_once(job, member)) {
    }
    lock.lock();
    if (--working_ == 0) {
      ends_.notify_all();
    }
  }
}

}  // namespace asyncstore::base
