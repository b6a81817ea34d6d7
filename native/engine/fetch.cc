#include "engine/fetch.h"

#include <algorithm>
#include <utility>

namespace asyncstore::engine {

using points::PointId;

Task::Next PointsTask::step(Worker& worker) {
  if (!view_) {
    view_ = collection_->view();  // slots found from here on keep their points
  }
  if (!found_) {
    std::vector<uint32_t> slots;
    const Next next = find(worker, slots);
    if (next != Next::done) {
      return next;
    }
    found_ = true;
    if (!with_.nothing()) {
      fetch_.emplace(collection_, with_, slots.size());
    }
    add_points(slots);
    if (!error_ && fetch_ && fetch_->read(*this, worker)) {
      return Next::wait;
    }
  }
  if (!error_ && fetch_) {
    error_ = fetch_->error();
  }
  if (error_) {
    completions_.fail(ticket_, *error_);
    return Next::done;
  }
  if (fetch_) {
    fetch_->take(rows_);
  }
  completions_.complete(ticket_, answer(std::move(rows_)));
  return Next::done;
}

void PointsTask::landed(const io::ReadRequest& request, base::Bytes data,
                        const base::Error* error) {
  if (found_) {
    fetch_->landed(request, data, error);
  } else {
    found(request, data, error);
  }
}

void PointsTask::add_points(std::span<const uint32_t> slots) {
  for (const uint32_t slot : slots) {
    const auto version = fetch_ ? fetch_->add(rows_.ids.size(), slot)
                                : std::optional(collection_->table().version(slot));
    if (version) {  // else it was deleted a moment ago
      rows_.ids.push_back(collection_->table().id(slot));
      rows_.versions.push_back(*version);
    }
  }
}

Task::Next RetrieveTask::find(Worker&, std::vector<uint32_t>& slots) {
  const auto lock = collection_->table().read_lock();
  for (const PointId& id : ids_) {
    const uint32_t slot = collection_->table().find(id);
    if (slot != points::k_no_slot && collection_->table().version(slot) > 0) {
      slots.push_back(slot);
    }
  }
  return Next::done;
}

ScrollTask::ScrollTask(uint64_t ticket, std::shared_ptr<Collection> collection, PointId offset,
                       uint64_t limit, std::shared_ptr<const filter::Filter> filter, With with,
                       CompletionQueue& completions)
    : PointsTask(ticket, std::move(collection), std::move(with), completions),
      offset_(offset),
      limit_(std::min(limit, uint64_t{UINT32_MAX})) {
  if (filter) {
    page_.emplace(collection_, std::move(filter), offset_, limit_ + 1);
  }
}

Task::Next ScrollTask::find(Worker& worker, std::vector<uint32_t>& slots) {
  if (page_) {
    const Next next = page_->step(*this, worker);
    if (next != Next::done) {
      return next;
    }
    if (page_->error()) {
      fail(*page_->error());
      return Next::done;
    }
    slots = page_->take();
  } else {
    slots = collection_->table().scroll(offset_, limit_ + 1);
  }
  if (slots.size() > limit_) {
    next_ = collection_->table().id(slots.back());
    slots.pop_back();
  }
  // A point that is just being written for the first time has no version yet: not yet there.
  std::erase_if(slots, [&](uint32_t slot) { return collection_->table().version(slot) == 0; });
  return Next::done;
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
