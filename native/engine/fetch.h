// Points by their ids: retrieve, scroll, and checking what is about to be written.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "engine/collection.h"
#include "engine/completion_queue.h"
#include "engine/task.h"
#include "engine/vector_fetch.h"

namespace asyncstore::engine {

// Points in the order asked; ids that are not there are left out.
class RetrieveTask final : public Task {
 public:
  RetrieveTask(uint64_t ticket, std::shared_ptr<Collection> collection,
               std::vector<points::PointId> ids, std::vector<uint32_t> with_fields,
               CompletionQueue& completions);
  Next step(Worker& worker) override;
  void landed(const io::ReadRequest& request, base::Bytes data, const base::Error* error) override;
  void abandon(const base::Error& error) override;

 private:
  uint64_t ticket_;
  std::shared_ptr<Collection> collection_;
  std::vector<points::PointId> ids_;
  std::vector<uint32_t> with_fields_;
  CompletionQueue& completions_;
  std::shared_ptr<const View> view_;
  Rows rows_;
  std::optional<VectorFetch> fetch_;
};

// A page of points in the order of their ids, from `offset` on.
class ScrollTask final : public Task {
 public:
  ScrollTask(uint64_t ticket, std::shared_ptr<Collection> collection, points::PointId offset,
             uint64_t limit, std::vector<uint32_t> with_fields, CompletionQueue& completions);
  Next step(Worker& worker) override;
  void landed(const io::ReadRequest& request, base::Bytes data, const base::Error* error) override;
  void abandon(const base::Error& error) override;

 private:
  uint64_t ticket_;
  std::shared_ptr<Collection> collection_;
  points::PointId offset_;
  uint64_t limit_;
  std::vector<uint32_t> with_fields_;
  CompletionQueue& completions_;
  std::shared_ptr<const View> view_;
  ScrollPage page_;
  std::optional<VectorFetch> fetch_;
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
