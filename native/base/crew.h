// Threads that share the work of one: building a graph, encoding rows.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace asyncstore::base {

// The calling thread and others that help it, one job at a time. Joined by the destructor.
class Crew {
 public:
  // Items [begin, end) of a job, on the thread `member`, 0 to size() - 1.
  using Work = std::function<void(uint32_t member, uint32_t begin, uint32_t end)>;
  // Called by the calling thread between its portions, with the items that were given out; false
  // ends the job early.
  using Tick = std::function<bool(uint32_t begun)>;

  // With fewer threads where the system gives no more.
  explicit Crew(uint32_t threads);
  ~Crew();
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;

  uint32_t size() const { return static_cast<uint32_t>(helpers_.size()) + 1; }

  // Does `work` for all items below `count`, `portion` at a time, in no order; false when `tick`
  // ended it. Nothing of it runs any more when this returns.
  bool run(uint32_t count, uint32_t portion, const Work& work, const Tick& tick);

 private:
  struct Job {
    uint32_t count = 0;
    uint32_t portion = 1;
    const Work* work = nullptr;
  };
  void help(uint32_t member);
  // Takes one portion of the job and does it; false when there is none.
  bool work_once(const Job& job, uint32_t member);

  std::mutex mutex_;
  std::condition_variable begins_;
  std::condition_variable ends_;
  Job job_;                  // under mutex_
  uint64_t job_number_ = 0;  // under mutex_
  uint32_t working_ = 0;     // under mutex_: helpers that have not finished it
  bool closing_ = false;     // under mutex_
  std::atomic<uint32_t> next_{0};
  std::atomic<bool> stopped_{false};
  std::vector<std::thread> helpers_;
};

}  // namespace asyncstore::base
