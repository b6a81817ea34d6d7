// Points that pass a filter: counted, named, or page by page.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <vector>

#include "engine/collection.h"
#include "engine/completion_queue.h"
#include "engine/filtering.h"
#include "engine/id_walk.h"
#include "engine/task.h"

namespace asyncstore::engine {

// Finds the points that pass, and answers with what is asked of them.
class FilterTask : public Task {
 public:
  Next step(Worker& worker) final;
  void landed(const io::ReadRequest& request, base::Bytes data, const base::Error* error) final {
    filtering_.landed(request, data, error);
  }
  void abandon(const base::Error& error) final { completions_.fail(ticket_, error); }

 protected:
  FilterTask(uint64_t ticket, std::shared_ptr<Collection> collection,
             std::shared_ptr<const filter::Filter> filter, CompletionQueue& completions)
      : collection_(std::move(collection)),
        filtering_(collection_, std::move(filter)),
        ticket_(ticket),
        completions_(completions) {}
  // An answer that needs no more than what is known so far.
  virtual std::optional<Value> early(const Filtering&) const { return std::nullopt; }
  using Answer = std::optional<Value>;
  // Goes on with the answer for a slice of time; nothing: it is not ready.
  virtual base::Result<Answer> answer(const filter::SlotSet& passing) = 0;

  std::shared_ptr<Collection> collection_;

 private:
  Filtering filtering_;
  uint64_t ticket_;
  CompletionQueue& completions_;
  std::shared_ptr<const View> view_;
  bool found_ = false;
};

// Answers with how many points pass, or, unless `exact`, with what it takes for that without
// reading payload.
class CountTask final : public FilterTask {
 public:
  CountTask(uint64_t ticket, std::shared_ptr<Collection> collection,
            std::shared_ptr<const filter::Filter> filter, bool exact, CompletionQueue& completions)
      : FilterTask(ticket, std::move(collection), std::move(filter), completions), exact_(exact) {}

 private:
  std::optional<Value> early(const Filtering& filtering) const override;
  base::Result<Answer> answer(const filter::SlotSet& passing) override {
    return Answer(passing.count());
  }

  bool exact_;
};

// Answers with the ids of the points that pass.
class MatchingIdsTask final : public FilterTask {
 public:
  MatchingIdsTask(uint64_t ticket, std::shared_ptr<Collection> collection,
                  std::shared_ptr<const filter::Filter> filter, CompletionQueue& completions)
      : FilterTask(ticket, std::move(collection), std::move(filter), completions) {}

 private:
  base::Result<Answer> answer(const filter::SlotSet& passing) override;

  uint32_t next_ = 0;  // slot
  Ids ids_;
};

// Answers with the ids of some of the points that pass, drawn at random, in no order.
class SampleTask final : public FilterTask {
 public:
  SampleTask(uint64_t ticket, std::shared_ptr<Collection> collection,
             std::shared_ptr<const filter::Filter> filter, uint64_t count, uint64_t seed,
             CompletionQueue& completions)
      : FilterTask(ticket, std::move(collection), std::move(filter), completions),
        count_(count),
        random_(seed) {}

 private:
  base::Result<Answer> answer(const filter::SlotSet& passing) override;

  bool draw(const filter::SlotSet& passing);

  uint64_t count_;
  std::mt19937_64 random_;
  uint32_t next_ = 0;  // slot
  uint64_t seen_ = 0;
  bool drew_ = false;
  std::vector<uint32_t> drawn_;
  Ids ids_;
};

// The first points, in the order of their ids, that pass a filter. Belongs to one task, which holds
// a view. Tests no more points on their payload than it must.
class FilteredPage {
 public:
  FilteredPage(std::shared_ptr<Collection> collection, std::shared_ptr<const filter::Filter> filter,
               const points::PointId& from, uint64_t wanted)
      : collection_(std::move(collection)),
        filter_(std::move(filter)),
        from_(from),
        wanted_(wanted) {}

  // Until it says `done`.
  Task::Next step(Task& task, Worker& worker);
  void landed(const io::ReadRequest& request, base::Bytes data, const base::Error* error) {
    test_->landed(request, data, error);
  }
  // When done: at most as many as are wanted.
  const std::optional<base::Error>& error() const { return error_; }
  std::vector<uint32_t> take() { return std::move(found_); }

 private:
  void begin();
  void accept(const std::vector<uint32_t>& passing);

  std::shared_ptr<Collection> collection_;
  std::shared_ptr<const filter::Filter> filter_;
  points::PointId from_;
  uint64_t wanted_;
  std::optional<Undecided> undecided_;
  std::optional<IdWalk> walk_;
  std::optional<PayloadTest> test_;
  bool more_ = true;
  bool testing_ = false;
  std::vector<uint32_t> slots_;  // at hand, in the order of ids
  std::vector<uint32_t> found_;
  std::optional<base::Error> error_;
};

}  // namespace asyncstore::engine
