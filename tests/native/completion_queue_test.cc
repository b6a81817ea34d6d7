#include "engine/completion_queue.h"

#include <doctest/doctest.h>
#include <poll.h>

#include <chrono>
#include <memory>
#include <thread>

namespace asyncstore::engine {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;

std::unique_ptr<CompletionQueue> make_queue() {
  auto made = CompletionQueue::create();
  REQUIRE(made.ok());
  return std::move(made.value());
}

bool readable(const CompletionQueue& queue) {
  pollfd asked{queue.fd(), POLLIN, 0};
  return poll(&asked, 1, 0) == 1;
}

TEST_CASE("completions: the descriptor is readable while something waits") {
  const auto queue = make_queue();
  CHECK_FALSE(readable(*queue));
  queue->complete(1, {});
  queue->complete(2, {});
  CHECK(readable(*queue));
  CHECK(queue->drain().size() == 2);
  CHECK_FALSE(readable(*queue));
  queue->complete(3, {});
  CHECK(readable(*queue));
}

TEST_CASE("completions: what a thread holds back is told of when it says so") {
  const auto queue = make_queue();
  CompletionQueue::Holding holding(*queue);
  queue->complete(1, {});
  CHECK_FALSE(readable(*queue));
  holding.tell_after(hours(1));
  CHECK_FALSE(readable(*queue));
  SUBCASE("at once") {
    holding.tell();
  }
  SUBCASE("when it has waited for long enough") {
    holding.tell_after(microseconds(0));
  }
  CHECK(readable(*queue));
  CHECK(queue->drain().size() == 1);
  holding.tell();  // of nothing
  CHECK_FALSE(readable(*queue));
}

TEST_CASE("completions: what is held back is told of at the end") {
  const auto queue = make_queue();
  {
    const CompletionQueue::Holding holding(*queue);
    queue->fail(1, {});
  }
  CHECK(readable(*queue));
}

TEST_CASE("completions: who does not hold back is not held up by who does") {
  const auto queue = make_queue();
  CompletionQueue::Holding holding(*queue);
  queue->complete(1, {});
  std::thread([&] { queue->complete(2, {}); }).join();
  CHECK(readable(*queue));
  CHECK(queue->drain().size() == 2);
  queue->complete(3, {});
  CHECK_FALSE(readable(*queue));
  holding.tell();
  CHECK(readable(*queue));
}

TEST_CASE("completions: a thread holds back only what belongs to the queue it said") {
  const auto held = make_queue();
  const auto other = make_queue();
  const CompletionQueue::Holding holding(*held);
  other->complete(1, {});
  CHECK(readable(*other));
}

TEST_CASE("completions: what was dropped is said so once, and forgotten") {
  auto queue = std::move(CompletionQueue::create().value());
  CHECK_FALSE(queue->is_dropped(7));
  queue->drop(7);
  CHECK(queue->is_dropped(7));
  CHECK_FALSE(queue->is_dropped(8));
  queue->complete(8, uint64_t{1});
  queue->complete(7, uint64_t{2});
  const auto drained = queue->drain();
  REQUIRE(drained.size() == 2);
  CHECK_FALSE(drained[0].is_dropped);
  CHECK(drained[1].is_dropped);
  CHECK_FALSE(queue->is_dropped(7));
  queue->complete(7, uint64_t{3});
  CHECK_FALSE(queue->drain()[0].is_dropped);
}

}  // namespace
}  // namespace asyncstore::engine
