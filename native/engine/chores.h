// Long reading work beside everything else: warming the page cache, checking the files.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "engine/collection.h"
#include "engine/completion_queue.h"
#include "engine/damage.h"

namespace asyncstore::engine {

// One thread; one chore after the other.
class Chores {
 public:
  explicit Chores(CompletionQueue& completions) : completions_(completions) {}

  void start();
  // Any work that answers the ticket itself.
  void run(uint64_t ticket, std::function<void()> work) { add({ticket, std::move(work)}); }
  void stop();  // the chore at hand ends early, the others are answered with "closed"
  // Reads originals into the page cache, newest segments last, up to `budget_bytes` (0: as much as
  // half of the memory that is free). Ticket 0 answers nobody.
  void prewarm(uint64_t ticket, const std::shared_ptr<Collection>& collection,
               uint64_t budget_bytes);
  // Verifies every checksum and every cross-reference. What was found goes to `then`, which
  // answers the ticket.
  using Then = std::function<void(std::vector<Damage>)>;
  void check(uint64_t ticket, const std::shared_ptr<Collection>& collection, Then then);

 private:
  struct Chore {
    uint64_t ticket;
    std::function<void()> work;
  };
  void add(Chore chore);
  void loop();
  bool stopping();
  void prewarm_now(uint64_t ticket, Collection& collection, uint64_t budget_bytes);
  void check_now(uint64_t ticket, Collection& collection, const Then& then);

  CompletionQueue& completions_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Chore> waiting_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace asyncstore::engine
