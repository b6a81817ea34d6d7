// Writer threads: each owns some collections and is the only one to change them.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <thread>
#include <variant>

#include "engine/collection.h"
#include "engine/completion_queue.h"

namespace asyncstore::engine {

// Drains its inbox; what came for one collection is one group: one write, one sync. That is the
// group commit: while a sync runs, the next group gathers.
class Writer {
 public:
  explicit Writer(CompletionQueue& completions) : completions_(completions) {}

  void start();
  // Finishes what was taken, then joins.
  void stop();

  // False when the inbox is full or closed.
  bool offer(const std::shared_ptr<Collection>& collection, WriteJob& job);
  // Runs `work` between two groups and waits for it; not bounded, not for users' jobs. False when
  // the writer has stopped.
  bool run(const std::function<void()>& work);

 private:
  struct Control {
    const std::function<void()>* work;
    std::promise<void>* done;
  };
  struct Entry {
    std::shared_ptr<Collection> collection;
    std::variant<WriteJob, Control> job;
  };
  void loop();
  void write_groups(std::deque<Entry>& entries);

  CompletionQueue& completions_;
  std::mutex mutex_;
  std::condition_variable filled_;
  std::deque<Entry> inbox_;
  size_t writes_ = 0;  // in the inbox
  bool stopping_ = false;
  std::thread thread_;
};

// Of a sync outside the writer. The kernel may have dropped what it could not write, and a second
// sync would not say so: where it failed, writing to the collection ends.
base::Status after_sync(Writer& writer, Collection& collection, base::Status synced);

}  // namespace asyncstore::engine
