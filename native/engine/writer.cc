#include "engine/writer.h"

#include <utility>
#include <vector>

#include "base/limits.h"
#include "base/thread.h"

namespace asyncstore::engine {

namespace {

// A group is held in memory until it is applied.
constexpr uint64_t k_group_bytes_max = uint64_t{2} * base::k_write_bytes_max;
constexpr uint64_t k_group_points_max = uint64_t{2} * base::k_write_points_max;

uint64_t points_of(const WriteJob& job) {
  return job.operation.ids.size();
}

}  // namespace

void Writer::start() {
  thread_ = std::thread([this] { loop(); });
}

void Writer::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  filled_.notify_one();
  if (thread_.joinable()) {
    thread_.join();
  }
}

bool Writer::offer(const std::shared_ptr<Collection>& collection, WriteJob& job) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_ || writes_ >= base::k_writes_queued_max) {
      return false;
    }
    ++writes_;
    inbox_.push_back({collection, std::move(job)});
  }
  filled_.notify_one();
  return true;
}

bool Writer::run(const std::function<void()>& work) {
  std::promise<void> done;
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) {
      return false;
    }
    inbox_.push_back({nullptr, Control{&work, &done}});
  }
  filled_.notify_one();
  done.get_future().wait();
  return true;
}

base::Status after_sync(Writer& writer, Collection& collection, base::Status synced) {
  if (!synced.ok()) {
    writer.run([&] { collection.fail_writes(synced.error()); });
  }
  return synced;
}

void Writer::loop() {
  base::describe_thread("as-writer", base::k_nice_work);
  while (true) {
    std::deque<Entry> taken;
    {
      std::unique_lock lock(mutex_);
      filled_.wait(lock, [this] { return stopping_ || !inbox_.empty(); });
      if (inbox_.empty()) {
        return;
      }
      taken.swap(inbox_);
      writes_ = 0;
    }
    write_groups(taken);
  }
}

void Writer::write_groups(std::deque<Entry>& entries) {
  while (!entries.empty()) {
    if (const auto* control = std::get_if<Control>(&entries.front().job)) {
      (*control->work)();
      control->done->set_value();
      entries.pop_front();
      continue;
    }
    // What follows for the same collection, up to the next control and as much as a group holds.
    const auto collection = entries.front().collection;
    std::vector<WriteJob> group;
    std::deque<Entry> others;
    uint64_t bytes = 0;
    uint64_t points = 0;
    while (!entries.empty()) {
      auto* job = std::get_if<WriteJob>(&entries.front().job);
      if (job == nullptr) {
        break;
      }
      if (entries.front().collection != collection) {
        others.push_back(std::move(entries.front()));
        entries.pop_front();
        continue;
      }
      const uint64_t job_bytes = collection->input_bytes(*job);
      if (!group.empty() && (bytes + job_bytes > k_group_bytes_max ||
                             points + points_of(*job) > k_group_points_max)) {
        break;
      }
      bytes += job_bytes;
      points += points_of(*job);
      group.push_back(std::move(*job));
      entries.pop_front();
    }
    // Others keep their order; they only wait for this group.
    entries.insert(entries.begin(), std::make_move_iterator(others.begin()),
                   std::make_move_iterator(others.end()));
    collection->write(group, completions_);
  }
}

}  // namespace asyncstore::engine
