#include "engine/chores.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/memory.h"
#include "base/thread.h"
#include "engine/check.h"
#include "engine/errors.h"

namespace asyncstore::engine {

namespace {

constexpr uint64_t k_part_bytes = 1 << 20;

}  // namespace

void Chores::start() {
  thread_ = std::thread([this] { loop(); });
}

void Chores::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) {
    thread_.join();
  }
  for (const Chore& chore : std::exchange(waiting_, {})) {
    if (chore.ticket > 0) {
      completions_.fail(chore.ticket, store_closed());
    }
  }
}

bool Chores::stopping() {
  const std::lock_guard lock(mutex_);
  return stopping_;
}

void Chores::add(Chore chore) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) {
      if (chore.ticket > 0) {
        completions_.fail(chore.ticket, store_closed());
      }
      return;
    }
    waiting_.push_back(std::move(chore));
  }
  changed_.notify_one();
}

void Chores::loop() {
  base::describe_thread("as-chores", base::k_nice_background);
  while (true) {
    Chore chore;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
      if (stopping_) {
        return;
      }
      chore = std::move(waiting_.front());
      waiting_.pop_front();
    }
    chore.work();
  }
}

void Chores::prewarm(uint64_t ticket, const std::shared_ptr<Collection>& collection,
                     uint64_t budget_bytes) {
  add({ticket, [=, this] { prewarm_now(ticket, *collection, budget_bytes); }});
}

void Chores::prewarm_now(uint64_t ticket, Collection& collection, uint64_t budget_bytes) {
  const auto view = collection.view();
  const uint64_t budget = budget_bytes > 0 ? budget_bytes : base::available_memory_bytes() / 2;
  uint64_t total = 0;
  for (const auto& field : view->fields) {
    for (const auto& segment : field.segments) {
      total += segment.segment->layout().file_bytes(segment.rows);
    }
  }
  total = std::min(total, budget);
  uint64_t done = 0;
  std::vector<std::byte> part(k_part_bytes);
  for (const auto& field : view->fields) {
    for (const auto& segment : field.segments) {
      const uint64_t size = segment.segment->layout().file_bytes(segment.rows);
      const int fd = segment.segment->source().fd();
      for (uint64_t offset = 0; offset < size && done < total; offset += k_part_bytes) {
        if (stopping() || collection.dropped()) {
          if (ticket > 0) {
            completions_.fail(ticket, store_closed());
          }
          return;
        }
        const ssize_t count = pread(fd, part.data(), std::min(k_part_bytes, size - offset),
                                    static_cast<off_t>(offset));
        if (count <= 0) {
          break;  // a search that needs the place will tell what is wrong with it
        }
        done += static_cast<uint64_t>(count);
        collection.set_prewarm(
            {"prewarming", done, total, "reading originals into the page cache"});
      }
    }
  }
  collection.set_prewarm({});
  if (ticket > 0) {
    completions_.complete(ticket, done);
  }
}

void Chores::check(uint64_t ticket, const std::shared_ptr<Collection>& collection, Then then) {
  add({ticket, [=, this, then = std::move(then)] { check_now(ticket, *collection, then); }});
}

void Chores::check_now(uint64_t ticket, Collection& collection, const Then& then) {
  auto found = check_collection(collection, [this] { return stopping(); });
  if (found.ok()) {
    then(std::move(found.value()));
  } else {
    completions_.fail(ticket, std::move(found.error()));
  }
}

}  // namespace asyncstore::engine
