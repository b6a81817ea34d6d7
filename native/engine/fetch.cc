#include "engine/fetch.h"

#include <algorithm>
#include <span>
#include <utility>

namespace asyncstore::engine {

using base::Bytes;
using base::Error;
using points::PointId;

namespace {

// Fills ids and versions of the slots that hold a point, and asks for its vectors.
void add_points(Collection& collection, std::span<const uint32_t> slots, Rows& rows) {
  for (const uint32_t slot : slots) {
    rows.ids.push_back(collection.table().id(slot));
    rows.versions.push_back(collection.table().version(slot));
  }
}

// Starts reading the vectors; false when none is wanted or there.
bool read_vectors(std::optional<VectorFetch>& fetch, const std::shared_ptr<Collection>& collection,
                  const std::vector<uint32_t>& fields, std::span<const uint32_t> slots, Task& task,
                  Worker& worker) {
  if (fields.empty() || slots.empty()) {
    return false;
  }
  fetch.emplace(collection, fields, slots.size());
  for (size_t field = 0; field < fields.size(); ++field) {
    for (size_t point = 0; point < slots.size(); ++point) {
      fetch->add_slot(field, point, slots[point]);
    }
  }
  return fetch->read(task, worker);
}

}  // namespace

RetrieveTask::RetrieveTask(uint64_t ticket, std::shared_ptr<Collection> collection,
                           std::vector<PointId> ids, std::vector<uint32_t> with_fields,
                           CompletionQueue& completions)
    : ticket_(ticket),
      collection_(std::move(collection)),
      ids_(std::move(ids)),
      with_fields_(std::move(with_fields)),
      completions_(completions) {}

Task::Next RetrieveTask::step(Worker& worker) {
  if (!view_) {
    view_ = collection_->view();  // slots found from here on keep their points
    std::vector<uint32_t> slots;
    {
      const auto lock = collection_->table().read_lock();
      for (const PointId& id : ids_) {
        const uint32_t slot = collection_->table().find(id);
        if (slot != points::k_no_slot && collection_->table().version(slot) > 0) {
          slots.push_back(slot);
        }
      }
      add_points(*collection_, slots, rows_);
    }
    if (read_vectors(fetch_, collection_, with_fields_, slots, *this, worker)) {
      return Next::wait;
    }
  }
  if (fetch_ && fetch_->error()) {
    completions_.fail(ticket_, *fetch_->error());
    return Next::done;
  }
  if (fetch_) {
    rows_.vectors = fetch_->take();
  }
  completions_.complete(ticket_, std::move(rows_));
  return Next::done;
}

void RetrieveTask::landed(const io::ReadRequest& request, Bytes data, const Error* error) {
  fetch_->landed(request, data, error);
}

void RetrieveTask::abandon(const Error& error) {
  completions_.fail(ticket_, error);
}

ScrollTask::ScrollTask(uint64_t ticket, std::shared_ptr<Collection> collection, PointId offset,
                       uint64_t limit, std::vector<uint32_t> with_fields,
                       CompletionQueue& completions)
    : ticket_(ticket),
      collection_(std::move(collection)),
      offset_(offset),
      limit_(limit),
      with_fields_(std::move(with_fields)),
      completions_(completions) {}

Task::Next ScrollTask::step(Worker& worker) {
  if (!view_) {
    view_ = collection_->view();
    const uint64_t wanted = std::min(limit_, uint64_t{UINT32_MAX});
    auto slots = collection_->table().scroll(offset_, wanted + 1);
    if (slots.size() > wanted) {
      page_.next = collection_->table().id(slots.back());
      slots.pop_back();
    }
    // A point that is just being written for the first time has no version yet: not yet there.
    std::erase_if(slots, [&](uint32_t slot) { return collection_->table().version(slot) == 0; });
    add_points(*collection_, slots, page_.rows);
    if (read_vectors(fetch_, collection_, with_fields_, slots, *this, worker)) {
      return Next::wait;
    }
  }
  if (fetch_ && fetch_->error()) {
    completions_.fail(ticket_, *fetch_->error());
    return Next::done;
  }
  if (fetch_) {
    page_.rows.vectors = fetch_->take();
  }
  completions_.complete(ticket_, std::move(page_));
  return Next::done;
}

void ScrollTask::landed(const io::ReadRequest& request, Bytes data, const Error* error) {
  fetch_->landed(request, data, error);
}

void ScrollTask::abandon(const Error& error) {
  completions_.fail(ticket_, error);
}

Task::Next CheckVectorsTask::step(Worker&) {
  constexpr uint64_t k_slice_values = 1 << 18;
  const uint64_t rows = std::min(rows_ - next_row_, std::max<uint64_t>(1, k_slice_values / dim_));
  auto finite = check_finite(values_ + next_row_ * dim_, rows, dim_, nullptr, next_row_);
  next_row_ += rows;
  if (!finite.ok()) {
    completions_.fail(ticket_, std::move(finite.error()));
    return Next::done;
  }
  if (next_row_ < rows_) {
    return Next::again;
  }
  completions_.complete(ticket_, std::monostate{});
  return Next::done;
}

}  // namespace asyncstore::engine
