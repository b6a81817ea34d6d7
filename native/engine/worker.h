// Workers: event loops that preselect, read and rescore.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "base/counter.h"
#include "base/result.h"
#include "engine/completion_queue.h"
#include "engine/errors.h"
#include "engine/preselection.h"
#include "engine/search_counters.h"
#include "engine/task.h"
#include "io/reader.h"

namespace asyncstore::sparse {
class Scorer;
}

namespace asyncstore::engine {

// Tasks on their way to the workers; bounded. Any thread may offer.
class TaskQueue {
 public:
  enum class Offer : uint8_t { taken, full, closed };
  // All of the tasks or none; those that were not taken are untouched.
  Offer offer(std::span<std::unique_ptr<Task>> tasks);
  std::unique_ptr<Task> take();
  // Without the lock: a hint for a worker that would rather not sleep yet.
  bool any_waiting() const { return waiting() > 0; }
  // How many wait that no worker has begun; likewise.
  size_t waiting() const { return count_.load(std::memory_order_relaxed); }
  // Only if a worker has nothing to do, and to it; else the task is dropped.
  void offer_to_idle(std::unique_ptr<Task> task);
  // A worker that is about to look out for tasks instead of sleeping; false when another does.
  // While one does, a single offer wakes nobody.
  bool begin_lookout() { return !lookout_.exchange(true); }
  void end_lookout() { lookout_.store(false); }
  // A worker is about to sleep: the next offer wakes it. It is woken at once if tasks wait already.
  void sleeping(Worker* worker);
  // It works again, whoever woke it.
  void awake(Worker* worker);
  // Nothing is taken any more; what waits is handed out.
  std::deque<std::unique_ptr<Task>> close();

 private:
  std::mutex mutex_;
  std::deque<std::unique_ptr<Task>> waiting_;
  void wake_one();

  std::atomic<size_t> count_{0};  // of waiting_
  std::atomic<bool> lookout_{false};
  std::vector<Worker*> idle_;
  bool closed_ = false;
};

// One thread, one reader. Reaps what landed, then gives one task a step, and sleeps when it has
// neither. A task is stepped until it waits for reads or has had its turns; then the next is
// preselected while its reads are under way. While tasks wait that no worker has begun, answers are
// told of some at a time.
class Worker final : private io::Sink {
 public:
  Worker(TaskQueue& queue, CompletionQueue& completions, std::unique_ptr<io::Reader> reader);
  ~Worker();

  void start();
  // Ends the loop: tasks that began are abandoned once their reads have landed. Joins.
  void stop(const base::Error& reason);
  void wake() { reader_->wake(); }

  // These sources will not be read any more (but for searches that began before): the reader may
  // let go of them. From any thread.
  void retire(std::span<const uint64_t> source_ids);

  // How its reader reads from now on. From any thread.
  void set_direct(bool direct);

  // --- for tasks ---
  // Gives the task to another worker, if one has nothing to do.
  void share(std::unique_ptr<Task> task) { queue_.offer_to_idle(std::move(task)); }
  // Starts reads; each lands with task.landed().
  void read(Task& task, std::span<io::ReadRequest> requests);
  SearchCounters& counters() { return counters_; }
  WalkPool& walks() { return walks_; }
  sparse::Scorer& sparse_scorer() { return *sparse_scorer_; }

  // Those of the whole life, also after stop().
  io::ReaderStatistics reader_statistics() const;
  // Tasks that it has begun and not ended. From any thread.
  uint64_t tasks_running() const { return tasks_running_.get(); }

 private:
  void run();
  void landed(const io::ReadRequest& request, base::Bytes data, const base::Error* error) override;
  void step(std::unique_ptr<Task> task);
  void forget_retired();
  void count_running() { tasks_running_.set(runnable_.size() + waiting_.size()); }
  void look_out();

  TaskQueue& queue_;
  CompletionQueue& completions_;
  std::unique_ptr<io::Reader> reader_;  // gone after stop(): it holds files open
  mutable std::mutex reader_mutex_;     // stop() against calls of other threads
  io::ReaderStatistics last_statistics_;
  SearchCounters counters_;
  base::Counter tasks_running_;
  WalkPool walks_;
  const std::unique_ptr<sparse::Scorer> sparse_scorer_;
  std::deque<std::unique_ptr<Task>> runnable_;
  std::vector<std::unique_ptr<Task>> waiting_;  // for their reads
  bool take_another_ = false;                   // the task at hand has had its turns
  std::atomic<bool> stopping_{false};
  base::Error stop_reason_ = store_closed();
  std::mutex retired_mutex_;
  std::vector<uint64_t> retired_;
  std::atomic<bool> has_retired_{false};
  std::thread thread_;
};

}  // namespace asyncstore::engine
