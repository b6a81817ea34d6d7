// Points by their ids: retrieve, scroll, and checking what is about to be written.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "engine/collection.h"
#include "engine/completion_queue.h"
#include "engine/filtered_points.h"
#include "engine/point_fetch.h"
#include "engine/task.h"

namespace asyncstore::engine {

// Finds slots in its first step, reads what is wanted of their points, and answers.
class PointsTask : public Task {
 public:
  Next step(Worker& worker) final;
  void landed(const io::ReadRequest& request, base::Bytes data, const base::Error* error) final;
  void abandon(const base::Error& error) final { completions_.fail(ticket_, error); }

 protected:
  PointsTask(uint64_t ticket, std::shared_ptr<Collection> collection, With with,
             CompletionQueue& completions)
      : collection_(std::move(collection)),
        ticket_(ticket),
        with_(std::move(with)),
        completions_(completions) {}
  // Finds the slots of the points, in order; the view is held by then. Until it says `done`.
  virtual Next find(Worker& worker, std::vector<uint32_t>& slots) = 0;
  // Of what find() reads.
  virtual void found(const io::ReadRequest&, base::Bytes, const base::Error*) {}
  virtual Value answer(Rows rows) = 0;
  // Ends the task, in place of what find() was to find.
  void fail(const base::Error& error) { error_ = error; }

  std::shared_ptr<Collection> collection_;

 private:
  void add_points(std::span<const uint32_t> slots);

  uint64_t ticket_;
  With with_;
  CompletionQueue& completions_;
  std::shared_ptr<const View> view_;
  bool found_ = false;
  std::optional<base::Error> error_;
  Rows rows_;
  std::optional<PointFetch> fetch_;
};

// Points in the order asked; ids that are not there are left out.
class RetrieveTask final : public PointsTask {
 public:
  RetrieveTask(uint64_t ticket, std::shared_ptr<Collection> collection,
               std::vector<points::PointId> ids, With with, CompletionQueue& completions)
      : PointsTask(ticket, std::move(collection), std::move(with), completions),
        ids_(std::move(ids)) {}

 private:
  Next find(Worker& worker, std::vector<uint32_t>& slots) override;
  Value answer(Rows rows) override { return rows; }

  std::vector<points::PointId> ids_;
};

// A page of points in the order of their ids, from `offset` on; without a filter, of all.
class ScrollTask final : public PointsTask {
 public:
  ScrollTask(uint64_t ticket, std::shared_ptr<Collection> collection, points::PointId offset,
             uint64_t limit, std::shared_ptr<const filter::Filter> filter, With with,
             CompletionQueue& completions);

 private:
  Next find(Worker& worker, std::vector<uint32_t>& slots) override;
  void found(const io::ReadRequest& request, base::Bytes data, const base::Error* error) override {
    page_->landed(request, data, error);
  }
  Value answer(Rows rows) override { return ScrollPage{std::move(rows), next_}; }

  points::PointId offset_;
  uint64_t limit_;
  std::optional<FilteredPage> page_;
  std::optional<points::PointId> next_;
};

// Finds NaN and infinity in vectors before the first of them is written.
class CheckVectorsTask final : public Task {
 public:
  CheckVectorsTask(uint64_t ticket, const float* values, uint64_t rows, uint32_t dim,
                   CompletionQueue& completions)
      : ticket_(ticket), values_(values), rows_(rows), dim_(dim), completions_(completions) {}
  Next step(Worker& worker) override;
  void landed(const io::ReadRequest&, base::Bytes, const base::Error*) override {}
  void abandon(const base::Error& error) override { completions_.fail(ticket_, error); }

 private:
  uint64_t ticket_;
  const float* values_;
  uint64_t rows_;
  uint32_t dim_;
  CompletionQueue& completions_;
  uint64_t next_row_ = 0;
};

}  // namespace asyncstore::engine
