#include "engine/worker.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/limits.h"
#include "base/thread.h"
#include "simd/pause.h"
#include "sparse/scorer.h"

namespace asyncstore::engine {

using base::Bytes;
using base::Error;

namespace {
constexpr auto k_lookout = std::chrono::microseconds(60);
// Slices that a task gets in a row: what it walks through stays in the caches, and it answers
// sooner than if it shared every slice with all others. About a millisecond, after which short ones
// may pass.
constexpr uint32_t k_turns = 8;
// How long an answer may wait for others while there are tasks that no worker has begun: what comes
// in for it would have to wait behind them. With 16 in flight on two cores, the event loop among
// them, it takes 14 us of the loop for each search instead of 24, and 18 % more of them are
// answered; with 3 or fewer in flight nothing waits.
constexpr auto k_answers_held = std::chrono::microseconds(200);
}  // namespace

TaskQueue::Offer TaskQueue::offer(std::span<std::unique_ptr<Task>> tasks) {
  const std::lock_guard lock(mutex_);
  if (closed_) {
    return Offer::closed;
  }
  if (waiting_.size() + tasks.size() > base::k_searches_queued_max) {
    return Offer::full;
  }
  for (auto& task : tasks) {
    waiting_.push_back(std::move(task));
  }
  count_.store(waiting_.size(), std::memory_order_relaxed);
  // Who is on the lookout takes the first, or finds it in sleeping(), which takes the lock.
  for (size_t wakes = lookout_.load() ? 1 : 0; wakes < tasks.size(); ++wakes) {
    wake_one();
  }
  return Offer::taken;
}

void TaskQueue::offer_to_idle(std::unique_ptr<Task> task) {
  const std::lock_guard lock(mutex_);
  if (closed_ || !waiting_.empty() || (idle_.empty() && !lookout_.load())) {
    return;
  }
  waiting_.push_back(std::move(task));
  count_.store(waiting_.size(), std::memory_order_relaxed);
  if (!lookout_.load()) {
    wake_one();
  }
}

void TaskQueue::wake_one() {
  if (!idle_.empty()) {
    idle_.back()->wake();
    idle_.pop_back();
  }
}

std::unique_ptr<Task> TaskQueue::take() {
  const std::lock_guard lock(mutex_);
  if (waiting_.empty()) {
    return nullptr;
  }
  auto task = std::move(waiting_.front());
  waiting_.pop_front();
  count_.store(waiting_.size(), std::memory_order_relaxed);
  if (!waiting_.empty()) {
    wake_one();  // an offer may have relied on a lookout that took only one
  }
  return task;
}

void TaskQueue::sleeping(Worker* worker) {
  const std::lock_guard lock(mutex_);
  if (!waiting_.empty() || closed_) {
    worker->wake();  // its sleep will end at once
  } else if (std::find(idle_.begin(), idle_.end(), worker) == idle_.end()) {
    idle_.push_back(worker);
  }
}

void TaskQueue::awake(Worker* worker) {
  const std::lock_guard lock(mutex_);
  std::erase(idle_, worker);
}

std::deque<std::unique_ptr<Task>> TaskQueue::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  count_.store(0, std::memory_order_relaxed);
  return std::exchange(waiting_, {});
}

Worker::Worker(TaskQueue& queue, CompletionQueue& completions, std::unique_ptr<io::Reader> reader)
    : queue_(queue),
      completions_(completions),
      reader_(std::move(reader)),
      sparse_scorer_(std::make_unique<sparse::Scorer>()) {}

Worker::~Worker() {
  ASSERT(!thread_.joinable());
}

void Worker::start() {
  thread_ = std::thread([this] { run(); });
}

void Worker::stop(const Error& reason) {
  if (thread_.joinable()) {
    stop_reason_ = reason;
    stopping_.store(true, std::memory_order_release);
    reader_->wake();
    thread_.join();
    const std::lock_guard lock(reader_mutex_);
    last_statistics_ = reader_->statistics();
    reader_.reset();
  }
}

io::ReaderStatistics Worker::reader_statistics() const {
  const std::lock_guard lock(reader_mutex_);
  return reader_ ? reader_->statistics() : last_statistics_;
}

void Worker::set_direct(bool direct) {
  const std::lock_guard lock(reader_mutex_);
  if (reader_) {
    reader_->set_direct(direct);
  }
}

void Worker::retire(std::span<const uint64_t> source_ids) {
  {
    const std::lock_guard lock(retired_mutex_);
    retired_.insert(retired_.end(), source_ids.begin(), source_ids.end());
  }
  has_retired_.store(true, std::memory_order_release);
  reader_->wake();
}

// Only while no read is under way: then none can be of a retired source.
void Worker::forget_retired() {
  if (reader_->pending() > 0 || !has_retired_.exchange(false, std::memory_order_acq_rel)) {
    return;
  }
  const std::lock_guard lock(retired_mutex_);
  for (const uint64_t id : std::exchange(retired_, {})) {
    reader_->forget(id);
  }
}

void Worker::read(Task& task, std::span<io::ReadRequest> requests) {
  for (auto& request : requests) {
    request.context = &task;
  }
  task.reads_pending += static_cast<uint32_t>(requests.size());
  reader_->submit(requests);
}

void Worker::landed(const io::ReadRequest& request, Bytes data, const Error* error) {
  auto* task = static_cast<Task*>(request.context);
  task->landed(request, data, error);
  if (--task->reads_pending > 0) {
    return;
  }
  const auto at = std::find_if(waiting_.begin(), waiting_.end(),
                               [&](const auto& held) { return held.get() == task; });
  if (at != waiting_.end()) {
    // It has little left to do, and somebody is nearest to an answer.
    (*at)->turns = 0;
    runnable_.push_front(std::move(*at));
    *at = std::move(waiting_.back());
    waiting_.pop_back();
  }
}

void Worker::step(std::unique_ptr<Task> task) {
  if (stopping_.load(std::memory_order_acquire)) {
    task->abandon(stop_reason_);
    return;
  }
  if (completions_.is_dropped(task->job)) {
    task->abandon(Error{base::Code::failed, "nobody waits for this any more"});
    return;
  }
  const Task::Next next = task->step(*this);
  if (next == Task::Next::done) {
    ASSERT(task->reads_pending == 0);
  } else if (next == Task::Next::wait && task->reads_pending > 0) {
    waiting_.push_back(std::move(task));
  } else if (++task->turns < k_turns) {
    runnable_.push_front(std::move(task));
  } else {
    task->turns = 0;
    runnable_.push_back(std::move(task));
    take_another_ = true;
  }
}

// Somebody who awaits one search after the other asks again within some 50 microseconds. Waking a
// core that went to sleep costs as much, so the worker that just answered looks out for as long.
void Worker::look_out() {
  if (!queue_.begin_lookout()) {
    return;
  }
  const auto end = std::chrono::steady_clock::now() + k_lookout;
  while (!queue_.any_waiting() && !stopping_.load(std::memory_order_relaxed) &&
         std::chrono::steady_clock::now() < end) {
    simd::pause();
  }
  queue_.end_lookout();
}

void Worker::run() {
  base::describe_thread("as-worker", base::k_nice_work);
  bool worked = false;  // since the last sleep
  CompletionQueue::Holding answers(completions_);
  while (true) {
    count_running();
    answers.tell_after(queue_.any_waiting() ? k_answers_held : std::chrono::microseconds(0));
    const bool busy = !runnable_.empty();
    if (!busy && waiting_.empty() && stopping_.load(std::memory_order_acquire)) {
      return;
    }
    forget_retired();
    if (!busy && waiting_.empty() && std::exchange(worked, false)) {
      look_out();
    }
    const bool full = runnable_.size() + waiting_.size() >= base::k_searches_active_max;
    const bool sleep = !busy && (full || !queue_.any_waiting());
    if (sleep) {
      answers.tell();
      if (!full) {
        queue_.sleeping(this);
      }
      reader_->reap(*this, true);
      if (!full) {
        queue_.awake(this);
      }
    } else if (reader_->pending() > 0) {
      reader_->reap(*this, false);
    }
    // Others may take what waits while there is something to go on with.
    if (!full && (runnable_.empty() || std::exchange(take_another_, false))) {
      if (auto task = queue_.take()) {
        runnable_.push_front(std::move(task));
      }
    }
    count_running();
    if (!runnable_.empty()) {
      auto task = std::move(runnable_.front());
      runnable_.pop_front();
      worked = true;
      step(std::move(task));
    }
  }
}

}  // namespace asyncstore::engine
